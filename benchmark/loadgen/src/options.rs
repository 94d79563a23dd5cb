//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use crate::extension::Deflate;
use crate::frame::Shape;
use crate::json;

pub const USAGE: &str = "\
usage: loadgen --port PORT [options]

  --mode MODE        echo (default): bursts, each echo verified
                     idle: open connections and hold them
                     flood: send without waiting, then have the server account for it
                     connect: open, close and open again, as fast as the server takes it
  --host HOST        default 127.0.0.1
  --conns N          connections at a time, default 100
  --size BYTES       payload of each message, 0 to 16777216, default 64
  --pipeline D       messages per burst and connection, in one write, default 1
  --binary | --text  default binary; text is printable ASCII
  --warmup SECS      not measured, default 0.5
  --secs SECS        measured (idle: held; flood: sent), default 2
  --msgs N           end after N messages (a multiple of --pipeline) instead
  --interval MS      echo: each connection begins a burst every MS milliseconds, or as soon after
                     that as the last one is back; latency counts from when it was due
  --deflate HOW      echo, idle: offer permessage-deflate and send compressed JSON text of --size
                     bytes, 80 or more; every echo has to be compressed and is compared in full
                     no-takeover: both ends without context takeover
                     takeover: both ends with it
                     any: as the server answers
  --tls              echo, idle, connect: over TLS 1.3, each connection with a full handshake; the
                     certificate is not verified
  --echo             connect, idle: one message is echoed on each connection
  --cpu N            pin the generator to a core
  --background       run only when nothing else on the core wants to (SCHED_IDLE)
  --spin             poll without sleeping
  --verify-all       compare every payload in full (over 4096 bytes: one in eight)
  --server-pid PID   sample the server's CPU time and memory
  --json             one line of JSON instead of text
";

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Mode {
    Echo,
    Idle,
    Flood,
    Connect,
}

#[derive(Debug)]
pub struct Options {
    pub mode: Mode,
    pub server: SocketAddr,
    pub conns: usize,
    pub shape: Shape,
    pub pipeline: usize,
    pub warmup: Duration,
    pub secs: Duration,
    pub msgs: Option<u64>,
    pub interval: Option<Duration>,
    pub deflate: Option<Deflate>,
    pub tls: bool,
    pub echo: bool,
    pub cpu: Option<usize>,
    pub background: bool,
    pub spin: bool,
    pub verify_all: bool,
    pub server_pid: Option<u32>,
    pub json: bool,
}

impl Options {
    pub fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut host = "127.0.0.1".to_owned();
        let mut port = None;
        let mut options = Self {
            mode: Mode::Echo,
            server: SocketAddr::from(([127, 0, 0, 1], 0)),
            conns: 100,
            shape: Shape {
                size: 64,
                text: false,
            },
            pipeline: 1,
            warmup: Duration::from_millis(500),
            secs: Duration::from_secs(2),
            msgs: None,
            interval: None,
            deflate: None,
            tls: false,
            echo: false,
            cpu: None,
            background: false,
            spin: false,
            verify_all: false,
            server_pid: None,
            json: false,
        };
        let mut args = args;
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--mode" => options.mode = mode(&value()?)?,
                "--host" => host = value()?,
                "--port" => port = Some(number(&name, &value()?)?),
                "--conns" => options.conns = number(&name, &value()?)?,
                "--size" => options.shape.size = number(&name, &value()?)?,
                "--pipeline" => options.pipeline = number(&name, &value()?)?,
                "--binary" => options.shape.text = false,
                "--text" => options.shape.text = true,
                "--warmup" => options.warmup = seconds(&name, &value()?)?,
                "--secs" => options.secs = seconds(&name, &value()?)?,
                "--msgs" => options.msgs = Some(number(&name, &value()?)?),
                "--interval" => options.interval = Some(millis(&name, &value()?)?),
                "--deflate" => {
                    options.deflate = Some(deflate(&value()?)?);
                    options.shape.text = true;
                }
                "--tls" => options.tls = true,
                "--echo" => options.echo = true,
                "--cpu" => options.cpu = Some(number(&name, &value()?)?),
                "--background" => options.background = true,
                "--spin" => options.spin = true,
                "--verify-all" => options.verify_all = true,
                "--server-pid" => options.server_pid = Some(number(&name, &value()?)?),
                "--json" => options.json = true,
                _ => return Err(format!("unknown option {name}\n\n{USAGE}")),
            }
        }
        let port: u16 = port.ok_or_else(|| format!("--port is missing\n\n{USAGE}"))?;
        let mut addresses = (host.as_str(), port)
            .to_socket_addrs()
            .map_err(|error| format!("{host}: {error}"))?;
        options.server = addresses
            .next()
            .ok_or_else(|| format!("{host} has no address"))?;
        options.check()?;
        Ok(options)
    }

    /// What reports call that which connections run on.
    pub fn carrier(&self) -> &'static str {
        if self.tls { "tls" } else { "tcp" }
    }

    fn check(&self) -> Result<(), String> {
        if self.conns == 0 || self.pipeline == 0 {
            return Err("--conns and --pipeline must be at least 1".to_owned());
        }
        if self.shape.size > 16 << 20 {
            return Err("--size must be at most 16777216".to_owned());
        }
        if self.mode == Mode::Flood && (self.shape.size < 8 || self.shape.text) {
            return Err("--mode flood needs binary messages of at least 8 bytes".to_owned());
        }
        if self.tls && self.mode == Mode::Flood {
            return Err("--tls is not for --mode flood".to_owned());
        }
        if self.echo && !matches!(self.mode, Mode::Connect | Mode::Idle) {
            return Err("--echo is for --mode connect and --mode idle".to_owned());
        }
        if self.interval.is_some() && (self.mode != Mode::Echo || self.spin) {
            return Err("--interval is for --mode echo without --spin".to_owned());
        }
        if self.deflate.is_some() {
            if !matches!(self.mode, Mode::Echo | Mode::Idle) {
                return Err("--deflate is for --mode echo and --mode idle".to_owned());
            }
            if self.shape.size < json::MIN_LEN || !self.shape.text {
                let least = json::MIN_LEN;
                return Err(format!("--deflate needs text of --size {least} at least"));
            }
        }
        if self.msgs.is_some() && self.mode == Mode::Connect {
            return Err("--mode connect ends after --secs, not after --msgs".to_owned());
        }
        if self
            .msgs
            .is_some_and(|msgs| msgs == 0 || msgs % self.pipeline as u64 != 0)
        {
            return Err("--msgs must be a multiple of --pipeline".to_owned());
        }
        Ok(())
    }
}

fn mode(value: &str) -> Result<Mode, String> {
    match value {
        "echo" => Ok(Mode::Echo),
        "idle" => Ok(Mode::Idle),
        "flood" => Ok(Mode::Flood),
        "connect" => Ok(Mode::Connect),
        _ => Err(format!("unknown mode {value}\n\n{USAGE}")),
    }
}

fn deflate(value: &str) -> Result<Deflate, String> {
    let mut names = Deflate::NAMES.into_iter();
    names
        .find(|(name, _)| *name == value)
        .map(|(_, deflate)| deflate)
        .ok_or_else(|| format!("unknown --deflate {value}\n\n{USAGE}"))
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{name} {value} is not a valid number"))
}

fn seconds(name: &str, value: &str) -> Result<Duration, String> {
    let seconds = number(name, value)?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| duration.as_secs() <= 3600)
        .ok_or_else(|| format!("{name} {value} is not between 0 and 3600"))
}

fn millis(name: &str, value: &str) -> Result<Duration, String> {
    match number(name, value)? {
        millis @ 1..=1000 => Ok(Duration::from_millis(millis)),
        _ => Err(format!("{name} must be between 1 and 1000")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn values_and_flags() {
        let options = parse("--port 9 --conns 7 --size 512 --text --secs 0.25 --json").unwrap();
        assert_eq!(options.server, SocketAddr::from(([127, 0, 0, 1], 9)));
        assert_eq!(
            (options.conns, options.shape),
            (
                7,
                Shape {
                    size: 512,
                    text: true
                }
            )
        );
        assert_eq!(
            (options.secs, options.json),
            (Duration::from_millis(250), true)
        );
    }

    #[test]
    fn tls_is_for_the_modes_with_a_use_for_it() {
        for mode in ["echo", "idle", "connect"] {
            let options = parse(&format!("--port 9 --mode {mode} --tls")).unwrap();
            assert_eq!(options.carrier(), "tls");
        }
        assert_eq!(parse("--port 9").unwrap().carrier(), "tcp");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "",
            "--port",
            "--port x",
            "--port 9 --conns 0",
            "--port 9 --size 16777217",
            "--port 9 --secs -1",
            "--port 9 --secs NaN",
            "--port 9 --pipeline 16 --msgs 17",
            "--port 9 --mode flood --size 4",
            "--port 9 --mode nap",
            "--port 9 --mode flood --size 8 --tls",
            "--port 9 --mode flood --echo",
            "--port 9 --mode connect --msgs 5",
            "--port 9 --deflate sometimes --size 1024",
            "--port 9 --deflate any --size 79",
            "--port 9 --deflate any --size 1024 --binary",
            "--port 9 --deflate any --size 1024 --mode connect",
            "--port 9 --interval 0",
            "--port 9 --interval 1001",
            "--port 9 --interval 5 --spin",
            "--port 9 --verbose",
        ] {
            assert!(parse(line).is_err(), "{line:?} was accepted");
        }
    }
}
