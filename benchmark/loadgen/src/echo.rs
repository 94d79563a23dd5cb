//! The echo mode: every connection keeps one burst in flight.

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::frame::Pool;
use crate::histogram::Histogram;
use crate::options::Options;
use crate::report::Report;
use crate::server::{CpuSample, Server};
use crate::sys::{self, Epoll, Ready};

const READ_BUFFER: usize = 256 * 1024;
const STALL: Duration = Duration::from_secs(15);

pub fn run(options: &Options) -> Result<Report, String> {
    let server = options.server_pid.map(Server::new).transpose()?;
    if let Some(server) = &server {
        server.reset_peak();
    }
    let mut generator = Generator::new(options)?;
    generator.start()?;
    if options.msgs.is_none() {
        generator.run_for(options.warmup)?;
    }
    generator.reset();
    let window = Window::open(server.as_ref())?;
    match options.msgs {
        None => generator.run_for(options.secs)?,
        Some(_) => generator.drain()?,
    }
    let mut report = generator.report(options);
    window.close(server.as_ref(), generator.messages, &mut report)?;
    generator.drain()?;
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
    poll_timeout_ms: i32,
    ready: Vec<Ready>,
    buffer: Vec<u8>,
    latency: Histogram,
    messages: u64,
}

impl Generator {
    fn new(options: &Options) -> Result<Self, String> {
        let pool = Pool::new(options.shape);
        let epoll = Epoll::new().map_err(|error| format!("epoll: {error}"))?;
        let connections: Vec<Connection> = crate::connect_all(options)?
            .into_iter()
            .enumerate()
            .map(|(index, stream)| {
                let (shape, depth) = (options.shape, options.pipeline);
                Connection::new(stream, index, &pool, shape, depth, options.verify_all)
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
            connections,
            depth: options.pipeline as u64,
            quota: options.msgs.unwrap_or(u64::MAX),
            poll_timeout_ms: if options.spin { 0 } else { 50 },
            ready: Vec::new(),
            buffer: vec![0; READ_BUFFER],
            latency: Histogram::new(),
            messages: 0,
        })
    }

    fn start(&mut self) -> Result<(), String> {
        (0..self.connections.len()).try_for_each(|token| self.advance(token))
    }

    /// Forgets what was measured so far.
    fn reset(&mut self) {
        self.latency.clear();
        self.messages = 0;
    }

    fn run_for(&mut self, time: Duration) -> Result<(), String> {
        let end = Instant::now() + time;
        self.run_until(|_, now| now >= end)
    }

    /// Sends what the quota still allows and waits for every echo; without a quota, lets the
    /// bursts in flight come home.
    fn drain(&mut self) -> Result<(), String> {
        if self.quota > u64::MAX / 2 {
            self.quota = 0;
        }
        self.run_until(|this, _| {
            this.quota < this.depth && this.connections.iter().all(Connection::is_idle)
        })
    }

    fn run_until(&mut self, done: impl Fn(&Self, Instant) -> bool) -> Result<(), String> {
        let mut progress = Instant::now();
        loop {
            let now = Instant::now();
            if done(self, now) {
                return Ok(());
            }
            let mut ready = std::mem::take(&mut self.ready);
            self.epoll
                .wait(self.poll_timeout_ms, &mut ready)
                .map_err(|error| format!("epoll: {error}"))?;
            if !ready.is_empty() {
                progress = now;
            } else if now - progress > STALL {
                let waiting = self.connections.iter().filter(|c| !c.is_idle()).count();
                return Err(format!(
                    "nothing happened for {STALL:?}; {waiting} connections wait for echoes"
                ));
            }
            for &event in &ready {
                self.handle(event)?;
            }
            self.ready = ready;
        }
    }

    fn handle(&mut self, event: Ready) -> Result<(), String> {
        let connection = &mut self.connections[event.token];
        if event.readable {
            let echoes = connection.read_echoes(&mut self.buffer)? as u64;
            if echoes > 0 {
                let latency = connection.sent_at().elapsed().as_nanos() as u64;
                self.latency.record(latency, echoes);
                self.messages += echoes;
            }
        }
        if event.writable {
            connection.write_more()?;
        }
        self.advance(event.token)
    }

    /// Starts the next burst when it is due, and asks for writability while one is stuck.
    fn advance(&mut self, token: usize) -> Result<(), String> {
        let connection = &mut self.connections[token];
        if connection.is_idle() && self.quota >= self.depth {
            self.quota -= self.depth;
            connection.send_burst()?;
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
        let micros = |ns: u64| ns as f64 / 1e3;
        let mut report = Report::default();
        report.text("mode", "echo");
        report.integer("conns", options.conns as u64);
        report.integer("size", options.shape.size as u64);
        report.text("kind", if options.shape.text { "text" } else { "binary" });
        report.integer("pipeline", self.depth);
        report.integer("msgs", self.messages);
        report.number("p50_us", micros(self.latency.quantile(0.5)));
        report.number("p99_us", micros(self.latency.quantile(0.99)));
        report.number("p999_us", micros(self.latency.quantile(0.999)));
        report.number("max_us", micros(self.latency.max()));
        report
    }
}

/// The measured time, with what the server and the generator used at its start.
struct Window {
    start: Instant,
    server_cpu: Option<CpuSample>,
    generator_cpu_ns: u64,
}

impl Window {
    fn open(server: Option<&Server>) -> Result<Self, String> {
        Ok(Self {
            start: Instant::now(),
            server_cpu: server.map(Server::sample_cpu).transpose()?,
            generator_cpu_ns: sys::thread_cpu_ns(),
        })
    }

    fn close(
        self,
        server: Option<&Server>,
        messages: u64,
        report: &mut Report,
    ) -> Result<(), String> {
        let seconds = self.start.elapsed().as_secs_f64();
        let generator_cpu = (sys::thread_cpu_ns() - self.generator_cpu_ns) as f64;
        let server_cpu = server.map(Server::sample_cpu).transpose()?;
        report.number("secs", seconds);
        report.number("msgs_per_s", messages as f64 / seconds);
        report.number("generator_busy", generator_cpu / 1e9 / seconds);
        let (Some(server), Some(before), Some(after)) = (server, self.server_cpu, server_cpu)
        else {
            return Ok(());
        };
        let per_message = |ns: u64| ns as f64 / 1e3 / messages as f64;
        let groups = after.since(&before);
        let total: u64 = groups.values().sum();
        let mut threads = Report::default();
        for (name, ns) in &groups {
            threads.number(name, per_message(*ns));
        }
        report.number("server_busy", total as f64 / 1e9 / seconds);
        report.number("cpu_us_per_msg", per_message(total));
        report.number(
            "js_us_per_msg",
            per_message(groups.get("js").copied().unwrap_or(0)),
        );
        report.group("threads_us_per_msg", threads);
        report.integer("rss_kib", server.rss_kib()?);
        report.integer("peak_rss_kib", server.peak_rss_kib()?);
        Ok(())
    }
}
