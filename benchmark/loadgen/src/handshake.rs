//! The opening handshake (RFC 6455 section 4.1): the request, the judgement of the response, and
//! both of them on a connection that is opened for it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use crate::stream::Stream;
use crate::tls::TlsStream;

const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_RESPONSE: usize = 16 * 1024;
/// The key and accept value of RFC 6455 section 1.3, which spares the generator a SHA-1.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Connects and upgrades, with TLS if there is a configuration; the stream that comes back is
/// non-blocking.
pub fn connect(server: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Stream> {
    let tcp = TcpStream::connect_timeout(&server, TIMEOUT)?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(TIMEOUT))?;
    let mut stream = match tls {
        None => Stream::Plain(tcp),
        Some(config) => Stream::Tls(Box::new(TlsStream::connect(tcp, config)?)),
    };
    stream.write_all(request(server).as_bytes())?;
    read_response(&mut stream)?;
    stream.set_nonblocking()?;
    Ok(stream)
}

fn read_response(stream: &mut Stream) -> io::Result<()> {
    let mut response = Response::default();
    let mut buffer = [0; 2048];
    loop {
        let count = stream.read(&mut buffer)?;
        if response.take(&buffer[..count]).map_err(io::Error::other)? {
            return Ok(());
        }
    }
}

pub fn request(server: SocketAddr) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// Gathers a response until its head is complete.
#[derive(Default)]
pub struct Response {
    bytes: Vec<u8>,
}

impl Response {
    /// Takes what was read, nothing at the end of the stream. `true`: the server has accepted.
    pub fn take(&mut self, bytes: &[u8]) -> Result<bool, String> {
        self.bytes.extend_from_slice(bytes);
        let text = String::from_utf8_lossy(&self.bytes);
        if text.contains("\r\n\r\n") {
            return check_response(&text).map(|()| true);
        }
        if bytes.is_empty() || self.bytes.len() > MAX_RESPONSE {
            return Err(format!("handshake ended after {text:?}"));
        }
        Ok(false)
    }
}

fn check_response(response: &str) -> Result<(), String> {
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
    if header("sec-websocket-extensions").is_some() {
        return fail("an extension that was not offered");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                        sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    #[test]
    fn a_response_may_come_in_pieces() {
        for at in 1..GOOD.len() {
            let mut response = Response::default();
            assert_eq!(response.take(&GOOD.as_bytes()[..at]), Ok(false));
            assert_eq!(response.take(&GOOD.as_bytes()[at..]), Ok(true));
        }
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
            assert!(Response::default().take(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
