//! The last bytes that went through a window.

/// A ring of the last `limit` bytes; it takes no more memory than it has been given bytes.
#[derive(Debug)]
pub(super) struct History {
    ring: Vec<u8>,
    /// Where the oldest byte is, once the ring is full.
    start: usize,
    limit: usize,
}

impl History {
    pub fn new(limit: usize) -> Self {
        Self {
            ring: Vec::new(),
            start: 0,
            limit,
        }
    }

    pub fn push(&mut self, data: &[u8]) {
        let data = &data[data.len().saturating_sub(self.limit)..];
        if data.len() == self.limit {
            self.ring.clear();
            self.start = 0;
        }
        let (added, wrapped) = data.split_at(data.len().min(self.limit - self.ring.len()));
        self.grow(added.len());
        self.ring.extend_from_slice(added);
        let (to_end, from_start) = wrapped.split_at(wrapped.len().min(self.limit - self.start));
        self.ring[self.start..self.start + to_end.len()].copy_from_slice(to_end);
        self.ring[..from_start.len()].copy_from_slice(from_start);
        if !wrapped.is_empty() {
            self.start = (self.start + wrapped.len()) % self.limit;
        }
    }

    /// The bytes in their order, in two parts.
    pub fn parts(&self) -> [&[u8]; 2] {
        let (newer, older) = self.ring.split_at(self.start);
        [older, newer]
    }

    /// The last `most` of them at most, in two parts.
    pub fn last(&self, most: usize) -> [&[u8]; 2] {
        let [older, newer] = self.parts();
        let newer = &newer[newer.len().saturating_sub(most)..];
        let most = most - newer.len();
        [&older[older.len().saturating_sub(most)..], newer]
    }

    pub fn clear(&mut self) {
        self.ring = Vec::new();
        self.start = 0;
    }

    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// Twice what was there, for the next time, but what is needed at first.
    fn grow(&mut self, added: usize) {
        let needed = self.ring.len() + added;
        if needed > self.ring.capacity() {
            let target = needed.max(2 * self.ring.capacity()).min(self.limit);
            self.ring.reserve_exact(target - self.ring.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::testing::Rng;

    #[test]
    fn it_is_the_end_of_all_that_was_pushed() {
        let mut rng = Rng::new(11);
        for limit in [1, 7, 256, 512] {
            let mut history = History::new(limit);
            let mut all = Vec::new();
            for _ in 0..200 {
                let data: Vec<u8> = (0..rng.below(2 * limit + 2))
                    .map(|_| rng.next() as u8)
                    .collect();
                let data = &data[..rng.below(data.len() + 1)];
                history.push(data);
                all.extend_from_slice(data);
                let expected = &all[all.len().saturating_sub(limit)..];
                assert_eq!(history.parts().concat(), expected);
                let most = rng.below(2 * limit);
                let last = &expected[expected.len().saturating_sub(most)..];
                assert_eq!(history.last(most).concat(), last);
                assert!(history.capacity() <= limit.min(2 * all.len()));
            }
        }
    }

    #[test]
    fn the_first_bytes_take_their_own_length() {
        let mut history = History::new(1 << 15);
        history.push(&[1; 1000]);
        assert_eq!(history.capacity(), 1000);
        history.clear();
        assert_eq!(history.capacity(), 0);
    }
}
