//! permessage-deflate (RFC 7692): what both ends agree on, and the codec.
//!
//! Between two messages a connection holds as little as the agreement allows. The inflating side
//! holds its [`history`], the last bytes that it put out, and borrows an inflater from the thread
//! for each message: what an inflater knows beyond its window is nothing once a message has ended.
//! The deflating side borrows a compressor for each message too. Where context takeover was agreed
//! on it holds its history as well, and the compressor until that is
//! [released](Deflater::release).

mod deflater;
mod history;
mod inflater;
mod job;
mod params;
mod pool;

pub use deflater::{CompressorOptions, Deflater, Strategy};
pub use inflater::Inflater;
pub use job::CompressJob;
pub use params::{
    Accepted, DeflateOptions, DeflateParams, EXTENSION_NAME, MaxWindowBits, NegotiationError,
    accept_offer, accept_response, agreed, offer,
};
pub(super) use pool::{give_buffer, take_buffer};

/// What ends a flushed deflate stream: the body of an empty stored block. The sender strips it off
/// a message, the receiver puts it back (RFC 7692 sections 7.2.1 and 7.2.2).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The window that a peer may use of whom nothing else was agreed: 32 KiB.
const MAX_WINDOW_BITS: u8 = 15;

/// The smallest window that a compressor here works with. zlib's cannot be told 8, and zlib-rs
/// panics at it.
const MIN_ENCODER_WINDOW_BITS: u8 = 9;
