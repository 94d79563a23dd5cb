//! Compression of messages (RFC 7692 section 7.2.1).

use std::fmt;

pub use zlib_rs::Strategy;
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use super::history::History;
use super::{DeflateParams, TAIL, pool};
use crate::proto::Role;

/// Room for output that a call of the compressor gets at least. zlib asks for more than 6 bytes, so
/// that a flush marker is not written twice.
const MIN_ROOM: usize = 64;

/// How much of the history a compressor is given that did not see it: twice the message, which is
/// what it costs to read it in, and no less than this.
const PRIMED_MIN: usize = 16 * 1024;

/// zlib's knobs, those of its window apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressorOptions {
    /// 0 (stored) to 9, or -1 for zlib's default, which is 6.
    pub level: i8,
    /// 1 to 9.
    pub mem_level: u8,
    pub strategy: Strategy,
}

impl Default for CompressorOptions {
    /// Those of zlib and of Node.
    fn default() -> Self {
        Self {
            level: -1,
            mem_level: 8,
            strategy: Strategy::Default,
        }
    }
}

/// The sending half's state. It has a compressor within a message and, under context takeover, from
/// then on until it is [released](Self::release).
pub struct Deflater {
    config: DeflateConfig,
    /// What went out last, under context takeover.
    history: Option<History>,
    threshold: usize,
    stream: Option<Box<Deflate>>,
    /// `stream` has put out all that it was given.
    is_flushed: bool,
}

impl Deflater {
    /// `threshold`: least bytes of a message to be compressed, which counts without context
    /// takeover only. Options out of their range are taken for the nearest in it.
    pub fn new(
        params: &DeflateParams,
        role: Role,
        threshold: usize,
        options: CompressorOptions,
    ) -> Self {
        let config = DeflateConfig {
            level: match options.level.clamp(-1, 9) {
                // The 1 of zlib-rs is another algorithm than zlib's, a third larger; its 2 is as
                // zlib's 1.
                1 => 2,
                level => i32::from(level),
            },
            // Negative: without zlib's header.
            window_bits: -i32::from(params.encoder_window_bits(role)),
            mem_level: i32::from(options.mem_level.clamp(1, 9)),
            strategy: options.strategy,
            ..DeflateConfig::default()
        };
        Self {
            config,
            history: params
                .encoder_takeover(role)
                .then(|| History::new(1 << params.encoder_window_bits(role))),
            threshold,
            stream: None,
            is_flushed: true,
        }
    }

    /// Whether a message whose first fragment is this long is compressed, if it may be: as in ws,
    /// for a history of its own every message is worth it.
    pub fn wants(&self, len: usize) -> bool {
        self.takeover() || len >= self.threshold
    }

    pub fn takeover(&self) -> bool {
        self.history.is_some()
    }

    /// Adds a message, or with `fin` false a fragment of one, to `out`, compressed and flushed.
    pub fn compress(&mut self, input: &[u8], fin: bool, out: &mut Vec<u8>) {
        let start = out.len();
        out.reserve(input.len() / 4 + MIN_ROOM);
        self.run(input, DeflateFlush::SyncFlush, out);
        self.remember(input);
        if fin {
            self.end_message(start, out);
        }
    }

    /// Messages to come may refer to `input`, which was compressed.
    pub(super) fn remember(&mut self, input: &[u8]) {
        if let Some(history) = &mut self.history {
            history.push(input);
        }
    }

    /// Adds what there is of the compressed `input` to `out`: the message goes on.
    pub(super) fn compress_part(&mut self, input: &[u8], out: &mut Vec<u8>) {
        self.run(input, DeflateFlush::NoFlush, out);
    }

    /// Gives the compressor back. What is compressed next gets another, which is told the end of the
    /// history. Between frames only.
    pub fn release(&mut self) {
        let stream = self.stream.take();
        // One that was given up within a message is not lent again: not all of it is reset.
        if let Some(stream) = stream.filter(|_| self.is_flushed) {
            pool::give_compressor(self.config, stream);
        }
        self.is_flushed = true;
    }

    /// Whether there is a compressor to [`release`](Self::release).
    pub fn is_holding(&self) -> bool {
        self.stream.is_some()
    }

    /// Bytes of memory held from message to message, a compressor apart.
    pub fn held(&self) -> usize {
        self.history.as_ref().map_or(0, History::capacity)
    }

    /// Bytes of memory that a compressor of these parameters takes.
    pub fn compressor_len(&self) -> usize {
        let window = 1_usize << -self.config.window_bits;
        let literals = 1_usize << (self.config.mem_level + 6);
        // In zlib-rs: the window twice, the chains of positions and their heads, the pending output
        // (4 bytes a literal), the symbols (3), and its state.
        2 * window + 2 * window + 2 * 65_536 + 7 * literals + 8 * 1024
    }

    pub(super) fn run(&mut self, input: &[u8], flush: DeflateFlush, out: &mut Vec<u8>) {
        let (config, history) = (self.config, self.history.as_ref());
        let stream = self
            .stream
            .get_or_insert_with(|| begin(config, history, input.len()));
        self.is_flushed = flush != DeflateFlush::NoFlush;
        let mut taken = 0;
        loop {
            if out.capacity() - out.len() < MIN_ROOM {
                out.reserve(out.capacity().max(MIN_ROOM));
            }
            let (before_in, before_out) = (stream.total_in(), stream.total_out());
            let room = out.spare_capacity_mut();
            let room_len = room.len();
            // An error would be a stream out of order or parameters out of range, neither of which
            // can be said from here.
            let result = stream.compress_uninit(&input[taken..], room, flush);
            debug_assert!(result.is_ok(), "{result:?}");
            taken += (stream.total_in() - before_in) as usize;
            let given = (stream.total_out() - before_out) as usize;
            assert!(given <= room_len, "more output than room");
            let len = out.len() + given;
            // SAFETY: within the capacity, as just checked; the compressor has written what it
            // counts.
            unsafe { out.set_len(len) };
            // A flush is complete when it leaves room.
            if (taken == input.len() && given < room_len) || result.is_err() {
                return;
            }
        }
    }

    /// Ends the message whose compressed form begins at `start` of `out`.
    pub(super) fn end_message(&mut self, start: usize, out: &mut Vec<u8>) {
        if out[start..].ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        } else {
            // Nothing was left to flush behind the last fragment: 7.2.3.6, an empty stored block.
            debug_assert_eq!(out.len(), start);
            out.push(0x00);
        }
        if !self.takeover() {
            self.release();
        }
    }
}

/// A compressor that knows the end of the history: for a message of `len` bytes that is to come.
fn begin(config: DeflateConfig, history: Option<&History>, len: usize) -> Box<Deflate> {
    let mut stream = pool::take_compressor(config);
    let most = len.saturating_mul(2).max(PRIMED_MIN);
    for part in history.map_or([&[][..]; 2], |history| history.last(most)) {
        if !part.is_empty() {
            // Refused only by a compressor that writes zlib's header.
            let _ = stream.set_dictionary(part);
        }
    }
    stream
}

impl Drop for Deflater {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater")
            .field("config", &self.config)
            .field("takeover", &self.takeover())
            .field("threshold", &self.threshold)
            .field("holding", &self.is_holding())
            .finish()
    }
}

#[cfg(test)]
mod tests;
