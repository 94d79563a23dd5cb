//! The opening handshake (RFC 6455 section 4), as bytes: requests and responses of HTTP/1.1.

pub mod client;
pub mod head;
pub mod server;
pub mod status;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

pub use head::{Head, HeadScan};

/// Most bytes of a request or response head, as in Node.
pub const MAX_HEAD_LEN: usize = 16 * 1024;

/// Most header fields of a head. More are refused, where Node ignores those over 2,000.
pub const MAX_HEADERS: usize = 1000;

/// Section 1.3: the string that only a WebSocket server appends to the key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The outcome of parsing what has arrived of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed<T> {
    Incomplete,
    /// `consumed` bytes belong to the head; what follows them is of the WebSocket protocol.
    Complete {
        value: T,
        consumed: usize,
    },
}

/// `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`: base64(SHA-1(key + GUID)) (section 4.2.2).
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut accept = [0; 28];
    let written = STANDARD.encode_slice(digest, &mut accept);
    debug_assert_eq!(written, Ok(28), "20 bytes are 28 characters");
    accept
}

#[cfg(test)]
mod tests;
