//! Notices as JavaScript objects.

use napi_derive::napi;

use super::tls::NativeTlsInfo;
use crate::driver::notice::{Notice, ResponseError};
use crate::proto::error::ProtocolError;
use crate::proto::handshake::client::HandshakeError;
use crate::proto::handshake::server::Request;
use crate::transport::tls::error::TlsError;
use crate::transport::{Endpoint, PeerInfo};
use napi::bindgen_prelude::Buffer;

/// A rare event. `kind` says which of the others are there; lib/events.js reads it.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub struct NativeNotice {
    pub kind: String,
    pub listener: Option<u32>,
    pub request: Option<NativeHead>,
    pub response: Option<NativeHead>,
    pub peer: Option<NativePeer>,
    pub protocol: Option<String>,
    pub protocols: Option<Vec<String>>,
    /// The answer's `Sec-WebSocket-Extensions`.
    pub extensions: Option<String>,
    pub accept: Option<String>,
    pub version: Option<u32>,
    pub data: Option<Buffer>,
    pub error: Option<NativeError>,
    /// What came of each attempt to connect.
    pub errors: Option<Vec<NativeError>>,
    /// A response that is no upgrade: the connection is in raw mode, paused before its first byte.
    pub unexpected: Option<bool>,
    /// The refusal that wsClientError may replace.
    pub status: Option<u32>,
    pub headers: Option<Vec<String>>,
    /// What the TLS handshake of a client has led to.
    pub tls: Option<NativeTlsInfo>,
    /// The host that a client asks for.
    pub server_name: Option<String>,
}

/// The head of a request or a response.
#[napi(object)]
pub struct NativeHead {
    pub method: Option<String>,
    pub url: Option<String>,
    pub status: Option<u32>,
    pub reason: Option<String>,
    pub minor_version: u32,
    /// Names and values in turn, as received.
    pub headers: Vec<String>,
}

#[napi(object, object_from_js = false)]
pub struct NativePeer {
    pub local_address: Option<String>,
    pub local_port: Option<u16>,
    pub remote_address: Option<String>,
    pub remote_port: Option<u16>,
    /// Over TLS.
    pub tls: Option<NativeTlsInfo>,
}

/// An error in parts; lib/errors.js makes the Error.
#[napi(object)]
#[derive(Default)]
pub struct NativeError {
    pub message: Option<String>,
    pub code: Option<String>,
    /// The operating system's number.
    pub errno: Option<i32>,
    pub address: Option<String>,
    pub port: Option<u16>,
    pub close_code: Option<u32>,
    pub range: bool,
    /// A TLS handshake that Node's own TLS might bring to an end.
    pub incompatible: bool,
    /// The peer's, which is not for the host.
    pub certificate: Option<Buffer>,
}

impl From<Notice> for NativeNotice {
    fn from(notice: Notice) -> Self {
        let of = |kind: &str| Self {
            kind: kind.to_owned(),
            ..Self::default()
        };
        match notice {
            Notice::ListenerClosed { listener } => Self {
                listener: Some(listener),
                ..of("listenerClosed")
            },
            Notice::ListenerFailed { listener, error } => Self {
                listener: Some(listener),
                error: Some(io_error(&error)),
                ..of("listenerFailed")
            },
            Notice::Connection {
                listener,
                request,
                protocol,
                extensions,
                peer,
            } => Self {
                listener: Some(listener),
                request: Some(request_head(*request)),
                protocol,
                extensions,
                peer: Some(peer.into()),
                ..of("connection")
            },
            Notice::Upgrade {
                listener,
                request,
                upgrade,
                peer,
            } => Self {
                listener: Some(listener),
                request: Some(request_head(*request)),
                protocols: Some(upgrade.protocols),
                extensions: upgrade.deflate.map(|agreed| agreed.header),
                accept: Some(String::from_utf8_lossy(&upgrade.accept).into_owned()),
                version: Some(u32::from(upgrade.version)),
                peer: Some(peer.into()),
                ..of("upgrade")
            },
            Notice::ClientError {
                listener,
                request,
                refusal,
                peer,
            } => Self {
                listener: Some(listener),
                request: Some(request_head(*request)),
                status: Some(u32::from(refusal.status)),
                headers: Some(
                    refusal
                        .headers
                        .into_iter()
                        .flat_map(|(n, v)| [n.to_owned(), v])
                        .collect(),
                ),
                error: Some(NativeError {
                    message: Some(refusal.message),
                    ..Default::default()
                }),
                peer: Some(peer.into()),
                ..of("clientError")
            },
            Notice::Request { listener, peer } => Self {
                listener: Some(listener),
                peer: Some(peer.into()),
                ..of("request")
            },
            Notice::TlsClientError {
                listener,
                peer,
                error,
            } => Self {
                listener: Some(listener),
                peer: Some(peer.into()),
                error: Some(io_error(&error)),
                ..of("tlsClientError")
            },
            Notice::ServerName {
                listener,
                server_name,
                peer,
            } => Self {
                listener: Some(listener),
                peer: Some(peer.into()),
                server_name: Some(server_name),
                ..of("serverName")
            },
            Notice::RawData(data) => Self {
                data: Some(data.into()),
                ..of("rawData")
            },
            Notice::RawEnd => of("rawEnd"),
            Notice::Connected { peer } => Self {
                peer: Some(peer.into()),
                ..of("connected")
            },
            Notice::Response {
                response,
                outcome,
                tls,
            } => {
                let mut notice = of("response");
                notice.tls = tls.map(|tls| (*tls).into());
                notice.response = Some(NativeHead {
                    method: None,
                    url: None,
                    status: Some(u32::from(response.status)),
                    reason: Some(response.reason),
                    minor_version: u32::from(response.minor_version),
                    headers: flat(response.head.headers),
                });
                match outcome {
                    Ok(accepted) => {
                        notice.protocol = accepted.protocol;
                        notice.extensions = accepted.extensions;
                    }
                    Err(error) => {
                        notice.unexpected =
                            Some(matches!(error, HandshakeError::UnexpectedResponse(_)));
                        notice.error = Some(NativeError {
                            message: Some(error.to_string()),
                            code: error.code().map(str::to_owned),
                            ..Default::default()
                        });
                    }
                }
                notice
            }
            Notice::ConnectFailed { failures } => Self {
                errors: Some(failures.iter().map(connect_error).collect()),
                ..of("connectFailed")
            },
            Notice::ResponseFailed(error) => Self {
                error: Some(match error {
                    ResponseError::HangUp => NativeError {
                        message: Some("socket hang up".to_owned()),
                        code: Some("ECONNRESET".to_owned()),
                        ..Default::default()
                    },
                    ResponseError::Io(error) => io_error(&error),
                    ResponseError::Malformed(error) => NativeError {
                        message: Some(error.to_string()),
                        code: error.code().map(str::to_owned),
                        ..Default::default()
                    },
                }),
                ..of("responseFailed")
            },
            Notice::Failed(error) => Self {
                error: Some(protocol_error(&error)),
                ..of("failed")
            },
        }
    }
}

impl From<PeerInfo> for NativePeer {
    fn from(peer: PeerInfo) -> Self {
        Self {
            local_address: peer.local.map(|a| a.ip().to_string()),
            local_port: peer.local.map(|a| a.port()),
            remote_address: peer.remote.map(|a| a.ip().to_string()),
            remote_port: peer.remote.map(|a| a.port()),
            tls: peer.tls.map(|tls| (*tls).into()),
        }
    }
}

fn connect_error((endpoint, error): &(Endpoint, std::io::Error)) -> NativeError {
    let (address, port) = match endpoint {
        Endpoint::Tcp(addr) => (addr.ip().to_string(), Some(addr.port())),
        Endpoint::Unix(path) => (path.to_string_lossy().into_owned(), None),
    };
    NativeError {
        address: Some(address),
        port,
        ..io_error(error)
    }
}

pub fn protocol_error(error: &ProtocolError) -> NativeError {
    NativeError {
        message: Some(error.to_string()),
        code: Some(error.code().to_owned()),
        errno: error.errno(),
        close_code: Some(u32::from(error.close_code())),
        range: error.is_range_error(),
        ..Default::default()
    }
}

fn request_head(request: Request) -> NativeHead {
    NativeHead {
        method: Some(request.method),
        url: Some(request.target),
        status: None,
        reason: None,
        minor_version: u32::from(request.minor_version),
        headers: flat(request.head.headers),
    }
}

fn flat(headers: Vec<(String, String)>) -> Vec<String> {
    headers
        .into_iter()
        .flat_map(|(name, value)| [name, value])
        .collect()
}

/// An error without a number is a timeout of ours; lib/errors.js names it ETIMEDOUT.
fn io_error(error: &std::io::Error) -> NativeError {
    if let Some(error) = TlsError::of(error) {
        return NativeError {
            message: Some(error.message.clone()),
            code: error.code.map(str::to_owned),
            incompatible: error.is_incompatible,
            certificate: error.certificate.clone().map(Buffer::from),
            ..Default::default()
        };
    }
    NativeError {
        message: Some(error.to_string()),
        errno: error.raw_os_error(),
        code: (error.kind() == std::io::ErrorKind::TimedOut).then(|| "ETIMEDOUT".to_owned()),
        ..Default::default()
    }
}
