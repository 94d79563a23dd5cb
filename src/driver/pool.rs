//! The I/O threads of the process, shared by all of its JavaScript environments.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::io_thread;
use super::mailbox::{Gate, Mailbox, Submission};
use crate::sync::lock;

/// Most threads: a connection's id has 8 bits for its thread.
pub const MAX_THREADS: usize = 128;

static POOL: Mutex<Pool> = Mutex::new(Pool {
    wanted: None,
    running: None,
    users: 0,
});

/// An I/O thread, as others see it.
#[derive(Default)]
pub struct ThreadHandle {
    pub mailbox: Mailbox,
}

struct Pool {
    wanted: Option<usize>,
    running: Option<Running>,
    users: usize,
}

struct Running {
    threads: Arc<[Arc<ThreadHandle>]>,
    joins: Vec<JoinHandle<()>>,
}

/// Keeps the I/O threads running; the last one to go stops them.
pub struct Lease {
    pub threads: Arc<[Arc<ThreadHandle>]>,
}

/// Sets the number of I/O threads, before the first socket.
///
/// Errors: the threads run already, or `threads` is not in 1..=[`MAX_THREADS`].
pub fn configure(threads: usize) -> Result<(), &'static str> {
    let mut pool = lock(&POOL);
    if pool.running.is_some() {
        return Err("the I/O threads run already: configure the runtime before the first socket");
    }
    if !(1..=MAX_THREADS).contains(&threads) {
        return Err("threads must be between 1 and 128");
    }
    pool.wanted = Some(threads);
    Ok(())
}

impl Lease {
    /// Starts the threads if nobody else has.
    pub fn take() -> io::Result<Self> {
        let mut pool = lock(&POOL);
        if pool.running.is_none() {
            pool.running = Some(Running::start(pool.wanted.unwrap_or_else(default_threads))?);
        }
        pool.users += 1;
        let threads = pool
            .running
            .as_ref()
            .map(|r| r.threads.clone())
            .unwrap_or_default();
        Ok(Self { threads })
    }

    /// Closes everything of an environment on every thread and waits until that is done. I/O
    /// threads never wait for JavaScript, so this is short.
    pub fn detach(&self, env: u64) {
        let gates: Vec<_> = self
            .threads
            .iter()
            .map(|thread| {
                let done = Arc::new(Gate::default());
                thread.mailbox.send(Submission::Detach {
                    env,
                    done: done.clone(),
                });
                done
            })
            .collect();
        for gate in gates {
            gate.wait();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut pool = lock(&POOL);
        pool.users -= 1;
        if pool.users > 0 {
            return;
        }
        let Some(running) = pool.running.take() else {
            return;
        };
        // the lock is released first: an I/O thread on its way out may want nothing of it, but a
        // new environment should not have to wait for the joins
        drop(pool);
        for thread in running.threads.iter() {
            thread.mailbox.send(Submission::Stop);
        }
        for join in running.joins {
            // a panic of an I/O thread has been printed by the hook; there is nothing to add
            let _ = join.join();
        }
    }
}

impl Running {
    fn start(count: usize) -> io::Result<Self> {
        let threads: Arc<[Arc<ThreadHandle>]> = (0..count)
            .map(|_| Arc::new(ThreadHandle::default()))
            .collect();
        let mut running = Self {
            threads: threads.clone(),
            joins: Vec::new(),
        };
        let (started, reports) = std::sync::mpsc::channel();
        let mut failure = None;
        for index in 0..count {
            let (threads, started) = (threads.clone(), started.clone());
            let spawned = std::thread::Builder::new()
                .name(format!("hawser-io-{index}"))
                .spawn(move || io_thread::run(index, threads, started));
            match spawned {
                Ok(join) => running.joins.push(join),
                Err(e) => {
                    failure = Some(e);
                    break;
                }
            }
        }
        drop(started);
        // a thread without an event queue would swallow its letters
        failure = failure.or(reports.iter().find_map(Result::err));
        if let Some(failure) = failure {
            for thread in running.threads.iter().take(running.joins.len()) {
                thread.mailbox.send(Submission::Stop);
            }
            for join in running.joins {
                let _ = join.join();
            }
            return Err(failure);
        }
        Ok(running)
    }
}

/// `HAWSER_THREADS`, or one less than the cores, at least 1 and at most 4.
fn default_threads() -> usize {
    let from_env = std::env::var("HAWSER_THREADS")
        .ok()
        .and_then(|v| v.parse::<usize>().ok());
    match from_env {
        Some(n) if (1..=MAX_THREADS).contains(&n) => n,
        _ => {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            cores.saturating_sub(1).clamp(1, 4)
        }
    }
}
