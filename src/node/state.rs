//! The JavaScript thread's side of an environment: commands being collected, events being handed
//! over.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::driver::batch::{Batch, Kind, Record};
use crate::driver::command::{Command, CommandBatch, SendFlags};
use crate::driver::environment::{Environment, conn_thread};
use crate::driver::link::Direct;
use crate::driver::mask_keys::{MaskKeys, mask_key};
use crate::driver::notice::Notice;
use crate::driver::pool::Lease;

use super::bell::Bell;

/// A send up to this size may be written from the JavaScript thread.
const DIRECT_MAX: u32 = 16 * 1024;

/// A batch of commands with this many bytes does not wait for the end of the tick.
const SUBMIT_BYTES: usize = 512 * 1024;

/// The longest that the end of a process waits for what was sent last.
const SETTLE_MAX: Duration = Duration::from_secs(1);

/// Records that one `drain` hands over at most; lib/events.js sizes its array by it.
pub const MAX_RECORDS: usize = 1024;

pub struct State {
    running: RefCell<Option<Running>>,
    incoming: RefCell<Incoming>,
    outgoing: RefCell<Outgoing>,
    bell: Cell<Option<Bell>>,
    keys: RefCell<MaskKeys>,
    next_thread: Cell<usize>,
    /// How long the end of the process may still wait for what was put off.
    settle_left: Cell<Duration>,
}

/// Exists from the first socket until the environment ends.
struct Running {
    env: Arc<Environment>,
    lease: Lease,
}

#[derive(Default)]
struct Incoming {
    queue: VecDeque<Batch>,
    scratch: Vec<Batch>,
    current: Option<Cursor>,
}

/// How far a batch has been handed over.
struct Cursor {
    batch: Batch,
    record: usize,
    arena: usize,
}

#[derive(Default)]
struct Outgoing {
    /// One per I/O thread.
    batches: Vec<CommandBatch>,
    count: usize,
}

impl State {
    pub fn new() -> Self {
        Self {
            running: RefCell::default(),
            incoming: RefCell::default(),
            outgoing: RefCell::default(),
            bell: Cell::new(None),
            keys: RefCell::new(MaskKeys::default()),
            next_thread: Cell::new(0),
            settle_left: Cell::new(SETTLE_MAX),
        }
    }

    pub fn set_bell(&self, bell: Bell) {
        self.bell.set(Some(bell));
    }

    pub fn bell(&self) -> Option<Bell> {
        self.bell.get()
    }

    /// The shared environment; the I/O threads are started by the first who asks.
    pub fn environment(&self) -> std::io::Result<Arc<Environment>> {
        let mut running = self.running.borrow_mut();
        if let Some(running) = &*running {
            return Ok(running.env.clone());
        }
        let bell = self.bell.get().ok_or(std::io::ErrorKind::NotConnected)?;
        let lease = Lease::take()?;
        let env = Environment::new(lease.threads.clone(), Box::new(move || bell.ring()));
        self.outgoing
            .borrow_mut()
            .batches
            .resize_with(lease.threads.len(), Default::default);
        *running = Some(Running {
            env: env.clone(),
            lease,
        });
        Ok(env)
    }

    /// The environment is going: no bell, no socket, no I/O thread of ours after this.
    pub fn shut_down(&self) {
        // what was sent still goes: detaching stands behind it in the mailboxes
        self.flush();
        self.bell.set(None);
        let Some(Running { env, lease }) = self.running.take() else {
            return;
        };
        env.silence();
        self.outgoing.replace(Outgoing::default());
        lease.detach(env.id());
        drop(lease);
        self.incoming.replace(Incoming::default());
    }

    // ---- events ----

    /// Everything published so far is to be delivered by the calls to `drain` that follow.
    pub fn answer_bell(&self) {
        let Some(env) = self.running.borrow().as_ref().map(|r| r.env.clone()) else {
            return;
        };
        let incoming = &mut *self.incoming.borrow_mut();
        env.take_ready(&mut incoming.scratch);
        incoming.queue.extend(incoming.scratch.drain(..));
    }

    /// Hands over the next records and returns how many; 0 when all is delivered.
    pub fn drain(&self, out: &mut [Record; MAX_RECORDS]) -> usize {
        let Some(env) = self.running.borrow().as_ref().map(|r| r.env.clone()) else {
            return 0;
        };
        let incoming = &mut *self.incoming.borrow_mut();
        let finished = |c: &mut Cursor| c.record == c.batch.records.len();
        if let Some(done) = incoming.current.take_if(finished) {
            env.batch_done(done.batch);
        }
        if incoming.current.is_none() {
            match incoming.queue.pop_front() {
                Some(batch) => {
                    incoming.current = Some(Cursor {
                        batch,
                        record: 0,
                        arena: 0,
                    })
                }
                None => return released(&env, out),
            }
        }
        let Some(cursor) = &mut incoming.current else {
            return 0;
        };
        let records = &cursor.batch.records[cursor.record..];
        let count = records.len().min(MAX_RECORDS);
        out[..count].copy_from_slice(&records[..count]);
        cursor.record += count;
        count
    }

    /// Copies the next piece of the current batch.
    pub fn fill(&self, out: &mut [u8]) {
        if let Some(cursor) = &mut self.incoming.borrow_mut().current {
            let end = (cursor.arena + out.len()).min(cursor.batch.arena.len());
            let piece = &cursor.batch.arena[cursor.arena..end];
            out[..piece.len()].copy_from_slice(piece);
            cursor.arena = end;
        }
    }

    pub fn take_large(&self, index: usize) -> Option<Vec<u8>> {
        self.incoming
            .borrow_mut()
            .current
            .as_mut()?
            .batch
            .large
            .get_mut(index)?
            .take()
    }

    pub fn take_notice(&self, index: usize) -> Option<Notice> {
        self.incoming
            .borrow_mut()
            .current
            .as_mut()?
            .batch
            .notices
            .get_mut(index)?
            .take()
    }

    // ---- commands ----

    pub fn thread_count(&self) -> usize {
        self.outgoing.borrow().batches.len().max(1)
    }

    /// The thread for the next connection that is ours to place.
    pub fn pick_thread(&self) -> usize {
        let thread = self.next_thread.get() % self.thread_count();
        self.next_thread.set(thread + 1);
        thread
    }

    /// Adds a command for the thread of connection `conn`; `make` may append a payload.
    pub fn command(&self, conn: u32, make: impl FnOnce(&mut CommandBatch) -> Command) {
        self.command_to(conn_thread(conn), make);
    }

    pub fn command_to(&self, thread: usize, make: impl FnOnce(&mut CommandBatch) -> Command) {
        let mut outgoing = self.outgoing.borrow_mut();
        let Some(batch) = outgoing.batches.get_mut(thread) else {
            return;
        };
        let command = make(batch);
        batch.commands.push(command);
        if batch.data.len() < SUBMIT_BYTES {
            outgoing.count += 1;
            return;
        }
        if let Some(running) = &*self.running.borrow() {
            let full = std::mem::replace(batch, running.env.spare_commands());
            running.env.submit(thread, full);
        }
    }

    /// Sends off what has been collected. Returns how many sends that asked for a report were
    /// completed on the way.
    pub fn flush(&self) -> u32 {
        let Some(env) = self.running.borrow().as_ref().map(|r| r.env.clone()) else {
            return 0;
        };
        let mut outgoing = self.outgoing.borrow_mut();
        let lone = outgoing.count == 1;
        outgoing.count = 0;
        let mut acked = 0;
        for (thread, batch) in outgoing.batches.iter_mut().enumerate() {
            if batch.commands.is_empty() {
                continue;
            }
            if lone && let Some(done) = self.send_directly(&env, thread, batch) {
                batch.clear();
                acked += done;
                continue;
            }
            env.submit(thread, std::mem::replace(batch, env.spare_commands()));
        }
        acked
    }

    /// Whether the I/O threads sleep with nothing left to do, and nothing waits to be drained.
    pub fn is_quiet(&self) -> bool {
        let outgoing = self.outgoing.borrow();
        if outgoing.batches.iter().any(|b| !b.commands.is_empty()) {
            return false;
        }
        let Some(env) = self.running.borrow().as_ref().map(|r| r.env.clone()) else {
            return true;
        };
        env.is_quiet()
    }

    /// Waits until everything that was flushed is worked off, and what was put off is done. I/O
    /// threads never wait for JavaScript; the limits are for a machine that is too busy to run them,
    /// and for messages that take long to compress.
    pub fn settle(&self) {
        let Some(env) = self.running.borrow().as_ref().map(|r| r.env.clone()) else {
            return;
        };
        wait(SETTLE_MAX, || env.all_commands_settled());
        // Of all calls together: each send at the end of a process is one.
        let left = self.settle_left.get();
        let waited = wait(left, || env.all_settled());
        self.settle_left.set(left.saturating_sub(waited));
    }

    /// A lone small send on an idle connection is written from here: no wake-up, no hop. `None`
    /// when it has to go the ordinary way.
    #[cfg(unix)]
    fn send_directly(
        &self,
        env: &Arc<Environment>,
        thread: usize,
        batch: &mut CommandBatch,
    ) -> Option<u32> {
        use crate::proto::connection::SendPayload;

        let &Command::Send {
            conn,
            flags,
            range,
            key,
        } = batch.commands.first()?
        else {
            return None;
        };
        if range.len > DIRECT_MAX || !env.is_idle(thread) {
            return None;
        }
        let link = env.link(conn)?;
        let mask = mask_key(flags, key, || self.keys.borrow_mut().draw());
        let (binary, fin) = (flags.has(SendFlags::BINARY), flags.has(SendFlags::FIN));
        let payload = SendPayload::Copied(range.of(&batch.data));
        let (ack, compress) = (flags.has(SendFlags::ACK), flags.has(SendFlags::COMPRESS));
        let len = range.len as usize;
        let outcome = link.send_directly(ack, compress, len, |proto| {
            proto.send_message(binary, fin, compress, payload, mask)
        });
        match outcome {
            Direct::Refused => None,
            Direct::Written { acked } => Some(acked),
            Direct::Partial => {
                batch.clear();
                batch.commands.push(Command::Flush { conn });
                env.submit(thread, std::mem::replace(batch, env.spare_commands()));
                Some(0)
            }
        }
    }

    #[cfg(not(unix))]
    fn send_directly(
        &self,
        _env: &Arc<Environment>,
        _thread: usize,
        _batch: &mut CommandBatch,
    ) -> Option<u32> {
        None
    }
}

/// At the end of all batches: the lent memory that is free again.
fn released(env: &Environment, out: &mut [Record; MAX_RECORDS]) -> usize {
    env.take_released(MAX_RECORDS, |i, id| {
        out[i] = Record {
            kind: Kind::Released as u32,
            conn: 0,
            a: id,
            b: 0,
        };
    })
}

/// Waits until `is_done`, `most` at the longest; returns how long that was.
fn wait(most: Duration, is_done: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !is_done() && start.elapsed() < most {
        std::thread::sleep(Duration::from_micros(50));
    }
    start.elapsed()
}
