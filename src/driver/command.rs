//! What JavaScript asks of an I/O thread.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::adopt::Adoption;
use super::deflate::Deflate;
use super::dial::OpeningRequest;
use super::listener::Listener;
use crate::transport::Endpoint;
use crate::transport::tls::ServerName;
use crate::transport::tls::context::{ClientContext, ServerContext};

/// One request. Small payloads are a range of the batch's `data`.
pub enum Command {
    Send {
        conn: u32,
        flags: SendFlags,
        range: Range,
        key: u32,
    },
    SendShared {
        conn: u32,
        flags: SendFlags,
        bytes: Box<Bytes>,
        key: u32,
    },
    Ping {
        conn: u32,
        flags: SendFlags,
        range: Range,
        key: u32,
    },
    Pong {
        conn: u32,
        flags: SendFlags,
        range: Range,
        key: u32,
    },
    /// `code` 0: a close frame without a body.
    Close {
        conn: u32,
        code: u16,
        range: Range,
        key: u32,
        flags: SendFlags,
    },
    /// Writes what a send from the JavaScript thread could not.
    Flush {
        conn: u32,
    },
    Pause {
        conn: u32,
        on: bool,
    },
    Terminate {
        conn: u32,
    },
    /// JavaScript has seen the last event of the connection: its id is free.
    Release {
        conn: u32,
    },
    /// Answers an upgrade request with a complete response head (and body).
    Respond {
        conn: u32,
        range: Range,
        upgrade: bool,
    },
    /// Answers which context is for a host name; none: the default.
    UseContext {
        conn: u32,
        context: Option<Arc<ServerContext>>,
    },
    /// Bytes to a connection in raw mode, outside of any frame.
    Raw {
        conn: u32,
        range: Range,
        flags: SendFlags,
    },
    /// Ends our half after what is queued.
    End {
        conn: u32,
    },
    /// Takes over a connection that is upgraded, or is by the response that goes first.
    Adopt {
        conn: u32,
        adoption: Box<Adoption>,
    },
    /// Bytes that a relayed stream has received.
    Feed {
        conn: u32,
        range: Range,
    },
    /// A relayed stream will receive nothing more, or is gone.
    FeedEnd {
        conn: u32,
        gone: bool,
    },
    /// A relayed stream has written so many bytes more.
    Confirm {
        conn: u32,
        bytes: u32,
    },
    /// A relayed stream has ended its half.
    Ended {
        conn: u32,
    },
    Configure {
        conn: u32,
        setting: Setting,
    },
    Connect {
        conn: u32,
        dial: Box<Dial>,
    },
    Listen {
        listener: Arc<Listener>,
    },
    CloseListener {
        listener: u32,
    },
}

/// A range of [`CommandBatch::data`].
#[derive(Clone, Copy, Default)]
pub struct Range {
    pub start: u32,
    pub len: u32,
}

impl Range {
    pub fn of(self, data: &[u8]) -> &[u8] {
        &data[self.start as usize..][..self.len as usize]
    }
}

/// Bits of a send; lib/constants.js has the same numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct SendFlags(pub u32);

impl SendFlags {
    pub const BINARY: u32 = 1;
    pub const FIN: u32 = 2;
    /// Report when it has been handed to the operating system.
    pub const ACK: u32 = 4;
    /// Mask the frame.
    pub const MASK: u32 = 8;
    /// The masking key is the command's `key`, not a random one.
    pub const KEY: u32 = 16;
    /// An automatic pong: it counts against the limit.
    pub const AUTO: u32 = 32;
    /// Compress the message, if that was agreed on and is worth it.
    pub const COMPRESS: u32 = 64;

    pub fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }
}

/// What may be changed while a connection is open: a `setsockopt` in words, or a limit.
#[derive(Clone, Copy, Debug)]
pub enum Setting {
    /// For what is received from now on.
    Limits {
        max_payload: u64,
        skip_utf8_validation: bool,
    },
    /// JavaScript is to see the bytes as they are read, too.
    Tap,
    /// JavaScript answers all pings.
    AnswersPings,
    NoDelay(bool),
    KeepAlive {
        on: bool,
        idle: Duration,
    },
}

/// Limits and manners of a WebSocket connection.
#[derive(Clone, Debug)]
pub struct ConnectionOptions {
    pub max_payload: u64,
    pub max_frame_size: u64,
    pub max_fragments: u32,
    pub skip_utf8_validation: bool,
    pub auto_pong: AutoPong,
    pub max_pending_pongs: u32,
    pub close_timeout: Duration,
    /// permessage-deflate may be agreed on.
    pub deflate: Option<Arc<Deflate>>,
}

/// Who answers pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoPong {
    Off,
    /// The I/O thread, unless messages before the ping are still on their way to JavaScript: then
    /// JavaScript, so that the pong keeps its place between the replies.
    InOrder,
    /// JavaScript, which delays its events.
    Deferred,
}

/// A client's connection to be.
pub struct Dial {
    /// Tried in order; each but the last gets `attempt_timeout`.
    pub endpoints: Vec<Endpoint>,
    pub attempt_timeout: Duration,
    /// Where to connect from; any address, and port 0, leave it to the system.
    pub local_address: Option<std::net::IpAddr>,
    pub local_port: u16,
    /// With TLS, and the name that the server has to prove.
    pub tls: Option<(Arc<ClientContext>, ServerName<'static>)>,
    pub request: OpeningRequest,
    pub options: ConnectionOptions,
}

/// The commands of one environment to one I/O thread, in order, with their small payloads.
#[derive(Default)]
pub struct CommandBatch {
    pub commands: Vec<Command>,
    pub data: Vec<u8>,
}

/// Memory kept by a recycled command batch.
const KEEP_DATA: usize = 512 * 1024;

impl CommandBatch {
    /// Appends a payload.
    pub fn append(&mut self, bytes: &[u8]) -> Range {
        let start = self.data.len() as u32;
        self.data.extend_from_slice(bytes);
        Range {
            start,
            len: bytes.len() as u32,
        }
    }

    pub fn clear(&mut self) {
        self.commands.clear();
        self.data.clear();
        self.data.shrink_to(KEEP_DATA);
    }
}
