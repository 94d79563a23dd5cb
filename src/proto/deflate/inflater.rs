//! Decompression of messages that arrive piece by piece (RFC 7692 section 7.2.2).

use std::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::history::History;
use super::{TAIL, pool};
use crate::proto::error::ProtocolError;

/// Room that is made for output at first: a multiple of the input, within these.
const FIRST_ROOM: std::ops::RangeInclusive<usize> = 256..=64 * 1024;

/// Most output of one call of the inflater.
const MAX_STEP: usize = 256 * 1024;

/// Output with more memory than this is cut to its length when the message ends.
const SHRINK_MIN: usize = 32 * 1024;

/// The receiving half's state. It has an inflater only within a message.
pub struct Inflater {
    /// What the peer's compressor may refer to, under context takeover.
    history: Option<History>,
    stream: Option<Box<Inflate>>,
    /// `stream` has had input since it began: it is not where a stream may end.
    begun: bool,
    /// Output of one turn at which [`inflate`](Self::inflate) returns before its input ends.
    slice: usize,
    /// What is left of it in this turn.
    left: usize,
    /// Most bytes of a message, whatever the caller allows.
    most: usize,
}

impl Inflater {
    /// `takeover` and `window_bits` are those of the peer's compressor.
    pub fn new(takeover: bool, window_bits: u8) -> Self {
        Self {
            history: takeover.then(|| History::new(1 << window_bits)),
            stream: None,
            begun: false,
            slice: usize::MAX,
            left: usize::MAX,
            most: usize::MAX,
        }
    }

    /// Limits messages to `most` bytes, if the caller of [`inflate`](Self::inflate) does not limit
    /// them to fewer.
    pub fn set_limit(&mut self, most: usize) {
        self.most = most;
    }

    /// How much output the calls of [`inflate`](Self::inflate) may give from one
    /// [`begin_turn`](Self::begin_turn) to the next, exceeded by [`MAX_STEP`] at most. One read can
    /// inflate to a thousand times its length: who must not keep others waiting takes it in slices.
    pub fn set_slice(&mut self, slice: usize) {
        self.slice = slice.max(1);
        self.left = self.slice;
    }

    pub fn begin_turn(&mut self) {
        self.left = self.slice;
    }

    /// Adds what `input`, the next bytes of a message, inflates to; returns how many of them were
    /// taken, all unless the slice was used up. `out` has all of the message before. It grows to
    /// `limit` bytes at most, and not much faster than there is output.
    ///
    /// Errors: what is not a deflate stream, and more than `limit` bytes. The message is lost then.
    pub fn inflate(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<usize, ProtocolError> {
        let limit = limit.min(self.most);
        let start = out.len();
        let slice_end = start.saturating_add(self.left);
        let mut taken = 0;
        let mut is_full = false;
        // A full output may have more behind it, although all input was taken.
        while taken < input.len() || is_full {
            if taken < input.len() && out.len() >= slice_end {
                break;
            }
            let step = self.step(&input[taken..], out, limit, InflateFlush::SyncFlush)?;
            taken += step.taken;
            is_full = step.is_full && !step.ended;
        }
        self.left = self.left.saturating_sub(out.len() - start);
        Ok(taken)
    }

    /// Ends the message: adds what is still to come of `out`.
    ///
    /// Errors: as [`inflate`](Self::inflate), and a message that ends within a block.
    pub fn finish(&mut self, out: &mut Vec<u8>, limit: usize) -> Result<(), ProtocolError> {
        let limit = limit.min(self.most);
        // Nothing is to be flushed of an empty message, and behind a block with BFINAL, to which
        // ws's peers need not add the padding of section 7.2.1.
        if self.begun {
            self.flush(out, limit)?;
        }
        if let Some(history) = &mut self.history {
            history.push(out);
        }
        if out.capacity() > SHRINK_MIN && out.capacity() - out.len() > out.len() / 4 {
            out.shrink_to_fit();
        }
        self.release();
        Ok(())
    }

    /// Forgets the message and the history: nothing more will be received.
    pub fn stop(&mut self) {
        self.release();
        if let Some(history) = &mut self.history {
            history.clear();
        }
    }

    /// Bytes of memory held from message to message.
    pub fn held(&self) -> usize {
        self.history.as_ref().map_or(0, History::capacity)
    }

    /// Puts the tail back that the sender stripped, which ends the last block and puts nothing out.
    /// That the stream stands between two blocks then shows by one byte more: it leaves that alone
    /// if it is told to stop there (`Block`).
    fn flush(&mut self, out: &mut Vec<u8>, limit: usize) -> Result<(), ProtocolError> {
        let [a, b, c, d] = TAIL;
        match self.step(&[a, b, c, d, 0xff], out, limit, InflateFlush::Block)? {
            Step {
                taken: 4, given: 0, ..
            } => Ok(()),
            _ => Err(ProtocolError::TruncatedCompressedData),
        }
    }

    /// Calls the inflater once.
    fn step(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
        flush: InflateFlush,
    ) -> Result<Step, ProtocolError> {
        let stream = self
            .stream
            .get_or_insert_with(|| begin(self.history.as_ref()));
        let step = if out.len() < limit {
            make_room(out, input.len(), limit)?;
            step_into(stream, input, out, limit, flush)?
        } else {
            probe(stream, input, flush)?
        };
        self.begun |= step.taken > 0;
        if step.ended {
            // A block with BFINAL set (7.2.3.4). What follows it is another stream.
            stream.reset(false);
            self.begun = false;
        } else if step.taken == 0 && step.given == 0 && !input.is_empty() {
            return Err(ProtocolError::InvalidCompressedData("buffer error"));
        }
        Ok(step)
    }

    fn release(&mut self) {
        self.begun = false;
        if let Some(stream) = self.stream.take() {
            pool::give_inflater(stream);
        }
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("takeover", &self.history.is_some())
            .field("held", &self.held())
            .field("within_message", &self.stream.is_some())
            .finish()
    }
}

/// What one call of the inflater did.
struct Step {
    taken: usize,
    given: usize,
    /// The room was used up.
    is_full: bool,
    /// The stream has ended.
    ended: bool,
}

/// An inflater that knows the history.
fn begin(history: Option<&History>) -> Box<Inflate> {
    let mut stream = pool::take_inflater();
    for part in history.map_or([&[][..]; 2], History::parts) {
        if !part.is_empty() {
            // Refused only where a zlib header asks for a certain dictionary.
            let _ = stream.set_dictionary(part);
        }
    }
    stream
}

/// Room for at least one byte. The last step of growth is from half of the limit or less: while
/// the bytes move, both their old and their new memory is there.
fn make_room(out: &mut Vec<u8>, input_len: usize, limit: usize) -> Result<(), ProtocolError> {
    if out.len() < out.capacity() {
        return Ok(());
    }
    let wanted = match out.capacity() {
        0 => input_len
            .saturating_mul(4)
            .clamp(*FIRST_ROOM.start(), *FIRST_ROOM.end()),
        capacity => capacity.saturating_mul(2),
    };
    let target = if wanted > limit / 2 { limit } else { wanted };
    // Memory that cannot be had is a message that is too long.
    out.try_reserve_exact(target - out.len())
        .map_err(|_| ProtocolError::UnsupportedMessageLength)
}

fn step_into(
    stream: &mut Inflate,
    input: &[u8],
    out: &mut Vec<u8>,
    limit: usize,
    flush: InflateFlush,
) -> Result<Step, ProtocolError> {
    let start = out.len();
    // The allocator may have given more than was asked for.
    let room = out.spare_capacity_mut();
    let room_len = room.len().min(limit - start).min(MAX_STEP);
    let (before_in, before_out) = (stream.total_in(), stream.total_out());
    let status = stream.decompress_uninit(input, &mut room[..room_len], flush);
    let given = (stream.total_out() - before_out) as usize;
    assert!(given <= room_len, "more output than room");
    // SAFETY: within the capacity, as just checked; the inflater has written what it counts.
    unsafe { out.set_len(start + given) };
    Ok(Step {
        taken: (stream.total_in() - before_in) as usize,
        given,
        is_full: given == room_len,
        ended: check(stream, status)?,
    })
}

/// Goes on where no output is allowed any more.
fn probe(stream: &mut Inflate, input: &[u8], flush: InflateFlush) -> Result<Step, ProtocolError> {
    let (before_in, before_out) = (stream.total_in(), stream.total_out());
    let status = stream.decompress(input, &mut [0], flush);
    let ended = check(stream, status)?;
    if stream.total_out() > before_out {
        return Err(ProtocolError::UnsupportedMessageLength);
    }
    Ok(Step {
        taken: (stream.total_in() - before_in) as usize,
        given: 0,
        is_full: false,
        ended,
    })
}

/// Whether the stream has ended.
fn check(
    stream: &Inflate,
    status: Result<Status, zlib_rs::InflateError>,
) -> Result<bool, ProtocolError> {
    match status {
        Ok(status) => Ok(status == Status::StreamEnd),
        Err(_) => Err(ProtocolError::InvalidCompressedData(
            match stream.error_message() {
                // The fast loop of zlib-rs loses its words, which are nearly always these.
                None | Some("repeated call with bad state") => "invalid distance too far back",
                Some(message) => message,
            },
        )),
    }
}

#[cfg(test)]
mod tests;
