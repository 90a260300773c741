/// The newest `N` values; a further one takes the oldest's place.
#[derive(Debug, Clone)]
pub(super) struct Ring<T, const N: usize> {
    values: [T; N],
    next: usize,
    count: usize,
}

impl<T: Copy + Default, const N: usize> Default for Ring<T, N> {
    fn default() -> Self {
        Self {
            values: [T::default(); N],
            next: 0,
            count: 0,
        }
    }
}

impl<T: Copy, const N: usize> Ring<T, N> {
    pub(super) fn push(&mut self, value: T) {
        if let Some(place) = self.values.get_mut(self.next) {
            *place = value;
        }
        self.next = (self.next + 1) % N;
        self.count = (self.count + 1).min(N);
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// From the newest to the oldest.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = T> + Clone {
        (1..=self.count).filter_map(|back| self.values.get((self.next + N - back) % N).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let mut ring = Ring::<u32, 3>::default();
        for value in 1..=5 {
            ring.push(value);
        }
        assert_eq!(ring.newest_first().collect::<Vec<_>>(), [5, 4, 3]);
        assert_eq!(ring.len(), 3);
    }
}
