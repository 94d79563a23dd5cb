//! One connection of the connect mode, from its SYN to the server's FIN: perhaps TLS, upgrade, perhaps
//! one echo, closing handshake.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use rustls::ClientConfig;
use socket2::{Domain, Protocol, Socket, Type};

use crate::frame::{Burst, OPCODE_CLOSE, Pool, Shape, Stamp, push_frame};
use crate::handshake::{self, Response};
use crate::receiver::{Event, Header, Receiver};
use crate::stream::{Stream, is_transient};
use crate::sys::{self, Ready};

/// Status 1000, which both close frames carry (RFC 6455 section 7.4.1).
const NORMAL_CLOSURE: [u8; 2] = 1000u16.to_be_bytes();
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// Connections in a row that come from one address: well below what it has ports.
const PER_SOURCE: u64 = 16_384;

/// What all visits do, made beforehand.
pub struct Plan {
    server: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    request: Vec<u8>,
    close: Vec<u8>,
    /// The message that is echoed, if one is.
    echo: Option<(Shape, Rc<Pool>)>,
}

impl Plan {
    pub fn new(server: SocketAddr, tls: Option<Arc<ClientConfig>>, echo: Option<Shape>) -> Self {
        let mut close = Vec::new();
        push_frame(&mut close, OPCODE_CLOSE, &NORMAL_CLOSURE, MASK);
        Self {
            server,
            tls,
            request: handshake::request(server, None).into_bytes(),
            close,
            echo: echo.map(|shape| (shape, Pool::new(shape))),
        }
    }

    /// The frame that the `number`-th visit has echoed, and the payload that has to come back.
    fn message(&self, number: u64) -> Option<(Vec<u8>, Vec<u8>)> {
        let (shape, pool) = self.echo.as_ref()?;
        let number = number as u32;
        let mut burst = Burst::new(*shape, pool, 0, 1);
        burst.stamp(number);
        let mut payload = pool.payload(0, 0).to_vec();
        let stamp = Stamp::new(*shape, 0, number);
        payload[..stamp.as_bytes().len()].copy_from_slice(stamp.as_bytes());
        Some((burst.slice(0..burst.len()).to_vec(), payload))
    }
}

/// What the server does next.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Phase {
    Accept,
    Upgrade,
    Echo,
    Close,
    Fin,
    Gone,
}

pub struct Visit {
    plan: Rc<Plan>,
    number: u64,
    stream: Stream,
    started: Instant,
    phase: Phase,
    outgoing: Vec<u8>,
    written: usize,
    response: Response,
    receiver: Receiver,
    /// The frame that is being received, and the one that has to come.
    received: Vec<u8>,
    expected: Vec<u8>,
}

impl Visit {
    /// Begins the `number`-th visit; the socket is writable when the server has taken it.
    pub fn begin(plan: &Rc<Plan>, number: u64) -> Result<Self, String> {
        let started = Instant::now();
        let stream = dial(plan.server, number)
            .and_then(|tcp| Stream::new(tcp, plan.server, plan.tls.as_ref()))
            .map_err(|error| format!("connection {number} to {}: {error}", plan.server))?;
        Ok(Self {
            plan: Rc::clone(plan),
            number,
            stream,
            started,
            phase: Phase::Accept,
            outgoing: Vec::new(),
            written: 0,
            response: Response::new(None),
            receiver: Receiver::default(),
            received: Vec::new(),
            expected: Vec::new(),
        })
    }

    pub fn started(&self) -> Instant {
        self.started
    }

    /// The server has ended the connection, after all that was due.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Gone
    }

    pub fn wants_write(&self) -> bool {
        self.phase == Phase::Accept || self.is_writing()
    }

    fn is_writing(&self) -> bool {
        self.written < self.outgoing.len() || self.stream.has_unsent()
    }

    pub fn handle(&mut self, event: Ready, buffer: &mut [u8]) -> Result<(), String> {
        if self.phase == Phase::Accept {
            return self.finish_connect(event);
        }
        if event.writable {
            self.write_more()?;
        }
        if event.readable {
            self.read(buffer)?;
        }
        Ok(())
    }

    fn finish_connect(&mut self, event: Ready) -> Result<(), String> {
        match self.stream.tcp().take_error() {
            Ok(None) if event.writable => {
                let request = self.plan.request.clone();
                self.send(Phase::Upgrade, request)
            }
            Ok(None) => Ok(()),
            Ok(Some(error)) | Err(error) => Err(self.fault(&error.to_string())),
        }
    }

    fn send(&mut self, phase: Phase, bytes: Vec<u8>) -> Result<(), String> {
        self.phase = phase;
        self.outgoing = bytes;
        self.written = 0;
        self.write_more()
    }

    fn write_more(&mut self) -> Result<(), String> {
        while self.is_writing() {
            let result = match &self.outgoing[self.written..] {
                [] => self.stream.flush().map(|()| 0),
                rest => self.stream.write(rest),
            };
            match result {
                Ok(count) => self.written += count,
                Err(error) if is_transient(&error) => break,
                Err(error) => return Err(self.fault(&format!("write: {error}"))),
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), String> {
        let bytes = match self.stream.read(buffer) {
            Ok(count) => &buffer[..count],
            Err(error) if is_transient(&error) => return Ok(()),
            Err(error) => return Err(self.fault(&format!("read: {error}"))),
        };
        if self.phase == Phase::Upgrade {
            return match self.response.take(bytes) {
                Ok(true) => self.upgraded(),
                Ok(false) => Ok(()),
                Err(error) => Err(self.fault(&error)),
            };
        }
        if bytes.is_empty() {
            return self.end();
        }
        let mut input = bytes;
        while let Some(event) = self.receiver.next(&mut input) {
            match event {
                Event::Start(header) => self.start_frame(header)?,
                Event::Data { bytes, .. } => self.received.extend_from_slice(bytes),
                Event::End => self.end_frame()?,
            }
        }
        Ok(())
    }

    fn upgraded(&mut self) -> Result<(), String> {
        match self.plan.message(self.number) {
            None => self.send_close(),
            Some((frame, payload)) => {
                self.expected = payload;
                self.send(Phase::Echo, frame)
            }
        }
    }

    fn send_close(&mut self) -> Result<(), String> {
        self.expected = NORMAL_CLOSURE.to_vec();
        let close = self.plan.close.clone();
        self.send(Phase::Close, close)
    }

    fn start_frame(&mut self, header: Header) -> Result<(), String> {
        let opcode = match (self.phase, &self.plan.echo) {
            (Phase::Echo, Some((shape, _))) => shape.opcode(),
            (Phase::Close, _) => OPCODE_CLOSE,
            _ => return Err(self.fault(&format!("{header:?} after the close frame"))),
        };
        let expected = Header {
            fin: true,
            reserved: 0,
            opcode,
            masked: false,
            len: self.expected.len() as u64,
        };
        if header != expected {
            return Err(self.fault(&format!("{header:?} instead of {expected:?}")));
        }
        self.received.clear();
        Ok(())
    }

    fn end_frame(&mut self) -> Result<(), String> {
        if self.received != self.expected {
            return Err(self.fault("a payload that is not what was sent"));
        }
        if self.phase == Phase::Echo {
            return self.send_close();
        }
        self.phase = Phase::Fin;
        Ok(())
    }

    /// The server closes first (RFC 6455 section 7.1.1), and only after the close frame.
    fn end(&mut self) -> Result<(), String> {
        if self.phase != Phase::Fin {
            return Err(self.fault("closed by the server"));
        }
        self.stream
            .send_close_notify()
            .map_err(|error| self.fault(&format!("close_notify: {error}")))?;
        self.phase = Phase::Gone;
        Ok(())
    }

    fn fault(&self, what: &str) -> String {
        format!(
            "connection {}, waiting for {:?}: {what}",
            self.number, self.phase
        )
    }
}

impl AsRawFd for Visit {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

/// Starts to connect without waiting. The source address changes from time to time: the server
/// keeps each closed pair of addresses and ports for a minute (TIME_WAIT), and one address does not
/// have ports for all connections of a run.
fn dial(server: SocketAddr, number: u64) -> io::Result<TcpStream> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(server), kind, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source(server, number) {
        sys::bind_address_without_port(&socket)?;
        socket.bind(&SocketAddr::from((source, 0)).into())?;
    }
    match socket.connect(&server.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// All of 127.0.0.0/8 is this machine's; elsewhere the system chooses.
fn source(server: SocketAddr, number: u64) -> Option<Ipv4Addr> {
    match server {
        SocketAddr::V4(v4) if v4.ip().is_loopback() => Some(Ipv4Addr::new(
            127,
            0,
            0,
            1 + (number / PER_SOURCE % 254) as u8,
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_changes_before_ports_run_out() {
        let server = SocketAddr::from(([127, 0, 0, 1], 9));
        let last = |number| source(server, number).unwrap().octets()[3];
        assert_eq!((last(0), last(PER_SOURCE - 1), last(PER_SOURCE)), (1, 1, 2));
        assert_eq!((last(PER_SOURCE * 253), last(PER_SOURCE * 254)), (254, 1));
        assert_eq!(source(SocketAddr::from(([10, 0, 0, 1], 9)), 0), None);
    }

    #[test]
    fn the_frame_and_its_echo_are_stamped_alike() {
        let shape = Shape {
            size: 20,
            text: false,
        };
        let plan = Plan::new(SocketAddr::from(([127, 0, 0, 1], 9)), None, Some(shape));
        let (frame, payload) = plan.message(7).unwrap();
        let (mask, masked) = frame[2..].split_at(4);
        let unmasked: Vec<u8> = masked
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        assert_eq!(unmasked, payload);
        assert_eq!(payload[..4], 7u32.to_le_bytes());
    }
}
