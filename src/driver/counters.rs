//! Numbers that JavaScript reads without a call.
//!
//! JavaScript knows how many bytes it has queued; two words per connection tell it how many of
//! those have reached the connection's own queue (`applied`) and how many of these are not written
//! (`queued`). `bufferedAmount` is what it queued, less `applied`, plus `queued`. Two more count the
//! bytes that were read from and written to the transport.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Connections per segment.
pub const SEGMENT: usize = 1024;

/// Words per connection.
const WORDS: usize = 4;

/// One block of counters: `f64`s, as JavaScript's Float64Array sees them.
pub struct Segment([[AtomicU64; WORDS]; SEGMENT]);

impl Segment {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(std::array::from_fn(|_| Default::default())))
    }

    /// The address and length in bytes, for a view from JavaScript.
    pub fn memory(&self) -> (*mut u8, usize) {
        (
            self.0.as_ptr().cast_mut().cast(),
            std::mem::size_of_val(&self.0),
        )
    }
}

/// The words of one connection.
#[derive(Clone)]
pub struct Counter {
    segment: Arc<Segment>,
    index: usize,
}

impl Counter {
    /// The counter of connection `id` in its segment, set to zero.
    pub fn new(segment: Arc<Segment>, id: u32) -> Self {
        let counter = Self {
            segment,
            index: id as usize % SEGMENT,
        };
        counter.set_sent(0, 0, 0);
        counter.set_read(0);
        counter
    }

    /// Stored from last to first as they are read: a reader in between counts too much rather than
    /// too little as unsent.
    pub fn set_sent(&self, applied: u64, queued: usize, written: u64) {
        let [a, q, _, w] = &self.segment.0[self.index];
        w.store((written as f64).to_bits(), Ordering::Release);
        q.store((queued as f64).to_bits(), Ordering::Release);
        a.store((applied as f64).to_bits(), Ordering::Release);
    }

    /// `bytes` have been read in all.
    pub fn set_read(&self, bytes: u64) {
        self.segment.0[self.index][2].store((bytes as f64).to_bits(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_sees_four_doubles_per_connection() {
        let segment = Segment::new();
        let counter = Counter::new(segment.clone(), SEGMENT as u32 + 3);
        counter.set_sent(7, 5, 2);
        counter.set_read(9);
        let (at, len) = segment.memory();
        assert_eq!(len, SEGMENT * 8 * WORDS);
        // SAFETY: `segment` is alive and 8-byte aligned, and nothing writes to it meanwhile.
        let view = unsafe { std::slice::from_raw_parts(at.cast::<f64>(), len / 8) };
        assert_eq!(view[12..16], [7.0, 5.0, 9.0, 2.0]);
    }
}
