#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// Remembers which packet indices were accepted (RFC 3711 §3.3.2).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    /// One more than the highest accepted index; 0 before the first.
    next: u64,
    /// Bit n: index `next - 1 - n` was accepted.
    seen: u128,
}

impl Window {
    /// How far behind the newest a packet may come: the 64 the RFC asks for at least, doubled for bursts.
    const PACKETS: u64 = 128;

    /// The highest accepted index, if any.
    pub(super) const fn highest(&self) -> Option<u64> {
        self.next.checked_sub(1)
    }

    /// Whether the packet may be new.
    pub(super) fn is_new(&self, index: u64) -> bool {
        match self
            .next
            .checked_sub(1)
            .and_then(|top| top.checked_sub(index))
        {
            None => true,
            Some(age) if age < Self::PACKETS => self.seen & (1 << age) == 0,
            Some(_) => false,
        }
    }

    /// Marks an authenticated packet as accepted.
    pub(super) fn accept(&mut self, index: u64) {
        let Some(next) = index.checked_add(1) else {
            return;
        };
        if let Some(ahead) = next.checked_sub(self.next).filter(|ahead| *ahead > 0) {
            self.seen = u32::try_from(ahead)
                .ok()
                .and_then(|shift| self.seen.checked_shl(shift))
                .unwrap_or(0)
                | 1;
            self.next = next;
        } else if let Some(age) = self.next.checked_sub(next)
            && age < Self::PACKETS
        {
            self.seen |= 1 << age;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_index_is_new_once_within_the_window_and_never_behind_it() {
        let mut window = Window::default();
        let mut take = |index| {
            let new = window.is_new(index);
            if new {
                window.accept(index);
            }
            new
        };
        assert!(take(1000));
        assert!(!take(1000));
        assert!(take(1002));
        assert!(take(1001));
        assert!(!take(1001));
        assert!(take(1002 - 127));
        assert!(!take(1002 - 127));
        assert!(!take(1002 - 128), "behind the window");
        assert!(take(1_000_000));
        assert!(take(1_000_000 - 127), "the old bits are gone");
        assert!(!take(1002));
    }
}
