//! The server's half: read and judge a request, write the answer (RFC 6455 section 4.2).

use std::mem::MaybeUninit;

use super::head::{Head, HeadScan, ScanError};
use super::{MAX_HEADERS, Parsed, accept_key, status};
use crate::proto::deflate::{self, Accepted, DeflateOptions};
use crate::proto::token::is_token_byte;
use crate::proto::{extension, subprotocol};

/// The longest method that is waited for.
const MAX_METHOD_LEN: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// The request target as it stood: path and query.
    pub target: String,
    /// 1 for HTTP/1.1.
    pub minor_version: u8,
    pub head: Head,
}

/// A response that refuses the upgrade. The message is the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
    /// In addition to `Connection`, `Content-Type` and `Content-Length`, or in their place.
    pub headers: Vec<(&'static str, String)>,
}

/// What [`check_request`] found in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The value for `Sec-WebSocket-Accept`.
    pub accept: [u8; 28],
    /// 13, or 8, whose frames are the same.
    pub version: u8,
}

/// What [`check_upgrade`] found in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    pub accept: [u8; 28],
    pub version: u8,
    /// The subprotocols that the client offers, unique, in its order of preference.
    pub protocols: Vec<String>,
    /// What of permessage-deflate is accepted.
    pub deflate: Option<Accepted>,
}

impl Refusal {
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            headers: Vec::new(),
        }
    }
}

/// Parses a request head at the start of `buf`. For a head that comes in many pieces
/// [`parse_request_with`] is the one that stays linear.
///
/// Errors: 400 for what is not HTTP/1 or frames a body in two ways, 431 for a head over
/// [`MAX_HEAD_LEN`](super::MAX_HEAD_LEN) bytes or [`MAX_HEADERS`] fields.
pub fn parse_request(buf: &[u8]) -> Result<Parsed<Request>, Refusal> {
    parse_request_with(&mut HeadScan::default(), buf)
}

/// [`parse_request`] for a growing `buf`: `scan` remembers how far it was looked at.
pub fn parse_request_with(scan: &mut HeadScan, buf: &[u8]) -> Result<Parsed<Request>, Refusal> {
    match scan.find_end(buf) {
        Ok(Some(consumed)) => {
            let value = parse_head(&buf[..consumed])?;
            check_body_framing(&value.head)?;
            Ok(Parsed::Complete { value, consumed })
        }
        // A peer that does not speak HTTP, TLS on the plain port for one, gets its answer now and
        // not when the handshake times out.
        Ok(None) if !may_start_request(buf) => Err(bad_request("Invalid HTTP request")),
        Ok(None) => Ok(Parsed::Incomplete),
        Err(ScanError::BareLineFeed) => Err(bad_request("Invalid HTTP request")),
        Err(ScanError::TooLong) => Err(Refusal::new(431, status::text(431))),
    }
}

/// Whether the request asks for an upgrade in Node's sense: an `Upgrade` field, and `upgrade` among
/// the tokens of `Connection`. Any other is a plain HTTP request.
pub fn is_upgrade(request: &Request) -> bool {
    request.head.count("upgrade") > 0 && request.head.has_token("connection", "upgrade")
}

/// The checks of ws before its path check, in its order.
///
/// Errors: 405 for another method than GET, 400 for the fields of section 4.2.1, a field of them
/// given twice, or a body.
pub fn check_request(request: &Request) -> Result<Checked, Refusal> {
    let head = &request.head;
    if request.method != "GET" {
        return Err(Refusal::new(405, "Invalid HTTP method"));
    }
    // 4.2.1: "An |Upgrade| header field containing the value 'websocket'": it is a list (RFC 9110
    // section 7.8), of which ws takes one element only.
    if !head.has_token("upgrade", "websocket") {
        return Err(bad_request("Invalid Upgrade header"));
    }
    // 11.3.1: the field MUST NOT appear more than once.
    let key = head.get("sec-websocket-key");
    let Some(key) = key.filter(|key| is_valid_key(key) && head.count("sec-websocket-key") == 1)
    else {
        return Err(bad_request("Missing or invalid Sec-WebSocket-Key header"));
    };
    let version = match head.get("sec-websocket-version").as_deref() {
        Some("13") => 13,
        Some("8") => 8,
        _ => {
            // 4.4: the refusal names the versions that the server speaks.
            let mut refusal = bad_request("Missing or invalid Sec-WebSocket-Version header");
            refusal
                .headers
                .push(("Sec-WebSocket-Version", "13, 8".to_owned()));
            return Err(refusal);
        }
    };
    // What follows the head is read as frames. A body would be too, or be hidden from a proxy.
    let content_length = head.get("content-length");
    if head.count("transfer-encoding") > 0
        || content_length.is_some_and(|length| length.bytes().any(|digit| digit != b'0'))
    {
        return Err(bad_request("Unexpected body in the upgrade request"));
    }
    Ok(Checked {
        accept: accept_key(key.as_bytes()),
        version,
    })
}

/// The subprotocols on offer; none without the field.
///
/// Errors: 400 if the field is malformed or names one twice.
pub fn parse_protocols(request: &Request) -> Result<Vec<String>, Refusal> {
    match request.head.get("sec-websocket-protocol") {
        Some(value) => subprotocol::parse(&value)
            .map_err(|_| bad_request("Invalid Sec-WebSocket-Protocol header")),
        None => Ok(Vec::new()),
    }
}

/// What of permessage-deflate is accepted; `None` if it is not on offer.
///
/// Errors: 400 if the field is malformed, or every offer of the extension is against the options.
pub fn accept_extensions(
    request: &Request,
    options: &DeflateOptions,
) -> Result<Option<Accepted>, Refusal> {
    let Some(value) = request.head.get("sec-websocket-extensions") else {
        return Ok(None);
    };
    let refusal = || bad_request("Invalid or unacceptable Sec-WebSocket-Extensions header");
    let extensions = extension::parse(&value).map_err(|_| refusal())?;
    deflate::accept_offer(&extensions, options).map_err(|_| refusal())
}

/// [`check_request`] and [`parse_protocols`], for a server without a path to check in between and
/// without extensions.
pub fn check_upgrade(request: &Request) -> Result<Upgrade, Refusal> {
    let Checked { accept, version } = check_request(request)?;
    Ok(Upgrade {
        accept,
        version,
        protocols: parse_protocols(request)?,
        deflate: None,
    })
}

/// Writes the response that opens the connection (section 4.2.2). The values must come from the
/// request's own tokens or be free of CR and LF.
pub fn write_accept(
    out: &mut Vec<u8>,
    accept: &[u8; 28],
    protocol: Option<&str>,
    extensions: Option<&str>,
) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\n\
          Upgrade: websocket\r\n\
          Connection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    out.extend_from_slice(accept);
    out.extend_from_slice(b"\r\n");
    for (name, value) in [
        ("Sec-WebSocket-Protocol", protocol),
        ("Sec-WebSocket-Extensions", extensions),
    ] {
        if let Some(value) = value {
            write_field(out, name, value);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes a refusal, after which the connection is to be closed.
pub fn write_refusal(out: &mut Vec<u8>, refusal: &Refusal) {
    let Refusal {
        status,
        message,
        headers,
    } = refusal;
    let line = format!("HTTP/1.1 {status} {}\r\n", status::text(*status));
    out.extend_from_slice(line.as_bytes());
    for (name, value) in [
        ("Connection", "close"),
        ("Content-Type", "text/html"),
        ("Content-Length", &message.len().to_string()),
    ] {
        if !headers
            .iter()
            .any(|(own, _)| own.eq_ignore_ascii_case(name))
        {
            write_field(out, name, value);
        }
    }
    for (name, value) in headers {
        write_field(out, name, value);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(message.as_bytes());
}

/// The answer to a plain HTTP request. With `keep_alive` another request may follow it.
pub fn write_upgrade_required(out: &mut Vec<u8>, keep_alive: bool) {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    write_refusal(
        out,
        &Refusal {
            status: 426,
            message: status::text(426).to_owned(),
            headers: vec![
                ("Connection", connection.to_owned()),
                ("Content-Type", "text/plain".to_owned()),
            ],
        },
    );
}

/// Whether another request can follow this one: it has no body that would have to be skipped, and
/// keeps the connection (RFC 9112 section 9.3).
pub fn keeps_alive(request: &Request) -> bool {
    let head = &request.head;
    let bodiless = head.count("transfer-encoding") == 0
        && head
            .get("content-length")
            .is_none_or(|length| length.bytes().all(|d| d == b'0'));
    bodiless && request.minor_version == 1 && !head.has_token("connection", "close")
}

fn bad_request(message: &str) -> Refusal {
    Refusal::new(400, message)
}

fn parse_head(bytes: &[u8]) -> Result<Request, Refusal> {
    let mut fields = [MaybeUninit::uninit(); MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(bytes, &mut fields);
    match parsed {
        Ok(httparse::Status::Complete(len)) if len == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::new(431, status::text(431))),
        // Folded fields end up here: RFC 9112 5.2 lets a server refuse them.
        _ => return Err(bad_request("Invalid HTTP request")),
    }
    let (Some(method), Some(target), Some(minor_version)) =
        (request.method, request.path, request.version)
    else {
        return Err(bad_request("Invalid HTTP request"));
    };
    // as in `may_start_request`: how the bytes are split must not matter
    if method.len() > MAX_METHOD_LEN {
        return Err(bad_request("Invalid HTTP request"));
    }
    Ok(Request {
        method: method.to_owned(),
        target: target.to_owned(),
        minor_version,
        head: Head::from_raw(request.headers),
    })
}

/// RFC 9112 6.3: a message whose length can be read in two ways is refused, as Node does.
fn check_body_framing(head: &Head) -> Result<(), Refusal> {
    match head.count("content-length") {
        0 => Ok(()),
        1 if head.count("transfer-encoding") > 0 => Err(bad_request(
            "Content-Length together with Transfer-Encoding",
        )),
        1 => {
            let length = head.get("content-length").unwrap_or_default();
            if length.is_empty() || length.bytes().any(|byte| !byte.is_ascii_digit()) {
                return Err(bad_request("Invalid Content-Length header"));
            }
            Ok(())
        }
        _ => Err(bad_request("Duplicate Content-Length header")),
    }
}

/// Whether more bytes could make `buf` a request: it starts with what could be a method.
fn may_start_request(buf: &[u8]) -> bool {
    let mut start = buf
        .iter()
        .skip_while(|&&byte| byte == b'\r' || byte == b'\n')
        .enumerate();
    match start.find(|&(_, &byte)| !is_token_byte(byte)) {
        Some((at, &byte)) => byte == b' ' && (1..=MAX_METHOD_LEN).contains(&at),
        None => start_len(buf) <= MAX_METHOD_LEN,
    }
}

/// The length of `buf` without the empty lines before the request line.
fn start_len(buf: &[u8]) -> usize {
    buf.len()
        - buf
            .iter()
            .take_while(|&&byte| byte == b'\r' || byte == b'\n')
            .count()
}

/// 4.2.1: "a base64-encoded value that, when decoded, is 16 bytes in length".
fn is_valid_key(key: &str) -> bool {
    let key = key.as_bytes();
    key.len() == 24
        && key.ends_with(b"==")
        && key[..22]
            .iter()
            .all(|&c| c.is_ascii_alphanumeric() || c == b'+' || c == b'/')
}

fn write_field(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests;
