//! One connection of the echo mode: sends a burst, verifies its echoes, sends the next.

use std::io::{Read, Write};
use std::time::Instant;

use crate::frame::OPCODE_CLOSE;
use crate::messages::Messages;
use crate::receiver::{Event, Header, Receiver};
use crate::stream::{Stream, is_transient};

pub struct Connection {
    stream: Stream,
    index: usize,
    depth: usize,
    messages: Box<dyn Messages>,
    written: usize,
    sent_at: Instant,
    /// Echoes of the burst that have arrived in full.
    echoed: usize,
    receiver: Receiver,
    /// Length on the wire of the echo that is being received; none is, or a control frame.
    echo_len: Option<u64>,
}

/// What a read has completed.
#[derive(Default)]
pub struct Echoes {
    pub count: u64,
    /// Bytes of their frames, header and payload.
    pub wire_bytes: u64,
}

impl Connection {
    pub fn new(stream: Stream, index: usize, messages: Box<dyn Messages>, depth: usize) -> Self {
        Self {
            stream,
            index,
            depth,
            written: messages.burst().len(),
            messages,
            sent_at: Instant::now(),
            echoed: depth,
            receiver: Receiver::default(),
            echo_len: None,
        }
    }

    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    pub fn into_stream(self) -> Stream {
        self.stream
    }

    pub fn sent_at(&self) -> Instant {
        self.sent_at
    }

    /// The burst has left in full and all of it has come back.
    pub fn is_idle(&self) -> bool {
        self.echoed == self.depth && !self.is_writing()
    }

    pub fn is_writing(&self) -> bool {
        self.written < self.messages.burst().len() || self.stream.has_unsent()
    }

    /// Begins the next burst; requires `is_idle`. Its latency counts from `since`, or from now.
    pub fn send_burst(&mut self, since: Option<Instant>) -> Result<(), String> {
        debug_assert!(self.is_idle());
        self.messages.advance();
        self.echoed = 0;
        self.written = 0;
        self.sent_at = since.unwrap_or_else(Instant::now);
        self.write_more()
    }

    /// Writes what the socket takes of the current burst.
    pub fn write_more(&mut self) -> Result<(), String> {
        while self.is_writing() {
            let result = match &self.messages.burst()[self.written..] {
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

    /// Reads once.
    pub fn read_echoes(&mut self, buffer: &mut [u8]) -> Result<Echoes, String> {
        let mut echoes = Echoes::default();
        let count = match self.stream.read(buffer) {
            Ok(0) => return Err(self.fault("closed by the server")),
            Ok(count) => count,
            Err(error) if is_transient(&error) => return Ok(echoes),
            Err(error) => return Err(self.fault(&format!("read: {error}"))),
        };
        let mut input = &buffer[..count];
        while let Some(event) = self.receiver.next(&mut input) {
            let verdict = match event {
                Event::Start(header) => self.start(header),
                Event::Data { .. } if self.echo_len.is_none() => Ok(()),
                Event::Data { offset, bytes } => self.messages.take(offset as usize, bytes),
                Event::End => match self.echo_len.take() {
                    None => Ok(()),
                    Some(len) => {
                        self.echoed += 1;
                        echoes.count += 1;
                        echoes.wire_bytes += len;
                        self.messages.end_echo()
                    }
                },
            };
            verdict.map_err(|what| self.fault(&what))?;
        }
        Ok(echoes)
    }

    fn start(&mut self, header: Header) -> Result<(), String> {
        if header.opcode == OPCODE_CLOSE {
            return Err("a close frame from the server".to_owned());
        }
        // Pings need no answer within the seconds that a run takes.
        if header.opcode > OPCODE_CLOSE {
            if header.masked || header.reserved != 0 {
                return Err(format!("a mask or reserved bits in {header:?}"));
            }
            return Ok(());
        }
        if self.echoed == self.depth {
            return Err(format!("an echo that was not asked for: {header:?}"));
        }
        self.echo_len = Some(header.wire_len() + header.len);
        self.messages.begin_echo(header)
    }

    pub fn fault(&self, what: &str) -> String {
        format!("connection {}: {what}", self.index)
    }
}
