//! Opens a connection and upgrades it (RFC 6455 section 4.1).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
/// The key and accept value of RFC 6455 section 1.3, which spares the generator a SHA-1.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Connects and upgrades; the stream that comes back is non-blocking.
pub fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&server, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let response = read_response(&mut stream)?;
    check_response(&response).map_err(io::Error::other)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn read_response(stream: &mut TcpStream) -> io::Result<String> {
    let mut response = Vec::new();
    let mut buffer = [0; 2048];
    while !response.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut buffer)?;
        if count == 0 || response.len() > 16 * 1024 {
            let text = String::from_utf8_lossy(&response);
            return Err(io::Error::other(format!("handshake ended after {text:?}")));
        }
        response.extend_from_slice(&buffer[..count]);
    }
    Ok(String::from_utf8_lossy(&response).into_owned())
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
