//! One connection of the echo mode: sends a burst, verifies its echoes, sends the next.

use std::io::{Read, Write};
use std::rc::Rc;
use std::time::Instant;

use crate::frame::{Burst, OPCODE_CLOSE, Pool, Shape, Stamp};
use crate::receiver::{Event, Header, Receiver};
use crate::stream::{Stream, is_transient};

/// Payloads up to this size are compared in full, larger ones only one time in eight.
const ALWAYS_COMPARED: usize = 4096;

pub struct Connection {
    stream: Stream,
    index: u32,
    shape: Shape,
    depth: usize,
    verify_all: bool,
    pool: Rc<Pool>,
    burst: Burst,
    written: usize,
    sent_at: Instant,
    /// Sequence number of the first message of the burst.
    sequence: u32,
    /// Echoes of the burst that have arrived in full.
    echoed: usize,
    receiver: Receiver,
    in_control_frame: bool,
}

impl Connection {
    pub fn new(
        stream: Stream,
        index: usize,
        pool: &Rc<Pool>,
        shape: Shape,
        depth: usize,
        verify_all: bool,
    ) -> Self {
        let index = index as u32;
        let burst = Burst::new(shape, pool, index, depth);
        Self {
            stream,
            index,
            shape,
            depth,
            verify_all,
            pool: Rc::clone(pool),
            written: burst.len(),
            burst,
            sent_at: Instant::now(),
            sequence: 0u32.wrapping_sub(depth as u32),
            echoed: depth,
            receiver: Receiver::default(),
            in_control_frame: false,
        }
    }

    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    pub fn sent_at(&self) -> Instant {
        self.sent_at
    }

    /// The burst has left in full and all of it has come back.
    pub fn is_idle(&self) -> bool {
        self.echoed == self.depth && !self.is_writing()
    }

    pub fn is_writing(&self) -> bool {
        self.written < self.burst.len() || self.stream.has_unsent()
    }

    /// Begins the next burst; requires `is_idle`.
    pub fn send_burst(&mut self) -> Result<(), String> {
        debug_assert!(self.is_idle());
        self.sequence = self.sequence.wrapping_add(self.depth as u32);
        self.burst.stamp(self.sequence);
        self.echoed = 0;
        self.written = 0;
        self.sent_at = Instant::now();
        self.write_more()
    }

    /// Writes what the socket takes of the current burst.
    pub fn write_more(&mut self) -> Result<(), String> {
        while self.is_writing() {
            let rest = self.burst.slice(self.written..self.burst.len());
            let result = match rest {
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

    /// Reads once; returns how many echoes that completed.
    pub fn read_echoes(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        let count = match self.stream.read(buffer) {
            Ok(0) => return Err(self.fault("closed by the server")),
            Ok(count) => count,
            Err(error) if is_transient(&error) => return Ok(0),
            Err(error) => return Err(self.fault(&format!("read: {error}"))),
        };
        let before = self.echoed;
        let mut input = &buffer[..count];
        while let Some(event) = self.receiver.next(&mut input) {
            match event {
                Event::Start(header) => self.start(header)?,
                Event::Data { .. } if self.in_control_frame => {}
                Event::Data { offset, bytes } => self.compare(offset as usize, bytes)?,
                Event::End if self.in_control_frame => {}
                Event::End => self.echoed += 1,
            }
        }
        Ok(self.echoed - before)
    }

    fn start(&mut self, header: Header) -> Result<(), String> {
        if header.masked || header.reserved != 0 {
            return Err(self.fault(&format!("a mask or reserved bits in {header:?}")));
        }
        if header.opcode == OPCODE_CLOSE {
            return Err(self.fault("a close frame from the server"));
        }
        // Pings need no answer within the seconds that a run takes.
        self.in_control_frame = header.opcode > OPCODE_CLOSE;
        if self.in_control_frame {
            return Ok(());
        }
        if self.echoed == self.depth {
            return Err(self.fault(&format!("an echo that was not asked for: {header:?}")));
        }
        let expected = Header {
            fin: true,
            reserved: 0,
            opcode: self.shape.opcode(),
            masked: false,
            len: self.shape.size as u64,
        };
        if header != expected {
            return Err(self.fault(&format!("{header:?} instead of {expected:?}")));
        }
        Ok(())
    }

    /// Compares a part of an echo with what was sent.
    fn compare(&self, offset: usize, bytes: &[u8]) -> Result<(), String> {
        let sequence = self.sequence.wrapping_add(self.echoed as u32);
        let stamp_len = self.shape.stamp_len();
        let in_stamp = stamp_len.saturating_sub(offset).min(bytes.len());
        let (head, body) = bytes.split_at(in_stamp);
        if !head.is_empty() {
            let stamp = Stamp::new(self.shape, self.index, sequence);
            let expected = &stamp.as_bytes()[offset..offset + head.len()];
            if head != expected {
                return Err(self.fault(&format!(
                    "stamp {head:02x?} instead of {expected:02x?} in message {sequence}"
                )));
            }
        }
        if self.shape.size > ALWAYS_COMPARED && !self.verify_all && !sequence.is_multiple_of(8) {
            return Ok(());
        }
        let from = offset + in_stamp;
        let expected = &self.pool.payload(self.index, self.echoed)[from..from + body.len()];
        if body != expected {
            let wrong = body
                .iter()
                .zip(expected)
                .position(|(a, b)| a != b)
                .unwrap_or(0);
            return Err(self.fault(&format!(
                "byte {} of message {sequence} is {:#04x} instead of {:#04x}",
                from + wrong,
                body[wrong],
                expected[wrong]
            )));
        }
        Ok(())
    }

    pub fn fault(&self, what: &str) -> String {
        format!("connection {}: {what}", self.index)
    }
}
