//! Bytes that wait to be written.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;

use bytes::{Buf, Bytes};

use super::mask::apply_mask;

/// Most bytes that small pushes are gathered in before a new segment begins.
pub const SEGMENT_LEN: usize = 64 * 1024;

/// Buffers of drained queues that a thread keeps for the next: the queues themselves keep nothing,
/// so that an idle connection costs no memory, and a busy thread writes from a warm buffer.
const SPARE_BUFFERS: usize = 16;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A queue of bytes in the order of pushing: small ones coalesced, large ones shared.
#[derive(Debug, Default)]
pub struct TransmitQueue {
    /// What goes out before `tail`. None is empty.
    segments: VecDeque<Segment>,
    /// The buffer that copies are appended to.
    tail: Vec<u8>,
    /// Bytes of the first segment, or of `tail` if there is none, that were taken already. A
    /// shared segment is advanced by itself.
    taken: usize,
    len: usize,
    transmitted: u64,
}

#[derive(Debug)]
enum Segment {
    Copied(Vec<u8>),
    Shared(Bytes),
}

impl TransmitQueue {
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues a frame whose payload is copied, and masked in the copy if there is a key.
    pub fn push_copied(&mut self, header: &[u8], payload: &[u8], mask: Option<[u8; 4]>) {
        self.len += header.len() + payload.len();
        if self.tail.capacity() == 0 {
            self.tail = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        }
        // One reservation for both; what does not fit the segment goes on in the next.
        let room = SEGMENT_LEN.saturating_sub(self.tail.len());
        self.tail.reserve(room.min(header.len() + payload.len()));
        self.append(header, None);
        self.append(payload, mask);
    }

    /// Queues a frame whose payload is written from where it is. It is never masked: the memory is
    /// the application's.
    pub fn push_shared(&mut self, header: &[u8], payload: Bytes) {
        self.push_raw(header);
        if payload.is_empty() {
            return;
        }
        self.seal();
        self.len += payload.len();
        self.segments.push_back(Segment::Shared(payload));
    }

    /// Queues bytes as they are.
    pub fn push_raw(&mut self, bytes: &[u8]) {
        self.push_copied(&[], bytes, None);
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes queued.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes ever taken by [`advance`](Self::advance).
    pub fn transmitted(&self) -> u64 {
        self.transmitted
    }

    /// Fills `out` with the front of the queue; returns how many were filled. None is empty.
    pub fn io_slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        let parts = self.segments.iter().map(Segment::bytes).chain(tail);
        let mut skip = self.taken;
        let mut filled = 0;
        for (slot, part) in out.iter_mut().zip(parts) {
            *slot = IoSlice::new(&part[skip..]);
            skip = 0;
            filled += 1;
        }
        filled
    }

    /// Drops the first `n` bytes, which must be queued.
    pub fn advance(&mut self, n: usize) {
        debug_assert!(n <= self.len);
        let mut n = n.min(self.len);
        self.len -= n;
        self.transmitted += n as u64;
        if self.len == 0 {
            return self.release();
        }
        while let Some(first) = self.segments.front_mut() {
            let rest = first.bytes().len() - self.taken;
            if n < rest {
                match first {
                    Segment::Copied(_) => self.taken += n,
                    Segment::Shared(bytes) => bytes.advance(n),
                }
                return;
            }
            n -= rest;
            self.taken = 0;
            if let Some(Segment::Copied(buffer)) = self.segments.pop_front() {
                keep(buffer);
            }
        }
        self.taken += n;
    }

    /// Drops everything, untransmitted.
    pub fn clear(&mut self) {
        self.len = 0;
        self.release();
    }

    fn append(&mut self, bytes: &[u8], mask: Option<[u8; 4]>) {
        let mut at = 0;
        while at < bytes.len() {
            if self.tail.len() >= SEGMENT_LEN {
                self.seal();
            }
            let start = self.tail.len();
            let end = bytes.len().min(at + SEGMENT_LEN - start);
            self.tail.extend_from_slice(&bytes[at..end]);
            if let Some(key) = mask {
                apply_mask(&mut self.tail[start..], key, at);
            }
            at = end;
        }
    }

    /// Ends the segment that copies are appended to.
    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.segments
                .push_back(Segment::Copied(mem::take(&mut self.tail)));
        }
    }

    /// The queue is empty: gives its memory back.
    fn release(&mut self) {
        self.taken = 0;
        if self.tail.capacity() > 0 {
            keep(mem::take(&mut self.tail));
        }
        for segment in mem::take(&mut self.segments) {
            if let Segment::Copied(buffer) = segment {
                keep(buffer);
            }
        }
    }
}

/// Keeps a buffer for the next queue of this thread that needs one.
fn keep(mut buffer: Vec<u8>) {
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < SPARE_BUFFERS && buffer.capacity() <= 2 * SEGMENT_LEN {
            buffer.clear();
            spare.push(buffer);
        }
    });
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests;
