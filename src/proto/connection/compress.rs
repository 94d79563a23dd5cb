//! What a connection does where permessage-deflate was negotiated (RFC 7692).

use bytes::Bytes;

use super::{Connection, SendPayload};
use crate::proto::deflate::{self, CompressJob, DeflateOptions, DeflateParams, Deflater, Inflater};
use crate::proto::frame::{MAX_HEADER_LEN, encode_header};
use crate::proto::mask::apply_mask;
use crate::proto::sender::NextFrame;

/// Compressed payloads from this length on are queued in the buffer that they were written to.
const COMPRESSED_SHARED_MIN: usize = 32 * 1024;

impl Connection {
    /// From now on messages may be compressed, both ways, as was agreed. To be called before
    /// anything was sent or received.
    pub fn enable_deflate(&mut self, params: &DeflateParams, options: &DeflateOptions) {
        let role = self.role();
        let inflater = Inflater::new(
            params.decoder_takeover(role),
            params.decoder_window_bits(role),
        );
        self.receiver.enable_deflate(inflater);
        let deflater = Deflater::new(params, role, options.threshold, options.compressor);
        self.sender.deflater = Some(Box::new(deflater));
    }

    /// See [`Receiver::set_inflate_slice`].
    pub fn set_inflate_slice(&mut self, slice: usize) {
        self.receiver.set_inflate_slice(slice);
    }

    /// Whether [`send_message`](Self::send_message) would compress `len` bytes now.
    pub fn will_compress(&self, compress: bool, len: usize) -> bool {
        !self.close_sent && self.sender.will_compress(compress, len)
    }

    /// Begins what [`send_message`](Self::send_message) does at once, for a payload that takes too
    /// long for that. `None`: it is not to be compressed, and nothing has happened.
    ///
    /// Until [`finish_compress`](Self::finish_compress) no message and no close frame may be sent.
    pub fn start_compress(
        &mut self,
        binary: bool,
        fin: bool,
        compress: bool,
        payload: Bytes,
    ) -> Option<CompressJob> {
        debug_assert!(!self.is_compressing(), "a job is to be finished first");
        if !self.will_compress(compress, payload.len()) {
            return None;
        }
        let frame = self.sender.next_frame(binary, fin, compress, payload.len());
        let deflater = self.sender.deflater.take()?;
        self.is_compressing = true;
        Some(CompressJob::new(deflater, payload, fin, frame))
    }

    /// Queues what was compressed, having done what is left of it. Returns as
    /// [`send_message`](Self::send_message) does.
    pub fn finish_compress(&mut self, job: CompressJob, mask: Option<[u8; 4]>) -> usize {
        debug_assert!(self.is_compressing(), "the job is another connection's");
        let (fin, frame) = (job.fin, job.frame);
        let (deflater, payload, out) = job.finish();
        let pointless = is_pointless(&deflater, frame, fin, &payload, &out);
        self.sender.deflater = Some(deflater);
        self.is_compressing = false;
        if self.close_sent {
            return 0;
        }
        if pointless {
            return self.send_frame(fin, false, frame.opcode, SendPayload::Shared(payload), mask);
        }
        self.queue_compressed(fin, frame, out, mask)
    }

    /// A job was started and has not been finished.
    pub fn is_compressing(&self) -> bool {
        self.is_compressing
    }

    /// Gives the memory of an idle compressor back. See [`Deflater::release`].
    pub fn release_compressor(&mut self) {
        if let Some(deflater) = &mut self.sender.deflater {
            deflater.release();
        }
    }

    /// The compressor that this connection holds for itself, if it holds one: bytes of memory.
    pub fn compressor_held(&self) -> usize {
        let held = self.sender.deflater.as_ref().filter(|d| d.is_holding());
        held.map_or(0, |deflater| deflater.compressor_len())
    }

    /// Queues a frame of `payload`, compressed.
    pub(super) fn send_compressed(
        &mut self,
        fin: bool,
        frame: NextFrame,
        payload: SendPayload<'_>,
        mask: Option<[u8; 4]>,
    ) -> usize {
        let Some(deflater) = &mut self.sender.deflater else {
            debug_assert!(false, "only what has a compressor is compressed");
            return self.send_frame(fin, false, frame.opcode, payload, mask);
        };
        let mut out = deflate::take_buffer();
        deflater.compress(payload.bytes(), fin, &mut out);
        if is_pointless(deflater, frame, fin, payload.bytes(), &out) {
            deflate::give_buffer(out);
            return self.send_frame(fin, false, frame.opcode, payload, mask);
        }
        self.queue_compressed(fin, frame, out, mask)
    }

    fn queue_compressed(
        &mut self,
        fin: bool,
        frame: NextFrame,
        mut out: Vec<u8>,
        mask: Option<[u8; 4]>,
    ) -> usize {
        if out.len() < COMPRESSED_SHARED_MIN {
            let payload = SendPayload::Copied(&out);
            let queued = self.send_frame(fin, frame.rsv1(), frame.opcode, payload, mask);
            deflate::give_buffer(out);
            return queued;
        }
        // The buffer is ours: it is masked where it is.
        if let Some(key) = mask {
            apply_mask(&mut out, key, 0);
        }
        out.shrink_to_fit();
        let mut header = [0; MAX_HEADER_LEN];
        let payload_len = out.len() as u64;
        let len = encode_header(
            &mut header,
            fin,
            frame.rsv1(),
            frame.opcode,
            payload_len,
            mask,
        );
        let queued = len + out.len();
        self.transmit.push_shared(&header[..len], out.into());
        queued
    }
}

/// The message, a single frame, is no shorter for being compressed, and goes out as it is. Under
/// context takeover it cannot: the peer has to see what the history consists of.
fn is_pointless(
    deflater: &Deflater,
    frame: NextFrame,
    fin: bool,
    payload: &[u8],
    compressed: &[u8],
) -> bool {
    fin && frame.rsv1() && !deflater.takeover() && compressed.len() >= payload.len()
}

#[cfg(test)]
mod tests;
