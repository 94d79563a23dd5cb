//! The negotiation of permessage-deflate (RFC 7692 sections 5 and 7.1), as ws does it: the same
//! offers accepted, the same answers, the same order of the parameters.
//!
//! One difference: a window of 8 bits, which our compressor does not have, is not agreed to for
//! what this end compresses. ws says yes to it and compresses with 9. As a peer's window 8 is as
//! good as any: an inflater needs no less than it was promised.

use std::fmt;

use super::deflater::CompressorOptions;
use super::{MAX_WINDOW_BITS, MIN_ENCODER_WINDOW_BITS};
use crate::proto::Role;
use crate::proto::extension::{self, Extension};

pub const EXTENSION_NAME: &str = "permessage-deflate";

/// The `perMessageDeflate` option. `None` stands for an option that was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeflateOptions {
    pub server_no_context_takeover: Option<bool>,
    pub client_no_context_takeover: Option<bool>,
    pub server_max_window_bits: MaxWindowBits,
    pub client_max_window_bits: MaxWindowBits,
    /// Least bytes of a message to be compressed without context takeover.
    pub threshold: usize,
    /// The largest window of what this end compresses, whatever else is agreed to: 9 to 15.
    pub own_window_bits: Option<u8>,
    pub compressor: CompressorOptions,
}

/// An option that is a number, a boolean, or not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MaxWindowBits {
    #[default]
    Unset,
    /// `false`
    Refused,
    /// `true`
    Allowed,
    /// 8 to 15
    Bits(u8),
}

/// What both ends agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeflateParams {
    pub server_no_context_takeover: bool,
    pub client_no_context_takeover: bool,
    pub server_max_window_bits: Option<u8>,
    pub client_max_window_bits: Option<u8>,
}

/// A server's answer to an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub params: DeflateParams,
    /// The value for `Sec-WebSocket-Extensions`.
    pub header: String,
}

/// Why an offer or an answer is no good, in the words of ws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NegotiationError {
    /// The same parameter twice (section 7.1).
    DuplicateParameter(String),
    /// Carries the parameter and its value; no value is `true`, as ws has it.
    InvalidValue(String, String),
    UnknownParameter(String),
    NoneAcceptable,
    UnexpectedClientNoContextTakeover,
    UnexpectedClientMaxWindowBits,
}

/// The value of `Sec-WebSocket-Extensions` with which a client offers the extension.
pub fn offer(options: &DeflateOptions) -> String {
    let mut params = Params::default();
    if options.server_no_context_takeover == Some(true) {
        params.set(Name::ServerNoContextTakeover, None);
    }
    if options.client_no_context_takeover == Some(true) {
        params.set(Name::ClientNoContextTakeover, None);
    }
    match options.server_max_window_bits {
        MaxWindowBits::Bits(bits) => params.set(Name::ServerMaxWindowBits, Some(bits)),
        MaxWindowBits::Allowed => params.set(Name::ServerMaxWindowBits, None),
        MaxWindowBits::Unset | MaxWindowBits::Refused => {}
    }
    match for_encoder(options.client_max_window_bits) {
        MaxWindowBits::Refused => {}
        MaxWindowBits::Bits(bits) => params.set(Name::ClientMaxWindowBits, Some(bits)),
        // 7.1.2.2: without a value it says that the client can be told one.
        MaxWindowBits::Allowed | MaxWindowBits::Unset => {
            params.set(Name::ClientMaxWindowBits, None);
        }
    }
    params.to_header()
}

/// A server's answer to what a client offers: the first offer that the options allow. `None`: the
/// extension is not among the offers.
///
/// Errors: an offer is malformed, whichever it is, or none of them is acceptable.
pub fn accept_offer(
    extensions: &[Extension],
    options: &DeflateOptions,
) -> Result<Option<Accepted>, NegotiationError> {
    let offers = parse_all(extensions, Role::Server)?;
    if offers.is_empty() {
        return Ok(None);
    }
    let acceptable = offers.into_iter().find(|params| allows(options, params));
    let Some(mut params) = acceptable else {
        return Err(NegotiationError::NoneAcceptable);
    };
    if options.server_no_context_takeover == Some(true) {
        params.set(Name::ServerNoContextTakeover, None);
    }
    if options.client_no_context_takeover == Some(true) {
        params.set(Name::ClientNoContextTakeover, None);
    }
    if let MaxWindowBits::Bits(bits) = for_encoder(options.server_max_window_bits) {
        params.set(Name::ServerMaxWindowBits, Some(bits));
    }
    if let Some(most) = options.own_window_bits {
        let agreed = params.bits(Name::ServerMaxWindowBits);
        let bits = agreed.map_or(most, |bits| bits.min(most));
        params.set(Name::ServerMaxWindowBits, Some(bits));
    }
    match options.client_max_window_bits {
        MaxWindowBits::Bits(bits) => params.set(Name::ClientMaxWindowBits, Some(bits)),
        MaxWindowBits::Refused => params.remove(Name::ClientMaxWindowBits),
        // 7.1.2.2: the answer has a value; not to answer is to leave the window as it is.
        _ if params.get(Name::ClientMaxWindowBits) == Some(None) => {
            params.remove(Name::ClientMaxWindowBits);
        }
        _ => {}
    }
    Ok(Some(Accepted {
        params: params.to_params(),
        header: params.to_header(),
    }))
}

/// A client's judgement of the answer to its [`offer`]. `extensions` must name no other extension,
/// and this one at least once.
///
/// Errors: the answer is malformed or against the options. The connection is to be failed then.
pub fn accept_response(
    extensions: &[Extension],
    options: &DeflateOptions,
) -> Result<DeflateParams, NegotiationError> {
    let answer = parse_all(extensions, Role::Client)?.into_iter().next();
    let mut params = answer.ok_or(NegotiationError::NoneAcceptable)?;
    if options.client_no_context_takeover == Some(false)
        && params.get(Name::ClientNoContextTakeover).is_some()
    {
        return Err(NegotiationError::UnexpectedClientNoContextTakeover);
    }
    let allowed = for_encoder(options.client_max_window_bits);
    match (params.bits(Name::ClientMaxWindowBits), allowed) {
        (None, MaxWindowBits::Bits(bits)) => params.set(Name::ClientMaxWindowBits, Some(bits)),
        (None, _) => {}
        (Some(_), MaxWindowBits::Refused) => {
            return Err(NegotiationError::UnexpectedClientMaxWindowBits);
        }
        (Some(bits), MaxWindowBits::Bits(most)) if bits > most => {
            return Err(NegotiationError::UnexpectedClientMaxWindowBits);
        }
        (Some(bits), _) if bits < MIN_ENCODER_WINDOW_BITS => {
            return Err(NegotiationError::UnexpectedClientMaxWindowBits);
        }
        (Some(_), _) => {}
    }
    let mut agreed = params.to_params();
    // 7.1.1.2: to offer it is to say that this end will forget, whatever the answer
    agreed.client_no_context_takeover |= options.client_no_context_takeover == Some(true);
    Ok(agreed)
}

/// What `header`, a value of `Sec-WebSocket-Extensions` that [`accept_offer`] wrote or
/// [`accept_response`] has judged, means for the end of `role`. `None`: it is no such header.
pub fn agreed(header: &str, role: Role, options: &DeflateOptions) -> Option<DeflateParams> {
    let extensions = extension::parse(header).ok()?;
    match role {
        // an answer of ours, read as its reader does
        Role::Server => parse_all(&extensions, Role::Client)
            .ok()?
            .first()
            .map(Params::to_params),
        Role::Client => accept_response(&extensions, options).ok(),
    }
}

impl Default for DeflateOptions {
    /// The defaults of ws.
    fn default() -> Self {
        Self {
            server_no_context_takeover: None,
            client_no_context_takeover: None,
            server_max_window_bits: MaxWindowBits::Unset,
            client_max_window_bits: MaxWindowBits::Unset,
            threshold: 1024,
            own_window_bits: None,
            compressor: CompressorOptions::default(),
        }
    }
}

impl DeflateParams {
    /// Whether the compressor of this end keeps its history from message to message.
    pub fn encoder_takeover(&self, role: Role) -> bool {
        !match role {
            Role::Client => self.client_no_context_takeover,
            Role::Server => self.server_no_context_takeover,
        }
    }

    /// Whether the peer's compressor does.
    pub fn decoder_takeover(&self, role: Role) -> bool {
        self.encoder_takeover(peer_of(role))
    }

    /// The window of this end's compressor: 9 to 15.
    pub fn encoder_window_bits(&self, role: Role) -> u8 {
        self.window_bits(role)
            .clamp(MIN_ENCODER_WINDOW_BITS, MAX_WINDOW_BITS)
    }

    /// The window of the peer's: 8 to 15.
    pub fn decoder_window_bits(&self, role: Role) -> u8 {
        self.window_bits(peer_of(role))
    }

    fn window_bits(&self, role: Role) -> u8 {
        match role {
            Role::Client => self.client_max_window_bits,
            Role::Server => self.server_max_window_bits,
        }
        .unwrap_or(MAX_WINDOW_BITS)
    }
}

impl fmt::Display for NegotiationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateParameter(name) => {
                write!(f, "Parameter \"{name}\" must have only a single value")
            }
            Self::InvalidValue(name, value) => {
                write!(f, "Invalid value for parameter \"{name}\": {value}")
            }
            Self::UnknownParameter(name) => write!(f, "Unknown parameter \"{name}\""),
            Self::NoneAcceptable => f.write_str("None of the extension offers can be accepted"),
            Self::UnexpectedClientNoContextTakeover => {
                f.write_str("Unexpected parameter \"client_no_context_takeover\"")
            }
            Self::UnexpectedClientMaxWindowBits => {
                f.write_str("Unexpected or invalid parameter \"client_max_window_bits\"")
            }
        }
    }
}

impl std::error::Error for NegotiationError {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    ServerNoContextTakeover,
    ClientNoContextTakeover,
    ServerMaxWindowBits,
    ClientMaxWindowBits,
}

impl Name {
    const ALL: [Self; 4] = [
        Self::ServerNoContextTakeover,
        Self::ClientNoContextTakeover,
        Self::ServerMaxWindowBits,
        Self::ClientMaxWindowBits,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::ServerNoContextTakeover => "server_no_context_takeover",
            Self::ClientNoContextTakeover => "client_no_context_takeover",
            Self::ServerMaxWindowBits => "server_max_window_bits",
            Self::ClientMaxWindowBits => "client_max_window_bits",
        }
    }
}

/// Parameters in the order in which they came, each at most once.
#[derive(Clone, Debug, Default)]
struct Params(Vec<(Name, Option<u8>)>);

impl Params {
    fn get(&self, name: Name) -> Option<Option<u8>> {
        let found = self.0.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| *value)
    }

    fn bits(&self, name: Name) -> Option<u8> {
        self.get(name).flatten()
    }

    fn set(&mut self, name: Name, value: Option<u8>) {
        match self.0.iter_mut().find(|(own, _)| *own == name) {
            Some(param) => param.1 = value,
            None => self.0.push((name, value)),
        }
    }

    fn remove(&mut self, name: Name) {
        self.0.retain(|(own, _)| *own != name);
    }

    fn to_params(&self) -> DeflateParams {
        DeflateParams {
            server_no_context_takeover: self.get(Name::ServerNoContextTakeover).is_some(),
            client_no_context_takeover: self.get(Name::ClientNoContextTakeover).is_some(),
            server_max_window_bits: self.bits(Name::ServerMaxWindowBits),
            client_max_window_bits: self.bits(Name::ClientMaxWindowBits),
        }
    }

    fn to_header(&self) -> String {
        let param = |(name, bits): &(Name, Option<u8>)| {
            (name.as_str().to_owned(), bits.map(|b| b.to_string()))
        };
        extension::format(&[Extension {
            name: EXTENSION_NAME.to_owned(),
            params: self.0.iter().map(param).collect(),
        }])
    }
}

/// Every element of the header that is for this extension. `role` is that of the end that reads.
fn parse_all(extensions: &[Extension], role: Role) -> Result<Vec<Params>, NegotiationError> {
    let ours = extensions.iter().filter(|e| e.name == EXTENSION_NAME);
    ours.map(|extension| parse(extension, role)).collect()
}

fn parse(extension: &Extension, role: Role) -> Result<Params, NegotiationError> {
    let mut params = Params::default();
    for (i, (key, value)) in extension.params.iter().enumerate() {
        let is_same = |(other, _): &(String, Option<String>)| other == key;
        if extension.params[..i].iter().any(is_same) {
            // Looked at with the first of them.
            continue;
        }
        if extension.params[i + 1..].iter().any(is_same) {
            return Err(NegotiationError::DuplicateParameter(key.clone()));
        }
        let Some(name) = Name::ALL.into_iter().find(|name| name.as_str() == key) else {
            return Err(NegotiationError::UnknownParameter(key.clone()));
        };
        let value = match (name, value) {
            (Name::ServerNoContextTakeover | Name::ClientNoContextTakeover, None) => None,
            (Name::ClientMaxWindowBits, None) if role == Role::Server => None,
            (Name::ServerMaxWindowBits | Name::ClientMaxWindowBits, Some(value))
                if window_bits(value).is_some() =>
            {
                window_bits(value)
            }
            (_, value) => {
                let shown = value.as_deref().unwrap_or("true").to_owned();
                return Err(NegotiationError::InvalidValue(key.clone(), shown));
            }
        };
        params.set(name, value);
    }
    Ok(params)
}

/// 8 to 15 in any spelling that is a number to JavaScript, as ws reads it. Section 7.1.2 knows
/// decimal digits only.
fn window_bits(value: &str) -> Option<u8> {
    let radix = match value.get(..2) {
        Some("0x" | "0X") => Some(16),
        Some("0o" | "0O") => Some(8),
        Some("0b" | "0B") => Some(2),
        _ => None,
    };
    let number = match radix {
        Some(_) if value[2..].starts_with('+') => return None,
        Some(radix) => f64::from(u32::from_str_radix(&value[2..], radix).ok()?),
        None => value.parse::<f64>().ok()?,
    };
    let is_window = number.fract() == 0.0 && (8.0..=15.0).contains(&number);
    is_window.then_some(number as u8)
}

/// Whether a server with these options takes the offer.
fn allows(options: &DeflateOptions, params: &Params) -> bool {
    if options.server_no_context_takeover == Some(false)
        && params.get(Name::ServerNoContextTakeover).is_some()
    {
        return false;
    }
    if let Some(most) = params.bits(Name::ServerMaxWindowBits) {
        let least = match for_encoder(options.server_max_window_bits) {
            MaxWindowBits::Refused => return false,
            MaxWindowBits::Bits(bits) => bits,
            MaxWindowBits::Allowed | MaxWindowBits::Unset => MIN_ENCODER_WINDOW_BITS,
        };
        if least > most {
            return false;
        }
    }
    match (
        options.client_max_window_bits,
        params.get(Name::ClientMaxWindowBits),
    ) {
        (MaxWindowBits::Bits(bits), Some(Some(most))) => bits <= most,
        // 7.1.2.2: a client that did not offer the parameter must not be answered with it.
        (MaxWindowBits::Bits(_), offered) => offered.is_some(),
        _ => true,
    }
}

/// An option about the window of this end's compressor.
fn for_encoder(option: MaxWindowBits) -> MaxWindowBits {
    match option {
        MaxWindowBits::Bits(bits) => MaxWindowBits::Bits(bits.max(MIN_ENCODER_WINDOW_BITS)),
        other => other,
    }
}

fn peer_of(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

#[cfg(test)]
mod tests;
