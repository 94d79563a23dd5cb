//! Which frames an outgoing message becomes (RFC 6455 section 5.4, RFC 7692 section 6).

use super::deflate::Deflater;
use super::frame::Opcode;

/// The sending half's state.
#[derive(Debug, Default)]
pub struct Sender {
    /// A message has begun and its last fragment has not been sent.
    fragmented: bool,
    /// That message is compressed.
    compressed: bool,
    /// permessage-deflate was negotiated. Away while a large message is being compressed.
    pub(super) deflater: Option<Box<Deflater>>,
}

/// How the next frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextFrame {
    pub opcode: Opcode,
    /// Its payload is compressed. RSV1 says so on the first frame of the message only.
    pub compressed: bool,
}

impl Sender {
    /// The next data frame. `binary` and `compress` count on the first frame of a message only:
    /// the others continue it.
    pub fn next_frame(&mut self, binary: bool, fin: bool, compress: bool, len: usize) -> NextFrame {
        let opcode = match (self.fragmented, binary) {
            (true, _) => Opcode::Continuation,
            (false, true) => Opcode::Binary,
            (false, false) => Opcode::Text,
        };
        let compressed = self.will_compress(compress, len);
        self.compressed = compressed;
        self.fragmented = !fin;
        NextFrame { opcode, compressed }
    }

    /// Whether the next data frame, of `len` bytes, is going to be compressed.
    pub fn will_compress(&self, compress: bool, len: usize) -> bool {
        if self.fragmented {
            return self.compressed;
        }
        let deflater = self.deflater.as_ref().filter(|_| compress);
        deflater.is_some_and(|deflater| deflater.wants(len))
    }

    /// A message has begun and its last fragment has not been sent.
    pub fn is_fragmented(&self) -> bool {
        self.fragmented
    }
}

impl NextFrame {
    pub fn rsv1(self) -> bool {
        self.compressed && self.opcode != Opcode::Continuation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Role;
    use crate::proto::deflate::{CompressorOptions, DeflateParams};

    #[test]
    fn only_the_first_frame_names_the_type() {
        let mut sender = Sender::default();
        let mut next = |binary, fin| sender.next_frame(binary, fin, true, 0).opcode;
        assert_eq!(next(true, true), Opcode::Binary);
        assert_eq!(next(false, false), Opcode::Text);
        assert_eq!(next(true, false), Opcode::Continuation);
        assert_eq!(next(true, true), Opcode::Continuation);
        assert_eq!(next(false, true), Opcode::Text);
        assert!(!sender.is_fragmented());
    }

    #[test]
    fn the_first_frame_decides_whether_a_message_is_compressed() {
        let sender = |takeover: bool| {
            let params = DeflateParams {
                server_no_context_takeover: !takeover,
                ..DeflateParams::default()
            };
            let options = CompressorOptions::default();
            Sender {
                deflater: Some(Deflater::new(&params, Role::Server, 100, options).into()),
                ..Sender::default()
            }
        };
        let mut without = sender(false);
        let mut next = |fin, compress, len| {
            let frame = without.next_frame(true, fin, compress, len);
            (frame.compressed, frame.rsv1())
        };
        assert_eq!(next(true, true, 99), (false, false), "below the threshold");
        assert_eq!(next(true, true, 100), (true, true));
        assert_eq!(next(true, false, 100), (false, false), "not asked for");
        assert_eq!(next(false, true, 100), (true, true));
        assert_eq!(next(false, false, 1), (true, false));
        assert_eq!(next(true, true, 0), (true, false));
        assert_eq!(next(false, true, 99), (false, false));
        assert_eq!(next(true, true, 100), (false, false));

        let with = sender(true);
        assert!(with.will_compress(true, 0), "no threshold under takeover");
        assert!(!with.will_compress(false, 1000));
        assert!(!Sender::default().will_compress(true, 1000));
    }
}
