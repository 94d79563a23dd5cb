//! What the tests of several modules share.

use super::frame::{MAX_HEADER_LEN, encode_header};
use super::receiver::{Event, Receiver, ReceiverConfig};
use super::{Opcode, ProtocolError, Role, mask::apply_mask};

pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A generator of repeatable numbers (xorshift).
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// An event that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, Vec<u8>),
    Error(ProtocolError),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Message {
                binary: false,
                data,
                ..
            } => Self::Text(data.into_vec()),
            Event::Message {
                binary: true, data, ..
            } => Self::Binary(data.into_vec()),
            Event::Ping(data) => Self::Ping(data.into_vec()),
            Event::Pong(data) => Self::Pong(data.into_vec()),
            Event::Close { code, reason } => Self::Close(code, reason.into_vec()),
        }
    }
}

pub fn text(text: &str) -> Seen {
    Seen::Text(text.as_bytes().to_vec())
}

/// Limits off.
pub fn config(role: Role) -> ReceiverConfig {
    ReceiverConfig {
        role,
        max_payload: 0,
        max_frame_size: 0,
        max_fragments: 0,
        skip_utf8_validation: false,
    }
}

/// A frame as a client sends it.
pub fn masked(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    frame(fin, opcode, payload, Some(KEY))
}

/// A frame as a server sends it.
pub fn unmasked(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    frame(fin, opcode, payload, None)
}

/// A frame with the given masking key.
pub fn frame(fin: bool, opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut header = [0; MAX_HEADER_LEN];
    let len = encode_header(&mut header, fin, false, opcode, payload.len() as u64, mask);
    let mut bytes = header[..len].to_vec();
    bytes.extend_from_slice(payload);
    if let Some(key) = mask {
        apply_mask(&mut bytes[len..], key, 0);
    }
    bytes
}

/// Feeds one piece; adds what comes out of it to `seen`.
pub fn feed(receiver: &mut Receiver, piece: &[u8], seen: &mut Vec<Seen>) {
    let mut piece = piece.to_vec();
    let mut input = &mut piece[..];
    loop {
        match receiver.receive(&mut input) {
            Ok(Some(event)) => seen.push(event.into()),
            Ok(None) => break,
            Err(error) => seen.push(Seen::Error(error)),
        }
    }
    assert!(input.is_empty(), "all input is consumed");
}

/// What a new receiver makes of `bytes`, delivered in pieces of the lengths that `piece_len` gives.
pub fn receive_in_pieces(
    config: &ReceiverConfig,
    bytes: &[u8],
    mut piece_len: impl FnMut() -> usize,
) -> Vec<Seen> {
    let mut receiver = Receiver::new(config.clone());
    let mut seen = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(piece_len().clamp(1, rest.len()));
        feed(&mut receiver, piece, &mut seen);
        rest = after;
    }
    seen
}

pub fn receive_whole(config: &ReceiverConfig, bytes: &[u8]) -> Vec<Seen> {
    receive_in_pieces(config, bytes, || usize::MAX)
}

/// As [`receive_in_pieces`], but into the room for payload wherever the receiver offers it.
pub fn receive_through_room(
    config: &ReceiverConfig,
    bytes: &[u8],
    mut piece_len: impl FnMut() -> usize,
) -> Vec<Seen> {
    let mut receiver = Receiver::new(config.clone());
    let mut seen = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut len = piece_len().clamp(1, rest.len());
        let Some(room) = receiver.payload_room() else {
            let (piece, after) = rest.split_at(len);
            feed(&mut receiver, piece, &mut seen);
            rest = after;
            continue;
        };
        assert!(!room.is_empty());
        len = len.min(room.len());
        let (piece, after) = rest.split_at(len);
        for (slot, &byte) in room.iter_mut().zip(piece) {
            slot.write(byte);
        }
        // SAFETY: `len` bytes of the room were just written.
        match unsafe { receiver.payload_received(len) } {
            Ok(Some(event)) => seen.push(event.into()),
            Ok(None) => {}
            Err(error) => seen.push(Seen::Error(error)),
        }
        rest = after;
    }
    seen
}

/// A frame with RSV1 set.
pub fn compressed(fin: bool, opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = frame(fin, opcode, payload, mask);
    bytes[0] |= 0x40;
    bytes
}

/// Bytes that compress about as JSON does, never the same twice.
pub fn json(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut text = String::new();
    while text.len() < len {
        let (id, score) = (rng.below(10_000), rng.next() % 1_000_000);
        text.push_str(&format!(
            "{{\"id\":{id},\"name\":\"user {id}\",\"score\":{score}}},"
        ));
    }
    text.truncate(len);
    text.into_bytes()
}

/// Bytes that do not compress.
pub fn noise(rng: &mut Rng, len: usize) -> Vec<u8> {
    (0..len).map(|_| rng.next() as u8).collect()
}
