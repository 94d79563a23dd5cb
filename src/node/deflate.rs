//! permessage-deflate by itself, on the JavaScript thread: negotiation for handshakes that Node has
//! read, and the codec that lib/permessage-deflate.js stands on.

use napi::bindgen_prelude::Buffer;
use napi::{Error, Result};
use napi_derive::napi;

use super::notices::{NativeError, protocol_error};
use super::options::{NativeDeflateOptions, max_payload_limit};
use crate::driver::deflate::Deflate;
use crate::proto::Role;
use crate::proto::deflate::{self, Deflater, Inflater, accept_offer, accept_response, offer};
use crate::proto::extension;

/// The value of `Sec-WebSocket-Extensions` with which a client offers the extension.
#[napi]
pub fn deflate_offer(options: NativeDeflateOptions) -> String {
    let deflate = Deflate::from(options);
    let (options, _) = deflate.options_now(Role::Client);
    offer(&options)
}

/// A server's answer to an offer; null if the extension is not on offer. Throws with ws's words.
#[napi]
pub fn accept_deflate_offer(
    header: String,
    options: NativeDeflateOptions,
) -> Result<Option<String>> {
    let extensions = extension::parse(&header).map_err(reason)?;
    let deflate = Deflate::from(options);
    let (options, _) = deflate.options_now(Role::Server);
    let accepted = accept_offer(&extensions, &options).map_err(reason)?;
    Ok(accepted.map(|accepted| accepted.header))
}

/// Judges a server's answer to [`deflate_offer`]: throws with ws's words if it is bad.
#[napi]
pub fn check_deflate_answer(header: String, options: NativeDeflateOptions) -> Result<()> {
    let extensions = extension::parse(&header).map_err(reason)?;
    accept_response(&extensions, &Deflate::from(options).options).map_err(reason)?;
    Ok(())
}

/// One end's compressor and inflater.
#[napi]
pub struct NativeDeflate {
    deflater: Deflater,
    inflater: Inflater,
    max_payload: usize,
    /// The message that is being inflated.
    message: Vec<u8>,
}

/// What came of inflating.
#[napi(object)]
#[derive(Default)]
pub struct NativeInflated {
    pub data: Option<Buffer>,
    pub error: Option<NativeError>,
}

#[napi]
impl NativeDeflate {
    /// `agreed`: the answer's `Sec-WebSocket-Extensions`.
    #[napi(constructor)]
    pub fn new(
        server: bool,
        options: NativeDeflateOptions,
        agreed: String,
        max_payload: f64,
    ) -> Result<Self> {
        let role = if server { Role::Server } else { Role::Client };
        let options = Deflate::from(options).options;
        let params = deflate::agreed(&agreed, role, &options)
            .ok_or_else(|| Error::from_reason("not an answer of permessage-deflate"))?;
        let (takeover, bits) = (
            params.decoder_takeover(role),
            params.decoder_window_bits(role),
        );
        Ok(Self {
            deflater: Deflater::new(&params, role, options.threshold, options.compressor),
            inflater: Inflater::new(takeover, bits),
            max_payload: usize::try_from(max_payload_limit(max_payload)).unwrap_or(usize::MAX),
            message: Vec::new(),
        })
    }

    /// A message, or with `fin` false a fragment of one, as it goes into a frame.
    #[napi]
    pub fn compress(&mut self, data: Buffer, fin: bool) -> Buffer {
        let mut out = Vec::new();
        self.deflater.compress(&data, fin, &mut out);
        out.into()
    }

    /// What a frame's payload inflates to; `fin`: the message ends with it.
    #[napi]
    pub fn decompress(&mut self, data: Buffer, fin: bool) -> NativeInflated {
        let start = self.message.len();
        let mut result = self
            .inflater
            .inflate(&data, &mut self.message, self.max_payload)
            .map(|_| ());
        if fin && result.is_ok() {
            result = self.inflater.finish(&mut self.message, self.max_payload);
        }
        match result {
            Ok(()) => {
                let data = self.message[start..].to_vec();
                if fin {
                    self.message = Vec::new();
                }
                NativeInflated {
                    data: Some(data.into()),
                    error: None,
                }
            }
            Err(error) => {
                self.message = Vec::new();
                self.inflater.stop();
                NativeInflated {
                    data: None,
                    error: Some(protocol_error(&error)),
                }
            }
        }
    }
}

fn reason(error: impl ToString) -> Error {
    Error::from_reason(error.to_string())
}
