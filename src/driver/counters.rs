//! Numbers that JavaScript reads without a call: how much of a connection's output is unsent.
//!
//! JavaScript knows how many bytes it has queued; two words per connection tell it how many of
//! those have reached the connection's own queue (`applied`) and how long that queue is
//! (`queued`). `bufferedAmount` is what it queued, less `applied`, plus `queued`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Connections per segment.
pub const SEGMENT: usize = 1024;

/// One block of counters: two `f64` per connection, as JavaScript's Float64Array sees them.
pub struct Segment([[AtomicU64; 2]; SEGMENT]);

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

/// The two words of one connection.
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
        counter.set(0, 0);
        counter
    }

    /// `queued` first: a reader in between sees too much rather than too little.
    pub fn set(&self, applied: u64, queued: usize) {
        let [a, q] = &self.segment.0[self.index];
        q.store((queued as f64).to_bits(), Ordering::Release);
        a.store((applied as f64).to_bits(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_sees_two_doubles_per_connection() {
        let segment = Segment::new();
        Counter::new(segment.clone(), SEGMENT as u32 + 3).set(7, 5);
        let (at, len) = segment.memory();
        assert_eq!(len, SEGMENT * 16);
        // SAFETY: `segment` is alive and 8-byte aligned, and nothing writes to it meanwhile.
        let view = unsafe { std::slice::from_raw_parts(at.cast::<f64>(), len / 8) };
        assert_eq!(view[6..8], [7.0, 5.0]);
    }
}
