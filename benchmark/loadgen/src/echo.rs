//! The echo mode: every connection keeps one burst in flight.

use std::os::fd::AsRawFd;
use std::time::Instant;

use crate::connection::Connection;
use crate::event_loop::{EventLoop, Load};
use crate::histogram::Histogram;
use crate::messages::Maker;
use crate::options::Options;
use crate::pace::Pace;
use crate::report::Report;
use crate::server::Server;
use crate::sys::{Epoll, Ready};
use crate::window::Window;

const READ_BUFFER: usize = 256 * 1024;

pub fn run(options: &Options) -> Result<Report, String> {
    let server = options.server_pid.map(Server::new).transpose()?;
    if let Some(server) = &server {
        server.reset_peak();
    }
    let mut events = EventLoop::new(options);
    let mut generator = Generator::new(options)?;
    generator.start()?;
    if options.msgs.is_none() {
        events.run_for(&mut generator, options.warmup)?;
    }
    generator.reset();
    let window = Window::open(server.as_ref())?;
    match options.msgs {
        None => events.run_for(&mut generator, options.secs)?,
        Some(_) => generator.drain(&mut events)?,
    }
    let mut report = generator.report(options);
    window.close(server.as_ref(), generator.messages, "msg", &mut report)?;
    generator.drain(&mut events)?;
    report.integer("errors", 0);
    Ok(report)
}

struct Generator {
    epoll: Epoll,
    connections: Vec<Connection>,
    /// Whether the poll set asks for writability, by connection.
    wants_write: Vec<bool>,
    depth: u64,
    /// Messages that may still be sent.
    quota: u64,
    /// If bursts are sent at intervals.
    pace: Option<Pace>,
    buffer: Vec<u8>,
    latency: Histogram,
    messages: u64,
    /// Bytes of the echoes' frames.
    wire_bytes: u64,
}

impl Generator {
    fn new(options: &Options) -> Result<Self, String> {
        let epoll = Epoll::new().map_err(|error| format!("epoll: {error}"))?;
        let mut maker = Maker::new(options);
        let connections: Vec<Connection> = crate::connect_all(options)?
            .into_iter()
            .enumerate()
            .map(|(index, opened)| {
                let messages = maker.make(index, opened.deflate);
                Connection::new(opened.stream, index, messages, options.pipeline)
            })
            .collect();
        for (token, connection) in connections.iter().enumerate() {
            epoll
                .add(connection.stream().as_raw_fd(), token, false)
                .map_err(|error| format!("epoll: {error}"))?;
        }
        Ok(Self {
            epoll,
            wants_write: vec![false; connections.len()],
            pace: options
                .interval
                .map(|interval| Pace::new(interval, connections.len(), Instant::now())),
            connections,
            depth: options.pipeline as u64,
            quota: options.msgs.unwrap_or(u64::MAX),
            buffer: vec![0; READ_BUFFER],
            latency: Histogram::new(),
            messages: 0,
            wire_bytes: 0,
        })
    }

    fn start(&mut self) -> Result<(), String> {
        (0..self.connections.len()).try_for_each(|token| self.advance(token, false))
    }

    /// Forgets what was measured so far.
    fn reset(&mut self) {
        self.latency.clear();
        self.messages = 0;
        self.wire_bytes = 0;
    }

    /// Sends what the quota still allows and waits for every echo; without a quota, lets the
    /// bursts in flight come home.
    fn drain(&mut self, events: &mut EventLoop) -> Result<(), String> {
        if self.quota > u64::MAX / 2 {
            self.quota = 0;
        }
        events.run_until(self, |this, _| {
            this.quota < this.depth && this.connections.iter().all(Connection::is_idle)
        })
    }

    /// Starts the next burst when it is due, and asks for writability while one is stuck. `held_up`:
    /// the connection has just become idle, so that a burst that was due before had to wait.
    fn advance(&mut self, token: usize, held_up: bool) -> Result<(), String> {
        let connection = &mut self.connections[token];
        if connection.is_idle() && self.quota >= self.depth {
            let due = match &mut self.pace {
                None => Some(None),
                Some(pace) => pace.take(token, Instant::now(), held_up).map(Some),
            };
            if let Some(since) = due {
                self.quota -= self.depth;
                connection.send_burst(since)?;
            }
        }
        let writing = connection.is_writing();
        if self.wants_write[token] != writing {
            self.wants_write[token] = writing;
            self.epoll
                .modify(connection.stream().as_raw_fd(), token, writing)
                .map_err(|error| connection.fault(&format!("epoll: {error}")))?;
        }
        Ok(())
    }

    fn report(&self, options: &Options) -> Report {
        let mut report = Report::default();
        report.text("mode", "echo");
        report.text("carrier", options.carrier());
        report.integer("conns", options.conns as u64);
        report.integer("size", options.shape.size as u64);
        report.text("kind", if options.shape.text { "text" } else { "binary" });
        report.integer("pipeline", self.depth);
        if let Some(deflate) = options.deflate {
            report.text("deflate", deflate.name());
        }
        report.integer("msgs", self.messages);
        let wire_bytes = self.wire_bytes as f64 / self.messages as f64;
        report.number("wire_bytes_per_msg", wire_bytes);
        report.latency(&self.latency);
        report
    }
}

impl Load for Generator {
    fn epoll(&mut self) -> &mut Epoll {
        &mut self.epoll
    }

    fn handle(&mut self, event: Ready) -> Result<(), String> {
        let connection = &mut self.connections[event.token];
        if event.readable {
            let echoes = connection.read_echoes(&mut self.buffer)?;
            if echoes.count > 0 {
                let latency = connection.sent_at().elapsed().as_nanos() as u64;
                self.latency.record(latency, echoes.count);
                self.messages += echoes.count;
                self.wire_bytes += echoes.wire_bytes;
            }
        }
        if event.writable {
            connection.write_more()?;
        }
        self.advance(event.token, true)
    }

    fn tick(&mut self) -> Result<(), String> {
        match self.pace {
            Some(_) => (0..self.connections.len()).try_for_each(|token| self.advance(token, false)),
            None => Ok(()),
        }
    }

    fn waiting(&self) -> usize {
        self.connections.iter().filter(|c| !c.is_idle()).count()
    }
}
