//! Options as JavaScript gives them: checked and complete, lib/ has filled in the defaults.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use napi::Either;
use napi_derive::napi;

use crate::driver::command::{AutoPong, ConnectionOptions, Dial};
use crate::driver::deflate::Deflate;
use crate::driver::dial::OpeningRequest;
use crate::driver::listener::Bind;
use crate::proto::deflate::{CompressorOptions, DeflateOptions, MaxWindowBits, Strategy};
use crate::transport::Endpoint;
use crate::transport::tls::context::ClientContext;

/// Limits and manners of a connection. A limit of 0 or less is off.
#[napi(object)]
pub struct NativeConnectionOptions {
    pub max_payload: f64,
    pub max_frame_size: f64,
    pub max_fragments: f64,
    pub skip_utf8_validation: bool,
    /// 0: no; 1: by the I/O thread where the order allows; 2: by JavaScript.
    pub auto_pong: u32,
    pub max_pending_auto_pongs: f64,
    /// Milliseconds.
    pub close_timeout: f64,
    pub deflate: Option<NativeDeflateOptions>,
}

/// The `perMessageDeflate` option, checked by lib/deflate-options.js.
#[napi(object)]
pub struct NativeDeflateOptions {
    pub server_no_context_takeover: Option<bool>,
    pub client_no_context_takeover: Option<bool>,
    /// 8 to 15, or whether there may be such a limit.
    pub server_max_window_bits: Option<Either<u32, bool>>,
    pub client_max_window_bits: Option<Either<u32, bool>>,
    /// Bytes.
    pub threshold: f64,
    pub level: i32,
    pub mem_level: u32,
    /// zlib's number: 0 to 4.
    pub strategy: u32,
    /// 9 to 15: the largest window of what this end compresses.
    pub own_window_bits: Option<u32>,
    /// Bytes.
    pub context_budget: Option<f64>,
}

#[napi(object)]
pub struct NativeListenOptions {
    pub id: u32,
    /// An IP address: names are looked up in lib/.
    pub host: String,
    pub port: u16,
    pub backlog: i32,
    pub reuse_port: bool,
    pub ipv6_only: bool,
    pub path: Option<String>,
    /// Milliseconds; 0 = no limit.
    pub handshake_timeout: f64,
    /// Bits of `driver::listener::hooks`.
    pub hooks: u32,
    pub connection: NativeConnectionOptions,
}

/// Where a listener listens, or the operating system's error number.
#[napi(object)]
pub struct NativeListenResult {
    pub address: Option<String>,
    pub port: Option<u16>,
    pub errno: Option<i32>,
}

#[napi(object)]
pub struct NativeConnectOptions {
    /// IP addresses, tried in order; none when `socket_path` is given.
    pub addresses: Vec<String>,
    pub port: u16,
    pub socket_path: Option<String>,
    /// Milliseconds for each address but the last.
    pub attempt_timeout: f64,
    pub local_address: Option<String>,
    pub local_port: Option<u16>,
    /// With TLS: the name that the server has to prove.
    pub server_name: Option<String>,
    /// The request line's target.
    pub target: String,
    /// Names and values in turn, complete but for the key.
    pub headers: Vec<String>,
    pub protocols: Vec<String>,
    pub connection: NativeConnectionOptions,
}

impl From<NativeConnectionOptions> for ConnectionOptions {
    fn from(o: NativeConnectionOptions) -> Self {
        Self {
            max_payload: max_payload_limit(o.max_payload),
            max_frame_size: limit(o.max_frame_size),
            max_fragments: limit32(o.max_fragments),
            skip_utf8_validation: o.skip_utf8_validation,
            auto_pong: match o.auto_pong {
                0 => AutoPong::Off,
                1 => AutoPong::InOrder,
                _ => AutoPong::Deferred,
            },
            max_pending_pongs: limit32(o.max_pending_auto_pongs),
            close_timeout: millis(o.close_timeout),
            deflate: o.deflate.map(|deflate| Arc::new(deflate.into())),
        }
    }
}

impl From<NativeDeflateOptions> for Deflate {
    fn from(o: NativeDeflateOptions) -> Self {
        let budget = o.context_budget.map(|bytes| bytes.max(0.0) as u64);
        Self {
            options: DeflateOptions {
                server_no_context_takeover: o.server_no_context_takeover,
                // with a budget an answer without takeover is always good
                client_no_context_takeover: o
                    .client_no_context_takeover
                    .filter(|&without| without || budget.is_none()),
                server_max_window_bits: max_window_bits(o.server_max_window_bits),
                client_max_window_bits: max_window_bits(o.client_max_window_bits),
                threshold: o.threshold.max(0.0) as usize,
                own_window_bits: o.own_window_bits.map(|bits| bits.clamp(9, 15) as u8),
                compressor: CompressorOptions {
                    level: o.level.clamp(-1, 9) as i8,
                    mem_level: o.mem_level.clamp(1, 9) as u8,
                    strategy: match o.strategy {
                        1 => Strategy::Filtered,
                        2 => Strategy::HuffmanOnly,
                        3 => Strategy::Rle,
                        4 => Strategy::Fixed,
                        _ => Strategy::Default,
                    },
                },
            },
            budget,
        }
    }
}

fn max_window_bits(value: Option<Either<u32, bool>>) -> MaxWindowBits {
    match value {
        None => MaxWindowBits::Unset,
        Some(Either::B(false)) => MaxWindowBits::Refused,
        Some(Either::B(true)) => MaxWindowBits::Allowed,
        Some(Either::A(bits)) => MaxWindowBits::Bits(bits.clamp(8, 15) as u8),
    }
}

impl NativeListenOptions {
    pub fn bind(&self) -> napi::Result<Bind> {
        Ok(Bind {
            address: SocketAddr::new(ip(&self.host)?, self.port),
            backlog: self.backlog,
            reuse_port: self.reuse_port,
            ipv6_only: self.ipv6_only,
        })
    }
}

impl NativeConnectOptions {
    pub fn dial(self, tls: Option<Arc<ClientContext>>) -> napi::Result<Dial> {
        let tls = match tls {
            Some(context) => {
                let name = self
                    .server_name
                    .as_deref()
                    .and_then(ClientContext::server_name);
                let name = name.ok_or_else(|| napi::Error::from_reason("not a server's name"))?;
                Some((context, name))
            }
            None => None,
        };
        let endpoints = match self.socket_path {
            Some(path) => vec![Endpoint::Unix(path.into())],
            None => self
                .addresses
                .iter()
                .map(|a| Ok(Endpoint::Tcp(SocketAddr::new(ip(a)?, self.port))))
                .collect::<napi::Result<_>>()?,
        };
        let local_address = self.local_address.as_deref().map(ip).transpose()?;
        let pairs = self.headers.chunks_exact(2);
        let request = OpeningRequest::new(
            &self.target,
            pairs.map(|pair| (pair[0].clone(), pair[1].clone())),
            self.protocols,
        )
        .map_err(|e| napi::Error::from_reason(e.to_string()))?;
        Ok(Dial {
            endpoints,
            attempt_timeout: millis(self.attempt_timeout),
            local_address,
            local_port: self.local_port.unwrap_or(0),
            tls,
            request,
            options: self.connection.into(),
        })
    }
}

pub fn millis(ms: f64) -> Duration {
    // no timer of ours is meant to outlive this; it also keeps `Instant + Duration` in range
    const MOST: f64 = 1e12;
    Duration::from_secs_f64(if ms.is_nan() {
        0.0
    } else {
        ms.clamp(0.0, MOST) / 1000.0
    })
}

/// A record has 32 bits for a length, and no Buffer of these Nodes is longer.
pub fn max_payload_limit(value: f64) -> u64 {
    match limit(value) {
        0 => u64::from(u32::MAX),
        limit => limit,
    }
}

fn limit(value: f64) -> u64 {
    if value > 0.0 { value as u64 } else { 0 }
}

fn limit32(value: f64) -> u32 {
    if value > 0.0 { value as u32 } else { 0 }
}

fn ip(text: &str) -> napi::Result<IpAddr> {
    // a scope ("fe80::1%eth0") is not part of an IpAddr
    text.parse()
        .map_err(|_| napi::Error::from_reason(format!("not an IP address: {text}")))
}
