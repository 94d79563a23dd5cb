//! The frame header (RFC 6455 section 5.2).

use super::Role;
use super::error::ProtocolError;

/// The longest header: 2 bytes, a 64-bit length, a masking key.
pub const MAX_HEADER_LEN: usize = 14;

/// The longest payload of a control frame (section 5.5).
pub const MAX_CONTROL_PAYLOAD_LEN: usize = 125;

/// The largest length that a JavaScript number counts exactly: 2^53 - 1.
pub const MAX_PAYLOAD_LEN: u64 = (1 << 53) - 1;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2: u8 = 0x20;
const RSV3: u8 = 0x10;
const MASK: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

impl Opcode {
    /// `None` for the reserved opcodes.
    pub fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    /// Close, ping, pong (section 5.5).
    pub fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    pub fin: bool,
    pub rsv1: bool,
    pub rsv2: bool,
    pub rsv3: bool,
    pub opcode: Opcode,
    /// The masking key; `None` on an unmasked frame.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload that follow the header.
    pub payload_len: u64,
}

/// What decides whether a header is legal where it stands.
#[derive(Clone, Copy, Debug)]
pub struct HeaderRules {
    /// The role of the end that reads.
    pub role: Role,
    /// A fragmented message has begun and has not ended.
    pub fragmented: bool,
    /// An extension that gives RSV1 a meaning was negotiated.
    pub rsv1_allowed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderParse {
    /// More bytes are needed. The opcode and the length are there as soon as their bytes are, which
    /// is before the masking key: limits need not wait for it.
    Incomplete { known: Option<(Opcode, u64)> },
    /// The header and how many bytes it took.
    Complete { header: FrameHeader, len: usize },
}

/// Parses the header at the start of `input`. Every violation is reported as soon as the bytes that
/// show it are there, in the order in which ws looks for them.
///
/// A length in a longer form than needed is accepted: section 5.2 demands the minimal one of the
/// sender, and ws, which sets the contract, does not check it.
pub fn parse_header(input: &[u8], rules: HeaderRules) -> Result<HeaderParse, ProtocolError> {
    let &[first, second, ref rest @ ..] = input else {
        return Ok(HeaderParse::Incomplete { known: None });
    };
    let opcode = check_start(first, second, rules)?;

    let (payload_len, length_len) = match second & 0x7f {
        126 => match rest.first_chunk() {
            Some(&bytes) => (u64::from(u16::from_be_bytes(bytes)), 2),
            None => return Ok(HeaderParse::Incomplete { known: None }),
        },
        127 => match rest.first_chunk() {
            Some(&bytes) => (u64::from_be_bytes(bytes), 8),
            None => return Ok(HeaderParse::Incomplete { known: None }),
        },
        short => (u64::from(short), 0),
    };
    // Also refuses a set most significant bit, which section 5.2 forbids.
    if payload_len > MAX_PAYLOAD_LEN {
        return Err(ProtocolError::UnsupportedDataPayloadLength);
    }

    let mut len = 2 + length_len;
    let mask = if second & MASK == 0 {
        None
    } else {
        match rest[length_len..].first_chunk() {
            Some(&key) => {
                len += 4;
                Some(key)
            }
            None => {
                return Ok(HeaderParse::Incomplete {
                    known: Some((opcode, payload_len)),
                });
            }
        }
    };
    let header = FrameHeader {
        fin: first & FIN != 0,
        rsv1: first & RSV1 != 0,
        rsv2: first & RSV2 != 0,
        rsv3: first & RSV3 != 0,
        opcode,
        mask,
        payload_len,
    };
    Ok(HeaderParse::Complete { header, len })
}

/// Writes a header with the length in its minimal form to the start of `out`; returns its length in
/// bytes, 2 to 14.
pub fn encode_header(
    out: &mut [u8; MAX_HEADER_LEN],
    fin: bool,
    rsv1: bool,
    opcode: Opcode,
    payload_len: u64,
    mask: Option<[u8; 4]>,
) -> usize {
    let mask_bit = if mask.is_some() { MASK } else { 0 };
    out[0] = (if fin { FIN } else { 0 }) | (if rsv1 { RSV1 } else { 0 }) | opcode as u8;
    let mut len = 2;
    match payload_len {
        0..=125 => out[1] = mask_bit | payload_len as u8,
        126..=0xffff => {
            out[1] = mask_bit | 126;
            out[2..4].copy_from_slice(&(payload_len as u16).to_be_bytes());
            len = 4;
        }
        _ => {
            out[1] = mask_bit | 127;
            out[2..10].copy_from_slice(&payload_len.to_be_bytes());
            len = 10;
        }
    }
    if let Some(key) = mask {
        out[len..len + 4].copy_from_slice(&key);
        len += 4;
    }
    len
}

/// The checks that need the first two bytes only.
fn check_start(first: u8, second: u8, rules: HeaderRules) -> Result<Opcode, ProtocolError> {
    // 5.2: "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values."
    if first & (RSV2 | RSV3) != 0 {
        return Err(ProtocolError::UnexpectedRsv23);
    }
    let rsv1 = first & RSV1 != 0;
    if rsv1 && !rules.rsv1_allowed {
        return Err(ProtocolError::UnexpectedRsv1);
    }
    let bits = first & 0x0f;
    let Some(opcode) = Opcode::from_bits(bits) else {
        return Err(ProtocolError::InvalidOpcode(bits));
    };
    match opcode {
        Opcode::Continuation => {
            // RFC 7692 6.1: RSV1 is set on the first fragment only.
            if rsv1 {
                return Err(ProtocolError::UnexpectedRsv1);
            }
            // 5.4: a continuation needs a message that it continues.
            if !rules.fragmented {
                return Err(ProtocolError::InvalidOpcode(bits));
            }
        }
        Opcode::Text | Opcode::Binary => {
            // 5.4: "The fragments of one message MUST NOT be interleaved between the fragments of
            // another message"
            if rules.fragmented {
                return Err(ProtocolError::InvalidOpcode(bits));
            }
        }
        Opcode::Close | Opcode::Ping | Opcode::Pong => {
            // 5.5: "All control frames MUST have a payload length of 125 bytes or less and MUST NOT
            // be fragmented."
            if first & FIN == 0 {
                return Err(ProtocolError::ExpectedFin);
            }
            if rsv1 {
                return Err(ProtocolError::UnexpectedRsv1);
            }
            let length = second & 0x7f;
            // 5.5.1: a close payload starts with a status code of two bytes.
            if length > 125 || (opcode == Opcode::Close && length == 1) {
                return Err(ProtocolError::InvalidControlPayloadLength(u64::from(
                    length,
                )));
            }
        }
    }
    // 5.1: "a client MUST mask all frames that it sends to the server [...] A server MUST NOT mask
    // any frames that it sends to the client."
    match (rules.role, second & MASK != 0) {
        (Role::Server, false) => Err(ProtocolError::ExpectedMask),
        (Role::Client, true) => Err(ProtocolError::UnexpectedMask),
        _ => Ok(opcode),
    }
}

#[cfg(test)]
mod tests;
