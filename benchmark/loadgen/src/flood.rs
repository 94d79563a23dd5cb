//! The flood mode: sends as fast as the sockets take it, then asks the server what arrived.
//!
//! Each connection ends with the text message `end COUNT`; the server answers `ok COUNT` if that
//! many stamped messages arrived in order, and anything else if not.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::frame::{Burst, OPCODE_CLOSE, OPCODE_TEXT, Pool, push_frame};
use crate::options::Options;
use crate::receiver::{Event, Receiver};
use crate::report::Report;
use crate::server::Server;
use crate::stream::{Stream, is_transient};
use crate::sys::Epoll;

/// How long the server may take to work off what it was sent.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

pub fn run(options: &Options) -> Result<Report, String> {
    let server = options.server_pid.map(Server::new).transpose()?;
    let mut epoll = Epoll::new().map_err(|error| format!("epoll: {error}"))?;
    let pool = Pool::new(options.shape);
    let mut connections: Vec<Flooder> = Vec::with_capacity(options.conns);
    for (index, opened) in crate::connect_all(options)?.into_iter().enumerate() {
        let stream = opened.stream;
        epoll
            .add(stream.as_raw_fd(), index, true)
            .map_err(|error| format!("connection {index}: epoll: {error}"))?;
        let burst = Burst::new(options.shape, &pool, index as u32, options.pipeline);
        connections.push(Flooder::new(stream, index, burst, options.pipeline as u32));
    }
    let rss_before = server.as_ref().map(Server::rss_kib).transpose()?;
    if let Some(server) = &server {
        server.reset_peak();
    }
    eprintln!("open {}", options.conns);

    let start = Instant::now();
    let stop_at = start + options.secs;
    let give_up_at = stop_at + ANSWER_TIMEOUT;
    let mut ready = Vec::new();
    while !connections
        .iter()
        .all(|connection| connection.answer.is_some())
    {
        let now = Instant::now();
        if now > give_up_at {
            let silent = connections.iter().filter(|c| c.answer.is_none()).count();
            return Err(format!(
                "{silent} connections had no answer after {ANSWER_TIMEOUT:?}"
            ));
        }
        epoll
            .wait(50, &mut ready)
            .map_err(|error| format!("epoll: {error}"))?;
        for event in &ready {
            let connection = &mut connections[event.token];
            if event.readable {
                connection.read()?;
            }
            if event.writable && !connection.write(now >= stop_at)? {
                epoll
                    .modify(connection.stream.as_raw_fd(), event.token, false)
                    .map_err(|error| connection.fault(&format!("epoll: {error}")))?;
            }
        }
    }

    let seconds = start.elapsed().as_secs_f64();
    let messages: u64 = connections
        .iter()
        .map(|connection| u64::from(connection.sent))
        .sum();
    for connection in &connections {
        connection.check()?;
    }
    let mut report = Report::default();
    report.text("mode", "flood");
    report.integer("conns", options.conns as u64);
    report.integer("size", options.shape.size as u64);
    report.number("secs", seconds);
    report.integer("msgs", messages);
    report.integer("bytes", messages * options.shape.size as u64);
    report.number("msgs_per_s", messages as f64 / seconds);
    if let (Some(server), Some(before)) = (&server, rss_before) {
        report.integer("rss_before_kib", before);
        report.integer("rss_kib", server.rss_kib()?);
        report.integer("peak_rss_kib", server.peak_rss_kib()?);
    }
    report.integer("errors", 0);
    Ok(report)
}

struct Flooder {
    stream: Stream,
    index: usize,
    burst: Burst,
    depth: u32,
    written: usize,
    /// Messages handed to `burst` so far.
    sent: u32,
    /// The closing message, once it is due, and how much of it has been written.
    end: Option<(Vec<u8>, usize)>,
    receiver: Receiver,
    text: Vec<u8>,
    answer: Option<String>,
}

impl Flooder {
    fn new(stream: Stream, index: usize, burst: Burst, depth: u32) -> Self {
        Self {
            stream,
            index,
            written: burst.len(),
            burst,
            depth,
            sent: 0,
            end: None,
            receiver: Receiver::default(),
            text: Vec::new(),
            answer: None,
        }
    }

    /// Writes once; `false` when nothing is left to write.
    fn write(&mut self, stop: bool) -> Result<bool, String> {
        if self.written == self.burst.len() {
            if stop {
                return self.write_end();
            }
            self.burst.stamp(self.sent);
            self.sent += self.depth;
            self.written = 0;
        }
        let result = self
            .stream
            .write(self.burst.slice(self.written..self.burst.len()));
        self.written += self.count(result)?;
        Ok(true)
    }

    fn write_end(&mut self) -> Result<bool, String> {
        let (frame, from) = self.end.take().unwrap_or_else(|| {
            let mut frame = Vec::new();
            let text = format!("end {}", self.sent);
            push_frame(&mut frame, OPCODE_TEXT, text.as_bytes(), [1, 2, 3, 4]);
            (frame, 0)
        });
        let result = self.stream.write(&frame[from..]);
        let written = from + self.count(result)?;
        let more = written < frame.len();
        self.end = Some((frame, written));
        Ok(more)
    }

    fn count(&self, result: std::io::Result<usize>) -> Result<usize, String> {
        match result {
            Ok(count) => Ok(count),
            Err(error) if is_transient(&error) => Ok(0),
            Err(error) => Err(self.fault(&format!("write: {error}"))),
        }
    }

    fn read(&mut self) -> Result<(), String> {
        let mut buffer = [0; 1024];
        let count = match self.stream.read(&mut buffer) {
            Ok(0) => return Err(self.fault("closed by the server")),
            Ok(count) => count,
            Err(error) if is_transient(&error) => return Ok(()),
            Err(error) => return Err(self.fault(&format!("read: {error}"))),
        };
        let mut input = &buffer[..count];
        let mut opcode = OPCODE_TEXT;
        while let Some(event) = self.receiver.next(&mut input) {
            match event {
                Event::Start(header) if header.opcode == OPCODE_CLOSE => {
                    return Err(self.fault("a close frame from the server"));
                }
                Event::Start(header) => opcode = header.opcode,
                Event::Data { bytes, .. } if opcode == OPCODE_TEXT => {
                    self.text.extend_from_slice(bytes);
                }
                Event::End if opcode == OPCODE_TEXT => {
                    self.answer = Some(String::from_utf8_lossy(&self.text).into_owned());
                }
                Event::Data { .. } | Event::End => {}
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        match &self.answer {
            Some(answer) if *answer == format!("ok {}", self.sent) => Ok(()),
            answer => Err(self.fault(&format!("sent {}, server says {answer:?}", self.sent))),
        }
    }

    fn fault(&self, what: &str) -> String {
        format!("connection {}: {what}", self.index)
    }
}
