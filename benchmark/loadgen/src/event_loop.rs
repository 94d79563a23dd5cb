//! Waits for sockets and hands what is ready to a load, until that is done or nothing moves.

use std::time::{Duration, Instant};

use crate::options::Options;
use crate::sys::{Epoll, Ready};

/// A server that does nothing for so long hangs.
const STALL: Duration = Duration::from_secs(15);

/// What the loop drives: the connections of one run.
pub trait Load {
    fn epoll(&mut self) -> &mut Epoll;
    fn handle(&mut self, event: Ready) -> Result<(), String>;
    /// Begins what is due by now; called from time to time.
    fn tick(&mut self) -> Result<(), String> {
        Ok(())
    }
    /// Connections that wait for the server.
    fn waiting(&self) -> usize;
}

pub struct EventLoop {
    timeout_ms: i32,
    ready: Vec<Ready>,
}

impl EventLoop {
    pub fn new(options: &Options) -> Self {
        Self {
            timeout_ms: match options.interval {
                _ if options.spin => 0,
                Some(_) => 1,
                None => 50,
            },
            ready: Vec::new(),
        }
    }

    pub fn run_for<L: Load>(&mut self, load: &mut L, time: Duration) -> Result<(), String> {
        let end = Instant::now() + time;
        self.run_until(load, |_, now| now >= end)
    }

    pub fn run_until<L: Load>(
        &mut self,
        load: &mut L,
        done: impl Fn(&L, Instant) -> bool,
    ) -> Result<(), String> {
        let mut progress = Instant::now();
        loop {
            let now = Instant::now();
            if done(load, now) {
                return Ok(());
            }
            load.epoll()
                .wait(self.timeout_ms, &mut self.ready)
                .map_err(|error| format!("epoll: {error}"))?;
            if !self.ready.is_empty() {
                progress = now;
            } else if now - progress > STALL {
                let waiting = load.waiting();
                return Err(format!(
                    "nothing happened for {STALL:?}; {waiting} connections wait for the server"
                ));
            }
            for &event in &self.ready {
                load.handle(event)?;
            }
            load.tick()?;
        }
    }
}
