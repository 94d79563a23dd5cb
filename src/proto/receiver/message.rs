//! A message whose payload did not arrive in one piece.

use std::mem::MaybeUninit;

use super::event::Fragments;
use crate::proto::error::ProtocolError;
use crate::proto::frame::Opcode;
use crate::proto::utf8::Utf8Validator;

/// Most bytes reserved on the word of a frame header alone. The memory behind a reservation is
/// committed by the operating system page by page as bytes arrive, so that a peer that announces
/// and does not send costs address space only.
const FIRST_RESERVATION: usize = 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Message {
    data: Vec<u8>,
    utf8: Utf8Validator,
    /// Sum of the payload lengths in the headers so far.
    announced: u64,
    /// Frames so far; 0 = no message is open.
    fragments: u32,
    /// Made when a frame ends that is not the whole message.
    ends: Option<Box<Fragments>>,
    binary: bool,
    compressed: bool,
}

impl Message {
    /// A fragment has arrived and the last one has not.
    pub fn is_open(&self) -> bool {
        self.fragments > 0
    }

    /// It has more than one frame.
    pub fn is_fragmented(&self) -> bool {
        self.fragments > 1
    }

    pub fn is_binary(&self) -> bool {
        self.binary
    }

    /// What arrives of it has to be inflated.
    pub fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// No byte of payload has arrived.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    pub fn announced(&self) -> u64 {
        self.announced
    }

    pub fn capacity(&self) -> usize {
        self.data.capacity() + self.ends.as_ref().map_or(0, |ends| ends.capacity())
    }

    /// A frame has ended that is not the only one.
    pub fn end_fragment(&mut self) {
        let end = self.data.len();
        self.ends.get_or_insert_default().push(end);
    }

    /// Frames so far.
    pub fn fragments(&self) -> u32 {
        self.fragments
    }

    /// Counts a frame of the message.
    pub fn begin_fragment(&mut self, opcode: Opcode, rsv1: bool, payload_len: u64) {
        // 5.4: the opcode of the first fragment is that of the message. So is RSV1 (RFC 7692 6.1).
        if opcode != Opcode::Continuation {
            self.binary = opcode == Opcode::Binary;
            self.compressed = rsv1;
        }
        self.announced = self.announced.saturating_add(payload_len);
        self.fragments = self.fragments.saturating_add(1);
    }

    /// Makes room for `wanted` bytes out of the `remaining` ones of the frame: first for what the
    /// frame announced up to [`FIRST_RESERVATION`], then by doubling, which keeps the memory within
    /// twice the bytes that arrived, and never beyond `limit` bytes in all.
    ///
    /// Errors: [`ProtocolError::UnsupportedMessageLength`] if there is no such memory.
    pub fn reserve(
        &mut self,
        wanted: usize,
        remaining: usize,
        limit: usize,
    ) -> Result<(), ProtocolError> {
        let len = self.data.len();
        let needed = len.saturating_add(wanted);
        let capacity = self.data.capacity();
        if needed <= capacity {
            return Ok(());
        }
        let target = match capacity {
            0 => remaining.min(FIRST_RESERVATION),
            capacity => capacity.saturating_mul(2),
        };
        let target = target.min(limit).max(needed);
        self.data
            .try_reserve_exact(target - len)
            .map_err(|_| ProtocolError::UnsupportedMessageLength)
    }

    /// Adds bytes; returns where they start.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let start = self.data.len();
        self.data.extend_from_slice(bytes);
        start
    }

    /// The reserved room, `most` bytes of it at most.
    pub fn room(&mut self, most: usize) -> &mut [MaybeUninit<u8>] {
        let room = self.data.spare_capacity_mut();
        let len = room.len().min(most);
        &mut room[..len]
    }

    /// Adds `n` bytes of the room; returns where they start.
    ///
    /// # Safety
    /// The first `n` bytes of [`room`](Self::room) must be initialised.
    pub unsafe fn commit(&mut self, n: usize) -> usize {
        let start = self.data.len();
        assert!(n <= self.data.capacity() - start, "more bytes than room");
        // SAFETY: within the capacity, as just checked; the caller initialised them.
        unsafe { self.data.set_len(start + n) };
        start
    }

    /// The payload so far.
    pub fn data(&mut self) -> &mut Vec<u8> {
        &mut self.data
    }

    pub fn since(&mut self, start: usize) -> &mut [u8] {
        &mut self.data[start..]
    }

    pub fn validate_since(&mut self, start: usize) -> Result<(), ProtocolError> {
        self.utf8.push(&self.data[start..])
    }

    /// The payload of the whole message; with `validate`, refuses one that ends in the middle of a
    /// character.
    pub fn finish(
        mut self,
        validate: bool,
    ) -> Result<(Vec<u8>, Option<Box<Fragments>>), ProtocolError> {
        if validate {
            self.utf8.finish()?;
        }
        Ok((self.data, self.ends))
    }
}
