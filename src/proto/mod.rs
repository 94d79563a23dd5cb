//! The WebSocket protocol (RFC 6455) without I/O: bytes in, events out; commands in, bytes out.
//!
//! Nothing here knows a socket, a clock, a random generator or a runtime. A driver feeds
//! [`Connection`] with what it read, writes what [`Connection::transmit`] holds, and passes in the
//! time and the masking keys.

pub mod close;
pub mod connection;
pub mod deflate;
pub mod error;
pub mod extension;
pub mod frame;
pub mod handshake;
pub mod mask;
pub mod receiver;
pub mod sender;
pub mod subprotocol;
pub mod transmit;
pub mod utf8;

mod token;

#[cfg(test)]
pub(crate) mod testing;

pub use connection::{Connection, ConnectionConfig, SendPayload};
pub use error::{HeaderSyntaxError, ProtocolError};
pub use frame::{FrameHeader, Opcode};
pub use receiver::{Event, Payload, Receiver, ReceiverConfig};
pub use transmit::TransmitQueue;

/// Which end of the connection this is. A client masks what it sends, a server never does
/// (RFC 6455 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Client,
    Server,
}
