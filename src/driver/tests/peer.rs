//! The other end of a connection: a plain socket that speaks frames.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use super::host::{ACCEPT, PATIENCE, request};
use crate::proto::Role;
use crate::proto::frame::{FrameHeader, HeaderParse, HeaderRules, Opcode, parse_header};
use crate::proto::mask::apply_mask;
use crate::proto::testing;

pub struct Peer<S = TcpStream> {
    pub stream: S,
    buf: Vec<u8>,
    role: Role,
}

/// Its end of the stream, or how the connection was cut.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Eof,
    Reset,
}

impl Peer {
    /// A client that has not said anything.
    pub fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).expect("a listening server");
        stream.set_nodelay(true).unwrap();
        Self::on(stream, Role::Client)
    }

    /// A client with an open WebSocket.
    pub fn upgraded(to: SocketAddr) -> Self {
        let mut peer = Self::connect(to);
        peer.write(&request("/"));
        peer.expect_101();
        peer
    }

    /// A client whose receive buffer is as small as the system allows.
    pub fn narrow(to: SocketAddr) -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&to.into()).unwrap();
        let mut peer = Self::on(socket.into(), Role::Client);
        peer.write(&request("/"));
        peer.expect_101();
        peer
    }

    /// The server's end of the next connection to `listener`.
    pub fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_nodelay(true).unwrap();
        Self::on(stream, Role::Server)
    }

    fn on(stream: TcpStream, role: Role) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            buf: Vec::new(),
            role,
        }
    }

    /// Ends the connection with RST.
    pub fn reset(self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    /// Ends the sending half with FIN.
    pub fn half_close(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
}

#[cfg(unix)]
impl Peer<std::os::unix::net::UnixStream> {
    pub fn accept_unix(listener: &std::os::unix::net::UnixListener) -> Self {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            buf: Vec::new(),
            role: Role::Server,
        }
    }
}

impl<S: Read + Write> Peer<S> {
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("a peer that reads");
    }

    pub fn frame(&self, fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let mask = (self.role == Role::Client).then_some([0x37, 0xfa, 0x21, 0x3d]);
        testing::frame(fin, opcode, payload, mask)
    }

    pub fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        let frame = self.frame(true, opcode, payload);
        self.write(&frame);
    }

    pub fn send_close(&mut self, code: u16) {
        self.send(Opcode::Close, &code.to_be_bytes());
    }

    /// The next frame; panics at the end of the stream.
    pub fn recv(&mut self) -> (Opcode, Vec<u8>) {
        let (_, opcode, payload) = self.recv_frame(false);
        (opcode, payload)
    }

    /// The next frame, with its RSV1, which has to be allowed.
    pub fn recv_frame(&mut self, rsv1_allowed: bool) -> (bool, Opcode, Vec<u8>) {
        let (header, payload) = self.recv_part(false, rsv1_allowed);
        assert!(header.fin);
        (header.rsv1, header.opcode, payload)
    }

    /// A frame that may be a fragment; `fragmented`: a message has begun.
    pub fn recv_part(&mut self, fragmented: bool, rsv1_allowed: bool) -> (FrameHeader, Vec<u8>) {
        loop {
            let rules = HeaderRules {
                role: self.role,
                fragmented,
                rsv1_allowed,
            };
            let parsed = parse_header(&self.buf, rules).expect("a legal frame");
            if let HeaderParse::Complete { header, len } = parsed {
                let end = len + header.payload_len as usize;
                if self.buf.len() >= end {
                    let mut payload = self.buf[len..end].to_vec();
                    if let Some(key) = header.mask {
                        apply_mask(&mut payload, key, 0);
                    }
                    self.buf.drain(..end);
                    return (header, payload);
                }
            }
            assert_ne!(self.fill().expect("a frame"), 0, "a frame, not the end");
        }
    }

    /// Everything up to and with the empty line.
    pub fn recv_head(&mut self) -> String {
        loop {
            if let Some(at) = self.buf.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = self.buf.drain(..at + 4).collect();
                return String::from_utf8(head).expect("an ASCII head");
            }
            assert_ne!(self.fill().expect("a head"), 0, "a head, not the end");
        }
    }

    /// Takes `text`, which has to come next.
    pub fn skip(&mut self, text: &str) {
        while self.buf.len() < text.len() {
            assert_ne!(self.fill().expect(text), 0, "{text}");
        }
        assert_eq!(
            self.buf.drain(..text.len()).collect::<Vec<_>>(),
            text.as_bytes()
        );
    }

    pub fn expect_101(&mut self) {
        let head = self.recv_head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains(ACCEPT), "{head}");
    }

    pub fn answer_101(&mut self, then: &[u8]) {
        self.recv_head();
        let mut answer = accept_head().into_bytes();
        answer.extend_from_slice(then);
        self.write(&answer);
    }

    /// All that comes before the end, and how it ends.
    pub fn drain(&mut self) -> (Vec<u8>, End) {
        loop {
            match self.fill() {
                Ok(0) => return (std::mem::take(&mut self.buf), End::Eof),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => {
                    return (std::mem::take(&mut self.buf), End::Reset);
                }
                Err(e) => panic!("neither bytes nor the end: {e}"),
            }
        }
    }

    pub fn expect_end(&mut self) {
        let (rest, _) = self.drain();
        assert_eq!(rest, b"", "nothing before the end");
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 65536];
        let count = self.stream.read(&mut chunk)?;
        self.buf.extend_from_slice(&chunk[..count]);
        Ok(count)
    }
}

pub fn accept_head() -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    )
}

/// A port of this machine on which nothing listens.
pub fn dead_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// A port where connecting takes for ever: the queue of the listener is full. Lives as long as what
/// comes with it.
#[cfg(target_os = "linux")]
pub fn black_hole() -> (SocketAddr, impl Sized) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let fill: Vec<_> = (0..3)
        .map(|_| {
            let one =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            one.set_nonblocking(true).unwrap();
            let _ = one.connect(&address.into());
            one
        })
        .collect();
    (address, (socket, fill))
}
