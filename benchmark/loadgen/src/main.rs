//! WebSocket load generator: one thread, one epoll loop, frames made beforehand.

mod connect;
mod connection;
mod deflate;
mod deflated;
mod echo;
mod event_loop;
mod extension;
mod flood;
mod frame;
mod handshake;
mod histogram;
mod idle;
mod json;
mod messages;
mod options;
mod pace;
mod plain;
mod random;
mod receiver;
mod report;
mod server;
mod stream;
mod sys;
mod tls;
mod visit;
mod window;

use std::process::ExitCode;

use handshake::Opened;
use options::{Mode, Options};
use report::Report;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).peekable();
    if args.peek().is_none_or(|arg| arg == "--help") {
        print!("{}", options::USAGE);
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(args) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("loadgen: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(report) if options.json => println!("{}", report.to_json()),
        Ok(report) => print!("{}", report.to_text()),
        Err(error) => {
            if options.json {
                let mut report = Report::default();
                report.integer("errors", 1);
                report.text("error", &error);
                println!("{}", report.to_json());
            }
            eprintln!("loadgen: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run(options: &Options) -> Result<Report, String> {
    if let Some(cpu) = options.cpu {
        sys::pin_to_cpu(cpu).map_err(|error| format!("--cpu {cpu}: {error}"))?;
    }
    if options.background {
        sys::yield_to_others().map_err(|error| format!("--background: {error}"))?;
    }
    sys::raise_open_files(options.conns as u64 + 64).map_err(|error| {
        format!(
            "{} connections need more open files: {error}",
            options.conns
        )
    })?;
    match options.mode {
        Mode::Echo => echo::run(options),
        Mode::Idle => idle::run(options),
        Mode::Flood => flood::run(options),
        Mode::Connect => connect::run(options),
    }
}

/// Opens all connections, one after the other.
fn connect_all(options: &Options) -> Result<Vec<Opened>, String> {
    let tls = options.tls.then(tls::config).transpose()?;
    (0..options.conns)
        .map(|index| {
            handshake::connect(options.server, tls.as_ref(), options.deflate)
                .map_err(|error| format!("connection {index} to {}: {error}", options.server))
        })
        .collect()
}
