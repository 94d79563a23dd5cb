//! The rare events, which carry more than two words.

use std::io;

use crate::proto::error::ProtocolError;
use crate::proto::handshake::client::{Accepted, HandshakeError, Response};
use crate::proto::handshake::server::{Refusal, Request, Upgrade};
use crate::transport::tls::info::TlsInfo;
use crate::transport::{Endpoint, PeerInfo};

/// See the module documentation. Each belongs to the connection of its record.
#[derive(Debug)]
pub enum Notice {
    /// A server's listening socket is gone and so are all of its connections.
    ListenerClosed { listener: u32 },
    /// Accepting failed for a reason that waiting does not mend.
    ListenerFailed { listener: u32, error: io::Error },
    /// A WebSocket was accepted without asking JavaScript: it is open.
    Connection {
        listener: u32,
        request: Box<Request>,
        protocol: Option<String>,
        /// The answer's `Sec-WebSocket-Extensions`.
        extensions: Option<String>,
        peer: PeerInfo,
    },
    /// A good upgrade request: JavaScript is to answer with `Command::Respond`.
    Upgrade {
        listener: u32,
        request: Box<Request>,
        upgrade: Box<Upgrade>,
        peer: PeerInfo,
    },
    /// A bad upgrade request that `wsClientError` is to answer; the connection is in raw mode.
    ClientError {
        listener: u32,
        request: Box<Request>,
        refusal: Refusal,
        peer: PeerInfo,
    },
    /// A plain HTTP request for a `request` listener; the connection is in raw mode and its first
    /// bytes, the request itself, follow.
    Request { listener: u32, peer: PeerInfo },
    /// A client's TLS handshake has failed.
    TlsClientError {
        listener: u32,
        peer: PeerInfo,
        error: io::Error,
    },
    /// A client asks for a host that there is no context for: JavaScript is to answer with
    /// `Command::UseContext`.
    ServerName {
        listener: u32,
        server_name: String,
        peer: PeerInfo,
    },
    /// Bytes received in raw mode, or those that a tapped connection has read.
    RawData(Vec<u8>),
    /// The peer ended its half in raw mode.
    RawEnd,
    /// A client's transport is connected; the request is queued.
    Connected { peer: PeerInfo },
    /// The server's answer to a client, and whether it is good; if so the connection is open.
    Response {
        response: Box<Response>,
        outcome: Result<Accepted, HandshakeError>,
        /// What the TLS handshake has led to, if there was one.
        tls: Option<Box<TlsInfo>>,
    },
    /// A client could not connect: what came of each attempt.
    ConnectFailed {
        failures: Vec<(Endpoint, io::Error)>,
    },
    /// The server's answer could not be read.
    ResponseFailed(ResponseError),
    /// The peer broke the protocol.
    Failed(ProtocolError),
}

/// Why a client got no answer to its request.
#[derive(Debug)]
pub enum ResponseError {
    /// The connection ended first.
    HangUp,
    Io(io::Error),
    Malformed(HandshakeError),
}
