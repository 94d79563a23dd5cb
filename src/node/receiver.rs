//! The parser by itself, on the JavaScript thread: what lib/receiver.js and the header parsers of
//! ws's API stand on.

use napi::bindgen_prelude::{Buffer, Either};
use napi::{Error, Result};
use napi_derive::napi;

use super::notices::{NativeError, protocol_error};
use super::options::NativeConnectionOptions;
use crate::driver::command::ConnectionOptions;
use crate::proto::deflate::Inflater;
use crate::proto::receiver::{Event, Receiver, ReceiverConfig};
use crate::proto::{Role, extension, subprotocol};

/// Frames in, events out.
#[napi]
pub struct NativeReceiver {
    receiver: Receiver,
}

/// What came out of a chunk. `kind` says which of the others are there.
#[napi(object)]
#[derive(Default)]
pub struct NativeReceived {
    pub kind: String,
    pub data: Option<Buffer>,
    /// Of a message in several frames.
    pub ends: Option<Vec<u32>>,
    /// The close code; none if the frame was empty.
    pub code: Option<u32>,
    pub error: Option<NativeError>,
}

#[napi]
impl NativeReceiver {
    #[napi(constructor)]
    pub fn new(server: bool, options: NativeConnectionOptions) -> Self {
        let options = ConnectionOptions::from(options);
        Self {
            receiver: Receiver::new(ReceiverConfig {
                role: if server { Role::Server } else { Role::Client },
                max_payload: options.max_payload,
                max_frame_size: options.max_frame_size,
                max_fragments: options.max_fragments,
                skip_utf8_validation: options.skip_utf8_validation,
            }),
        }
    }

    /// All that `chunk` completes, an error last. The chunk is not changed.
    #[napi]
    pub fn receive(&mut self, chunk: Buffer) -> Vec<NativeReceived> {
        let mut chunk = chunk.to_vec();
        let mut input = &mut chunk[..];
        let mut out = Vec::new();
        loop {
            match self.receiver.receive(&mut input) {
                Ok(None) => return out,
                Ok(Some(event)) => out.push(event.into()),
                Err(error) => {
                    out.push(NativeReceived {
                        error: Some(protocol_error(&error)),
                        ..of("error")
                    });
                    return out;
                }
            }
        }
    }

    /// Messages may be compressed; `takeover` and `window_bits` are those of the peer's compressor.
    /// `max_payload`: bytes of one that is; 0 = no limit but the receiver's.
    #[napi]
    pub fn enable_deflate(&mut self, takeover: bool, window_bits: u32, max_payload: f64) {
        let mut inflater = Inflater::new(takeover, window_bits.clamp(8, 15) as u8);
        let limit = super::options::max_payload_limit(max_payload);
        inflater.set_limit(usize::try_from(limit).unwrap_or(usize::MAX));
        self.receiver.enable_deflate(inflater);
    }

    /// See `NativeEnvironment.setLimits`.
    #[napi]
    pub fn set_limits(&mut self, max_payload: f64, skip_utf8_validation: bool) {
        let max_payload = super::options::max_payload_limit(max_payload);
        self.receiver.set_limits(max_payload, skip_utf8_validation);
    }
}

fn of(kind: &str) -> NativeReceived {
    NativeReceived {
        kind: kind.to_owned(),
        ..Default::default()
    }
}

impl From<Event<'_>> for NativeReceived {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Message {
                binary,
                data,
                fragments,
            } => Self {
                data: Some(data.into_vec().into()),
                ends: fragments.map(|fragments| fragments.ends().to_vec()),
                ..of(if binary { "binary" } else { "text" })
            },
            Event::Ping(data) => Self {
                data: Some(data.into_vec().into()),
                ..of("ping")
            },
            Event::Pong(data) => Self {
                data: Some(data.into_vec().into()),
                ..of("pong")
            },
            Event::Close { code, reason } => Self {
                data: Some(reason.into_vec().into()),
                code: code.map(u32::from),
                ..of("close")
            },
        }
    }
}

/// One element of `Sec-WebSocket-Extensions`.
#[napi(object)]
pub struct NativeExtension {
    pub name: String,
    pub params: Vec<NativeExtensionParam>,
}

#[napi(object)]
pub struct NativeExtensionParam {
    pub name: String,
    /// True for a parameter without a value.
    pub value: Either<String, bool>,
}

/// Throws with the message of ws; lib/ makes a SyntaxError of it.
#[napi]
pub fn parse_extensions(header: String) -> Result<Vec<NativeExtension>> {
    let parsed = extension::parse(&header).map_err(|e| Error::from_reason(e.to_string()))?;
    let param = |(name, value): (String, Option<String>)| NativeExtensionParam {
        name,
        value: value.map_or(Either::B(true), Either::A),
    };
    Ok(parsed
        .into_iter()
        .map(|extension| NativeExtension {
            name: extension.name,
            params: extension.params.into_iter().map(param).collect(),
        })
        .collect())
}

/// Throws with the message of ws; lib/ makes a SyntaxError of it.
#[napi]
pub fn parse_subprotocols(header: String) -> Result<Vec<String>> {
    subprotocol::parse(&header).map_err(|e| Error::from_reason(e.to_string()))
}
