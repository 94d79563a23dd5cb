//! The idle mode: opens connections, perhaps has a message echoed on each, holds them and weighs
//! the server before, then and after.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::event_loop::{EventLoop, Load};
use crate::messages::Maker;
use crate::options::Options;
use crate::report::Report;
use crate::server::Server;
use crate::stream::{Stream, is_transient};
use crate::sys::{Epoll, Ready};

/// Lets the server finish what accepting has set off.
const SETTLE: Duration = Duration::from_secs(1);
const READ_BUFFER: usize = 64 * 1024;

pub fn run(options: &Options) -> Result<Report, String> {
    let server = options.server_pid.map(Server::new).transpose()?;
    let rss = || server.as_ref().map_or(Ok(0), Server::rss_kib);
    let before = rss()?;
    let start = Instant::now();
    let opened = crate::connect_all(options)?;
    let seconds = start.elapsed().as_secs_f64();
    let mut streams: Vec<Stream> = if options.echo {
        let mut maker = Maker::new(options);
        let connections = opened.into_iter().enumerate().map(|(index, opened)| {
            let messages = maker.make_one(index, opened.deflate);
            Connection::new(opened.stream, index, messages, 1)
        });
        echo_in_turn(options, connections.collect())?
    } else {
        opened.into_iter().map(|opened| opened.stream).collect()
    };
    sleep(SETTLE);
    let opened = rss()?;
    // Whoever drives both sides may now ask the server to collect its garbage.
    eprintln!("open {}", options.conns);
    sleep(options.secs);
    let held = rss()?;
    for (index, stream) in streams.iter_mut().enumerate() {
        match stream.read(&mut [0; 16]) {
            Err(error) if is_transient(&error) => {}
            Err(error) => return Err(format!("connection {index}: read: {error}")),
            Ok(0) => return Err(format!("connection {index}: closed by the server")),
            Ok(_) => return Err(format!("connection {index}: data from an idle server")),
        }
    }
    let mut report = Report::default();
    report.text("mode", "idle");
    report.text("carrier", options.carrier());
    report.integer("conns", options.conns as u64);
    report.number("conns_per_s", options.conns as f64 / seconds);
    if server.is_some() {
        let per_connection = |after: u64| (after as f64 - before as f64) / options.conns as f64;
        report.integer("rss_before_kib", before);
        report.integer("rss_opened_kib", opened);
        report.integer("rss_held_kib", held);
        report.number("opened_kib_per_conn", per_connection(opened));
        report.number("held_kib_per_conn", per_connection(held));
    }
    report.integer("errors", 0);
    Ok(report)
}

/// Has one message echoed on each connection, one after the other: what is left of them is weighed,
/// not what all of them at a time would take.
fn echo_in_turn(options: &Options, connections: Vec<Connection>) -> Result<Vec<Stream>, String> {
    let mut turns = Turns {
        epoll: Epoll::new().map_err(|error| format!("epoll: {error}"))?,
        connections,
        buffer: vec![0; READ_BUFFER],
    };
    let mut events = EventLoop::new(options);
    for turn in 0..turns.connections.len() {
        let connection = &mut turns.connections[turn];
        connection.send_burst(None)?;
        turns
            .epoll
            .add(
                connection.stream().as_raw_fd(),
                turn,
                connection.is_writing(),
            )
            .map_err(|error| connection.fault(&format!("epoll: {error}")))?;
        events.run_until(&mut turns, |this, _| this.connections[turn].is_idle())?;
        let connection = &turns.connections[turn];
        turns
            .epoll
            .modify(connection.stream().as_raw_fd(), turn, false)
            .map_err(|error| connection.fault(&format!("epoll: {error}")))?;
    }
    Ok(turns
        .connections
        .into_iter()
        .map(Connection::into_stream)
        .collect())
}

struct Turns {
    epoll: Epoll,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
}

impl Load for Turns {
    fn epoll(&mut self) -> &mut Epoll {
        &mut self.epoll
    }

    fn handle(&mut self, event: Ready) -> Result<(), String> {
        let connection = &mut self.connections[event.token];
        if event.writable && connection.is_writing() {
            connection.write_more()?;
        }
        if event.readable {
            connection.read_echoes(&mut self.buffer)?;
        }
        Ok(())
    }

    fn waiting(&self) -> usize {
        self.connections.iter().filter(|c| !c.is_idle()).count()
    }
}
