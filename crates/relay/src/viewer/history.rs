use std::collections::VecDeque;

/// Which batch each sequence number of a viewer's video carried, for the newest batches sent: a NACK finds its packet
/// here. 4 KiB when full.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Ascending.
    sent: VecDeque<Sent>,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    /// Packet index (roll-over counter and sequence number) of the batch's first packet.
    first: u64,
    /// The batch's sequence number.
    batch: u64,
}

impl History {
    /// A batch goes out, its first packet with the index `first`.
    pub(crate) fn note(&mut self, first: u64, batch: u64) {
        if self.sent.len() == BATCHES_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { first, batch });
    }

    /// The batch, and which of its packets had the index.
    pub(crate) fn find(&self, index: u64) -> Option<(u64, usize)> {
        let after = self.sent.partition_point(|sent| sent.first <= index);
        let sent = self.sent.get(after.checked_sub(1)?)?;
        let packet = usize::try_from(index - sent.first).ok()?;
        Some((sent.batch, packet))
    }
}

/// Batches remembered: 4 s at 60 frames a second; older packets come too late to be shown.
const BATCHES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_found_in_its_batch_until_256_more_went() {
        let mut history = History::default();
        assert_eq!(history.find(5), None);
        for batch in 0..300 {
            history.note(65_000 + batch * 9, batch);
        }
        assert_eq!(history.find(65_000 + 44 * 9), Some((44, 0)));
        assert_eq!(history.find(65_000 + 44 * 9 - 1), None);
        assert_eq!(history.find(65_000 + 100 * 9 + 8), Some((100, 8)));
        assert_eq!(history.find(65_000 + 299 * 9 + 3), Some((299, 3)));
    }
}
