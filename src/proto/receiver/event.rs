//! What a receiver hands out.

use std::ops::Deref;

/// What arrived on the connection, unmasked and checked.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole message. Text is valid UTF-8 unless validation is off.
    Message {
        binary: bool,
        data: Payload<'a>,
        /// Of a message in several frames.
        fragments: Option<Box<Fragments>>,
    },
    Ping(Payload<'a>),
    Pong(Payload<'a>),
    /// A close frame; `code` is `None` if it was empty (the application sees 1005).
    Close {
        code: Option<u16>,
        reason: Payload<'a>,
    },
}

/// Where the fragments of a message end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fragments(Vec<u32>);

impl Fragments {
    /// The offsets at which they end, in order; an empty fragment has none.
    pub fn ends(&self) -> &[u32] {
        &self.0
    }

    /// A fragment ends at `offset`.
    pub(super) fn push(&mut self, offset: usize) {
        // beyond this there is no Buffer to cut
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        if self.0.last().copied().unwrap_or(0) < offset {
            self.0.push(offset);
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.0.capacity() * size_of::<u32>()
    }
}

/// Bytes that lie in the caller's input, or in a buffer that the receiver gathered them in.
#[derive(Debug)]
pub enum Payload<'a> {
    Borrowed(&'a mut [u8]),
    Owned(Vec<u8>),
}

impl Payload<'_> {
    /// The bytes as a vector; copies borrowed ones.
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Borrowed(bytes) => bytes.to_vec(),
            Self::Owned(bytes) => bytes,
        }
    }

    /// Without its first `n` bytes, or empty if there are fewer.
    pub(super) fn skip(self, n: usize) -> Self {
        match self {
            Self::Borrowed(bytes) => {
                let n = n.min(bytes.len());
                Self::Borrowed(&mut bytes[n..])
            }
            Self::Owned(mut bytes) => {
                bytes.drain(..n.min(bytes.len()));
                Self::Owned(bytes)
            }
        }
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Payloads are equal if their bytes are, wherever they lie.
impl PartialEq for Payload<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload<'_> {}
