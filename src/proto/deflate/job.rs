//! The compression of a large message in slices.

use bytes::Bytes;
use zlib_rs::DeflateFlush;

use super::deflater::Deflater;
use crate::proto::sender::NextFrame;

/// A message, or a fragment of one, that is being compressed. It has the connection's compressor
/// for that time, and may be worked on in any thread.
#[derive(Debug)]
pub struct CompressJob {
    deflater: Box<Deflater>,
    input: Bytes,
    taken: usize,
    out: Vec<u8>,
    is_done: bool,
    pub(in crate::proto) fin: bool,
    pub(in crate::proto) frame: NextFrame,
}

impl CompressJob {
    pub(in crate::proto) fn new(
        deflater: Box<Deflater>,
        input: Bytes,
        fin: bool,
        frame: NextFrame,
    ) -> Self {
        Self {
            deflater,
            input,
            taken: 0,
            out: Vec::new(),
            is_done: false,
            fin,
            frame,
        }
    }

    /// Compresses `most` bytes more. True: all is done.
    pub fn step(&mut self, most: usize) -> bool {
        let rest = &self.input[self.taken..];
        let (part, after) = rest.split_at(most.max(1).min(rest.len()));
        if !after.is_empty() {
            self.deflater.compress_part(part, &mut self.out);
        } else if !self.is_done {
            self.deflater
                .run(part, DeflateFlush::SyncFlush, &mut self.out);
            if self.fin {
                self.deflater.end_message(0, &mut self.out);
            }
            self.is_done = true;
        }
        self.taken += part.len();
        self.is_done
    }

    /// The connection's compressor, the message, and what it compresses to.
    pub(in crate::proto) fn finish(mut self) -> (Box<Deflater>, Bytes, Vec<u8>) {
        while !self.step(usize::MAX) {}
        self.deflater.remember(&self.input);
        (self.deflater, self.input, self.out)
    }
}
