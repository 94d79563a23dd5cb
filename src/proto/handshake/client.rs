//! The client's half: write a request, read and judge the answer (RFC 6455 section 4.1).

use std::fmt;
use std::mem::MaybeUninit;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::head::{Head, HeadScan, ScanError};
use super::{MAX_HEADERS, Parsed, accept_key};
use crate::proto::deflate::{self, DeflateOptions, DeflateParams};
use crate::proto::extension;
use crate::proto::token::is_token;

#[derive(Clone, Copy, Debug)]
pub struct ClientRequest<'a> {
    /// The request target: path and query.
    pub target: &'a str,
    /// Every header field, in order, `Host` and those of section 4.1 included.
    pub headers: &'a [(String, String)],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// The reason phrase; may be empty.
    pub reason: String,
    /// 1 for HTTP/1.1.
    pub minor_version: u8,
    pub head: Head,
}

/// What the server chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub protocol: Option<String>,
    /// The value of `Sec-WebSocket-Extensions`, not yet judged.
    pub extensions: Option<String>,
}

/// Why the opening handshake failed, in the words of ws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// A field name that is no token. Carries the name.
    InvalidHeaderName(String),
    /// A field value with a control character or one beyond Latin-1. Carries the name.
    InvalidHeaderValue(String),
    /// A request target with a space, a control character, or one beyond Latin-1.
    InvalidTarget,
    /// The response is not HTTP/1: Node's text and code.
    Parse {
        reason: &'static str,
        code: &'static str,
    },
    /// Another status than 101, or a 101 that does not say what it upgrades to.
    UnexpectedResponse(u16),
    InvalidUpgrade,
    InvalidAccept,
    UnrequestedSubprotocol,
    InvalidSubprotocol,
    MissingSubprotocol,
    UnrequestedExtensions,
    UnrequestedExtension,
    InvalidExtensions,
}

/// Writes the request.
///
/// Errors: a name, a value or the target has a character that could end it early (CR, LF, NUL) or
/// that HTTP does not allow there. Nothing is written then.
pub fn write_request(out: &mut Vec<u8>, request: &ClientRequest<'_>) -> Result<(), HandshakeError> {
    let allowed = |c: char| ('\u{21}'..='\u{ff}').contains(&c) && c != '\u{7f}';
    if request.target.is_empty() || !request.target.chars().all(allowed) {
        return Err(HandshakeError::InvalidTarget);
    }
    for (name, value) in request.headers {
        if !is_token(name) {
            return Err(HandshakeError::InvalidHeaderName(name.clone()));
        }
        if !value.chars().all(|c| allowed(c) || c == ' ' || c == '\t') {
            return Err(HandshakeError::InvalidHeaderValue(name.clone()));
        }
    }

    out.extend_from_slice(b"GET ");
    write_latin1(out, request.target);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        write_latin1(out, value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// `Sec-WebSocket-Key` for 16 random bytes.
pub fn encode_key(nonce: [u8; 16]) -> String {
    STANDARD.encode(nonce)
}

/// Parses a response head at the start of `buf`; informational responses before it are skipped
/// and count as consumed. For a head that comes in many pieces [`parse_response_with`] is the one
/// that stays linear.
///
/// Errors: [`HandshakeError::Parse`].
pub fn parse_response(buf: &[u8]) -> Result<Parsed<Response>, HandshakeError> {
    parse_response_with(&mut HeadScan::default(), buf)
}

/// [`parse_response`] for a growing `buf`: `scan` remembers how far it was looked at.
pub fn parse_response_with(
    scan: &mut HeadScan,
    buf: &[u8],
) -> Result<Parsed<Response>, HandshakeError> {
    loop {
        match scan.find_end(buf) {
            Ok(Some(consumed)) => {
                let value = parse_head(&buf[scan.base..consumed])?;
                // RFC 9110 15.2: a client parses the 1xx responses that come before the final one.
                if (100..200).contains(&value.status) && value.status != 101 {
                    scan.next_head();
                    continue;
                }
                return Ok(Parsed::Complete { value, consumed });
            }
            Ok(None) if !may_start_response(&buf[scan.base..]) => return Err(not_http()),
            Ok(None) => return Ok(Parsed::Incomplete),
            Err(ScanError::BareLineFeed) if !may_start_response(&buf[scan.base..]) => {
                return Err(not_http());
            }
            Err(ScanError::BareLineFeed) => {
                return Err(parse_error("Missing expected CR", "HPE_CR_EXPECTED"));
            }
            Err(ScanError::TooLong) => {
                return Err(parse_error("Header overflow", "HPE_HEADER_OVERFLOW"));
            }
        }
    }
}

/// Judges the response to a request with this `Sec-WebSocket-Key`, in the order of ws.
/// `offered_extensions`: whether the request had a `Sec-WebSocket-Extensions` field.
///
/// Errors: every variant that names a part of the response.
pub fn check_response(
    response: &Response,
    key: &str,
    offered_protocols: &[String],
    offered_extensions: bool,
) -> Result<Accepted, HandshakeError> {
    let head = &response.head;
    let upgrade = head.get("upgrade");
    // Node takes a 101 for an upgrade only with both fields, and ws then sees a plain response.
    let Some(upgrade) =
        upgrade.filter(|_| response.status == 101 && head.has_token("connection", "upgrade"))
    else {
        return Err(HandshakeError::UnexpectedResponse(response.status));
    };
    // 4.1: "an ASCII case-insensitive match for the value 'websocket'"
    if !upgrade.eq_ignore_ascii_case("websocket") {
        return Err(HandshakeError::InvalidUpgrade);
    }
    // Two fields are joined by a comma and do not match either.
    let accept = accept_key(key.as_bytes());
    if head
        .get("sec-websocket-accept")
        .is_none_or(|value| value.as_bytes() != accept)
    {
        return Err(HandshakeError::InvalidAccept);
    }
    let protocol = head
        .get("sec-websocket-protocol")
        .map(|value| value.into_owned());
    match &protocol {
        Some(_) if offered_protocols.is_empty() => {
            return Err(HandshakeError::UnrequestedSubprotocol);
        }
        Some(chosen) if !offered_protocols.contains(chosen) => {
            return Err(HandshakeError::InvalidSubprotocol);
        }
        None if !offered_protocols.is_empty() => return Err(HandshakeError::MissingSubprotocol),
        _ => {}
    }
    let extensions = head
        .get("sec-websocket-extensions")
        .map(|value| value.into_owned());
    if extensions.is_some() && !offered_extensions {
        return Err(HandshakeError::UnrequestedExtensions);
    }
    Ok(Accepted {
        protocol,
        extensions,
    })
}

/// Judges [`Accepted::extensions`] of a server that was offered permessage-deflate. `None`: it does
/// not take it.
///
/// Errors: [`HandshakeError::UnrequestedExtension`] and [`HandshakeError::InvalidExtensions`].
pub fn check_extensions(
    extensions: Option<&str>,
    options: &DeflateOptions,
) -> Result<Option<DeflateParams>, HandshakeError> {
    let Some(value) = extensions else {
        return Ok(None);
    };
    let parsed = extension::parse(value).map_err(|_| HandshakeError::InvalidExtensions)?;
    if parsed.iter().any(|e| e.name != deflate::EXTENSION_NAME) {
        return Err(HandshakeError::UnrequestedExtension);
    }
    let params = deflate::accept_response(&parsed, options);
    params
        .map(Some)
        .map_err(|_| HandshakeError::InvalidExtensions)
}

impl HandshakeError {
    /// The `code` property of the JavaScript error, where Node gives it one.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Parse { code, .. } => Some(code),
            Self::InvalidHeaderName(_) => Some("ERR_INVALID_HTTP_TOKEN"),
            Self::InvalidHeaderValue(_) => Some("ERR_INVALID_CHAR"),
            Self::InvalidTarget => Some("ERR_UNESCAPED_CHARACTERS"),
            _ => None,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidHeaderName(name) => {
                return write!(f, "Header name must be a valid HTTP token [\"{name}\"]");
            }
            Self::InvalidHeaderValue(name) => {
                return write!(f, "Invalid character in header content [\"{name}\"]");
            }
            Self::InvalidTarget => "Request path contains unescaped characters",
            Self::Parse { reason, .. } => return write!(f, "Parse Error: {reason}"),
            Self::UnexpectedResponse(status) => {
                return write!(f, "Unexpected server response: {status}");
            }
            Self::InvalidUpgrade => "Invalid Upgrade header",
            Self::InvalidAccept => "Invalid Sec-WebSocket-Accept header",
            Self::UnrequestedSubprotocol => "Server sent a subprotocol but none was requested",
            Self::InvalidSubprotocol => "Server sent an invalid subprotocol",
            Self::MissingSubprotocol => "Server sent no subprotocol",
            Self::UnrequestedExtensions => {
                "Server sent a Sec-WebSocket-Extensions header but no extension was requested"
            }
            Self::UnrequestedExtension => "Server indicated an extension that was not requested",
            Self::InvalidExtensions => "Invalid Sec-WebSocket-Extensions header",
        })
    }
}

impl std::error::Error for HandshakeError {}

fn parse_head(bytes: &[u8]) -> Result<Response, HandshakeError> {
    if !may_start_response(bytes) {
        return Err(not_http());
    }
    let mut fields = [MaybeUninit::uninit(); MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut fields,
    );
    match parsed {
        Ok(httparse::Status::Complete(len)) if len == bytes.len() => {}
        Ok(_) => {
            return Err(parse_error(
                "Invalid header token",
                "HPE_INVALID_HEADER_TOKEN",
            ));
        }
        Err(error) => return Err(http_error(error)),
    }
    Ok(Response {
        status: response.code.unwrap_or(0),
        reason: response.reason.unwrap_or_default().to_owned(),
        minor_version: response.version.unwrap_or(0),
        head: Head::from_raw(response.headers),
    })
}

/// Node's words for what is wrong with a head.
fn http_error(error: httparse::Error) -> HandshakeError {
    match error {
        httparse::Error::Status => parse_error("Invalid status code", "HPE_INVALID_STATUS"),
        httparse::Error::Version => parse_error("Invalid HTTP version", "HPE_INVALID_VERSION"),
        httparse::Error::HeaderValue => {
            parse_error("Invalid header value char", "HPE_INVALID_HEADER_TOKEN")
        }
        httparse::Error::NewLine => parse_error("Missing expected LF", "HPE_LF_EXPECTED"),
        httparse::Error::TooManyHeaders => parse_error("Header overflow", "HPE_HEADER_OVERFLOW"),
        _ => parse_error("Invalid header token", "HPE_INVALID_HEADER_TOKEN"),
    }
}

fn not_http() -> HandshakeError {
    parse_error("Expected HTTP/, RTSP/ or ICE/", "HPE_INVALID_CONSTANT")
}

fn parse_error(reason: &'static str, code: &'static str) -> HandshakeError {
    HandshakeError::Parse { reason, code }
}

/// Whether more bytes could make `buf` a response.
fn may_start_response(buf: &[u8]) -> bool {
    let lines = buf
        .iter()
        .skip_while(|&&byte| byte == b'\r' || byte == b'\n');
    lines.zip(b"HTTP/").all(|(byte, expected)| byte == expected)
}

/// Characters up to U+00FF, each as one byte.
fn write_latin1(out: &mut Vec<u8>, text: &str) {
    out.extend(text.chars().map(|c| c as u8));
}

#[cfg(test)]
mod tests;
