//! Frames to send, precomputed and masked, and what their echoes must look like (RFC 6455
//! section 5.2).

use std::ops::Range;
use std::rc::Rc;

use crate::random::Random;

pub const OPCODE_TEXT: u8 = 0x1;
pub const OPCODE_BINARY: u8 = 0x2;
pub const OPCODE_CLOSE: u8 = 0x8;

/// The three reserved bits of a header with RSV1 alone: a compressed message (RFC 7692 section 6).
pub const RSV1: u8 = 0x4;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
const POOL_SLACK: usize = 4096;

/// What is sent: kind and size of every message.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Shape {
    pub size: usize,
    pub text: bool,
}

impl Shape {
    pub fn opcode(self) -> u8 {
        if self.text {
            OPCODE_TEXT
        } else {
            OPCODE_BINARY
        }
    }

    /// Bytes at the start of each payload that identify the message.
    pub fn stamp_len(self) -> usize {
        let full = if self.text { 16 } else { 8 };
        self.size.min(full)
    }
}

/// The identity of a message: its number on its connection and the connection, each as a
/// little-endian u32, in hex digits if the message is text.
pub struct Stamp {
    bytes: [u8; 16],
    len: usize,
}

impl Stamp {
    pub fn new(shape: Shape, connection: u32, sequence: u32) -> Self {
        let mut raw = [0; 8];
        raw[..4].copy_from_slice(&sequence.to_le_bytes());
        raw[4..].copy_from_slice(&connection.to_le_bytes());
        let mut bytes = [0; 16];
        if shape.text {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            for (pair, byte) in bytes.chunks_exact_mut(2).zip(raw) {
                pair[0] = HEX[usize::from(byte >> 4)];
                pair[1] = HEX[usize::from(byte & 0xf)];
            }
        } else {
            bytes[..8].copy_from_slice(&raw);
        }
        Self {
            bytes,
            len: shape.stamp_len(),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The unmasked bytes that all payloads are cut from, at different offsets.
pub struct Pool {
    bytes: Vec<u8>,
    size: usize,
}

impl Pool {
    pub fn new(shape: Shape) -> Rc<Self> {
        let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
        let mut bytes = Vec::with_capacity(shape.size + POOL_SLACK);
        while bytes.len() < shape.size + POOL_SLACK {
            bytes.extend_from_slice(&random.next().to_le_bytes());
        }
        if shape.text {
            // Printable ASCII may be cut anywhere and stays UTF-8.
            bytes.iter_mut().for_each(|byte| *byte = b' ' + *byte % 95);
        }
        Rc::new(Self {
            bytes,
            size: shape.size,
        })
    }

    /// The payload of the `slot`-th frame of each burst of a connection, before it is stamped.
    pub fn payload(&self, connection: u32, slot: usize) -> &[u8] {
        let offset = (connection as usize * 31 + slot * 7) % POOL_SLACK;
        &self.bytes[offset..offset + self.size]
    }
}

/// The frames of one burst in one buffer. Only the stamps change from burst to burst.
pub struct Burst {
    shape: Shape,
    connection: u32,
    masks: Vec<[u8; 4]>,
    header_len: usize,
    bytes: Vec<u8>,
}

impl Burst {
    pub fn new(shape: Shape, pool: &Pool, connection: u32, frames: usize) -> Self {
        let mut random = Random::new(0xd1b5_4a32_d192_ed03 ^ u64::from(connection));
        let mut bytes = Vec::new();
        let mut masks = Vec::with_capacity(frames);
        for slot in 0..frames {
            let mask = (random.next() as u32).to_le_bytes();
            push_frame(
                &mut bytes,
                shape.opcode(),
                pool.payload(connection, slot),
                mask,
            );
            masks.push(mask);
        }
        let header_len = header_len(shape.size);
        Self {
            shape,
            connection,
            masks,
            header_len,
            bytes,
        }
    }

    /// Numbers the frames from `sequence` on.
    pub fn stamp(&mut self, sequence: u32) {
        let frame_len = self.header_len + self.shape.size;
        for (slot, mask) in self.masks.iter().enumerate() {
            let number = sequence.wrapping_add(slot as u32);
            let stamp = Stamp::new(self.shape, self.connection, number);
            let at = slot * frame_len + self.header_len;
            let target = &mut self.bytes[at..at + stamp.as_bytes().len()];
            for (index, (out, byte)) in target.iter_mut().zip(stamp.as_bytes()).enumerate() {
                *out = byte ^ mask[index % 4];
            }
        }
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn slice(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }
}

/// Appends one masked frame with FIN set.
pub fn push_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: [u8; 4]) {
    push_frame_with(out, 0, opcode, payload, mask);
}

/// The same with reserved bits.
pub fn push_frame_with(out: &mut Vec<u8>, reserved: u8, opcode: u8, payload: &[u8], mask: [u8; 4]) {
    out.push(FIN | reserved << 4 | opcode);
    match payload.len() {
        len @ 0..=125 => out.push(MASKED | len as u8),
        len @ 126..=0xffff => {
            out.push(MASKED | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(MASKED | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
}

fn header_len(size: usize) -> usize {
    let extended = match size {
        0..=125 => 0,
        126..=0xffff => 2,
        _ => 8,
    };
    2 + extended + 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamped_frame_unmasks_to_stamp_and_pool() {
        for (size, text) in [(3, false), (125, true), (126, false), (65_536, true)] {
            let shape = Shape { size, text };
            let pool = Pool::new(shape);
            let mut burst = Burst::new(shape, &pool, 9, 2);
            burst.stamp(77);
            let at = burst.len() / 2;
            let frame = burst.slice(at..burst.len());
            let header = header_len(size);
            let mask: [u8; 4] = frame[header - 4..header].try_into().unwrap();
            let payload: Vec<u8> = frame[header..]
                .iter()
                .zip(mask.iter().cycle())
                .map(|(b, m)| b ^ m)
                .collect();
            let stamp = Stamp::new(shape, 9, 78);
            let (head, body) = payload.split_at(shape.stamp_len());
            assert_eq!(head, stamp.as_bytes());
            assert_eq!(body, &pool.payload(9, 1)[shape.stamp_len()..]);
            assert!(!text || payload.is_ascii());
        }
    }
}
