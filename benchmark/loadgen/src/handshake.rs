//! The opening handshake (RFC 6455 section 4.1): the request, the judgement of the response, and
//! both of them on a connection that is opened for it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use crate::extension::{Agreed, Deflate};
use crate::stream::Stream;

const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_RESPONSE: usize = 16 * 1024;
/// The key and accept value of RFC 6455 section 1.3, which spares the generator a SHA-1.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A connection that was upgraded. Its stream is non-blocking.
pub struct Opened {
    pub stream: Stream,
    /// Only with an offer.
    pub deflate: Option<Agreed>,
}

/// Connects and upgrades, with TLS if there is a configuration, with compression if it is offered.
pub fn connect(
    server: SocketAddr,
    tls: Option<&Arc<ClientConfig>>,
    offer: Option<Deflate>,
) -> io::Result<Opened> {
    let tcp = TcpStream::connect_timeout(&server, TIMEOUT)?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(TIMEOUT))?;
    let mut stream = Stream::new(tcp, server, tls)?;
    stream.write_all(request(server, offer).as_bytes())?;
    let deflate = read_response(&mut stream, offer)?;
    stream.tcp().set_nonblocking(true)?;
    Ok(Opened { stream, deflate })
}

fn read_response(stream: &mut Stream, offer: Option<Deflate>) -> io::Result<Option<Agreed>> {
    let mut response = Response::new(offer);
    let mut buffer = [0; 2048];
    loop {
        let count = stream.read(&mut buffer)?;
        if response.take(&buffer[..count]).map_err(io::Error::other)? {
            return Ok(response.deflate);
        }
    }
}

pub fn request(server: SocketAddr, offer: Option<Deflate>) -> String {
    let extensions = offer.map_or_else(String::new, |deflate| {
        format!("Sec-WebSocket-Extensions: {}\r\n", deflate.offer())
    });
    format!(
        "GET / HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{extensions}\r\n"
    )
}

/// Gathers a response until its head is complete.
pub struct Response {
    offer: Option<Deflate>,
    deflate: Option<Agreed>,
    bytes: Vec<u8>,
}

impl Response {
    /// To a request with this offer.
    pub fn new(offer: Option<Deflate>) -> Self {
        Self {
            offer,
            deflate: None,
            bytes: Vec::new(),
        }
    }

    /// Takes what was read, nothing at the end of the stream. `true`: the server has accepted.
    pub fn take(&mut self, bytes: &[u8]) -> Result<bool, String> {
        self.bytes.extend_from_slice(bytes);
        let text = String::from_utf8_lossy(&self.bytes);
        if text.contains("\r\n\r\n") {
            self.deflate = check_response(&text, self.offer)?;
            return Ok(true);
        }
        if bytes.is_empty() || self.bytes.len() > MAX_RESPONSE {
            return Err(format!("handshake ended after {text:?}"));
        }
        Ok(false)
    }
}

fn check_response(response: &str, offer: Option<Deflate>) -> Result<Option<Agreed>, String> {
    let fail = |what: &str| Err(format!("{what} in the handshake response {response:?}"));
    let Some((head, rest)) = response.split_once("\r\n\r\n") else {
        return fail("no end of headers");
    };
    if !head.starts_with("HTTP/1.1 101") {
        return fail("no status 101");
    }
    if !rest.is_empty() {
        return fail("unexpected data");
    }
    let header = |name: &str| {
        let mut pairs = head.lines().filter_map(|line| line.split_once(':'));
        pairs
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    if header("sec-websocket-accept") != Some(ACCEPT) {
        return fail("wrong Sec-WebSocket-Accept");
    }
    let extensions = header("sec-websocket-extensions");
    match offer {
        None if extensions.is_some() => fail("an extension that was not offered"),
        None => Ok(None),
        Some(deflate) => deflate.judge(extensions).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                        sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    #[test]
    fn a_response_may_come_in_pieces() {
        for at in 1..GOOD.len() {
            let mut response = Response::new(None);
            assert_eq!(response.take(&GOOD.as_bytes()[..at]), Ok(false));
            assert_eq!(response.take(&GOOD.as_bytes()[at..]), Ok(true));
        }
    }

    #[test]
    fn what_is_offered_has_to_be_accepted() {
        let offer = Some(Deflate::Takeover);
        let refusal = Response::new(offer).take(GOOD.as_bytes()).unwrap_err();
        assert_eq!(refusal, "the server did not accept permessage-deflate");
        let header = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        let good = GOOD.replace("\r\n\r\n", header);
        let mut response = Response::new(offer);
        assert_eq!(response.take(good.as_bytes()), Ok(true));
        assert!(response.deflate.unwrap().server_takeover);
    }

    #[test]
    fn other_responses_are_faults() {
        for bad in [
            GOOD.replace("101", "200"),
            GOOD.replace("xOo=", "xOo"),
            GOOD.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x\r\n\r\n"),
            format!("{GOOD}x"),
            String::new(),
        ] {
            assert!(Response::new(None).take(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
