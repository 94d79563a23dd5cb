//! The idle mode: opens connections, holds them and weighs the server before, then and after.

use std::io::Read;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::report::Report;
use crate::server::Server;
use crate::stream::is_transient;

/// Lets the server finish what accepting has set off.
const SETTLE: Duration = Duration::from_secs(1);

pub fn run(options: &Options) -> Result<Report, String> {
    let server = options.server_pid.map(Server::new).transpose()?;
    let rss = || server.as_ref().map_or(Ok(0), Server::rss_kib);
    let before = rss()?;
    let start = Instant::now();
    let mut streams = crate::connect_all(options)?;
    let seconds = start.elapsed().as_secs_f64();
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
