//! Messages on their way out: small ones are framed at once; those that would take long, alone or
//! together, are compressed by and by (`put_off.rs`), and what is sent meanwhile waits behind them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;

use super::command::{Command, Range, SendFlags};
use super::connection::Connection;
use super::deflate::Contexts;
use super::environment::Unsettled;
use crate::proto::connection::SendPayload;
use crate::proto::deflate::CompressJob;

/// Payloads from this length on are compressed in slices.
const SLICED_MIN: usize = 64 * 1024;

/// Bytes of it that are compressed at a time: half a millisecond's work.
const SLICE: usize = 32 * 1024;

/// Bytes of smaller messages that are compressed in one turn of the thread; more are put off.
const TURN_MAX: usize = 128 * 1024;

/// No message costs less than so many bytes of another.
const LEAST_COST: usize = 2 * 1024;

/// What a connection has where permessage-deflate was agreed on.
pub(super) struct Deflating {
    compression: RefCell<Option<Box<Compression>>>,
    /// For `compressors.rs`: when the compressor was used last; 0: none is held.
    pub compressed_at: Cell<u64>,
    /// The share in the budget of contexts.
    contexts: Cell<Option<Contexts>>,
}

impl Deflating {
    pub fn new(contexts: Contexts) -> Self {
        Self {
            compression: RefCell::new(None),
            compressed_at: Cell::new(0),
            contexts: Cell::new(Some(contexts)),
        }
    }

    /// The connection is gone.
    pub fn stop(&self) {
        self.compression.take();
        self.contexts.take();
    }
}

/// A message that is put off.
struct Compression {
    job: Option<CompressJob>,
    flags: SendFlags,
    key: u32,
    len: usize,
    waiting: VecDeque<Waiting>,
    unsettled: Unsettled,
}

/// A command, and its payload, if that is a range.
struct Waiting {
    command: Command,
    data: Vec<u8>,
}

impl Connection {
    /// Sends a message, or begins to compress it.
    pub(super) fn message(self: &Rc<Self>, flags: SendFlags, payload: SendPayload<'_>, key: u32) {
        let (binary, fin) = (flags.has(SendFlags::BINARY), flags.has(SendFlags::FIN));
        let compress = flags.has(SendFlags::COMPRESS);
        let len = payload.bytes().len();
        let mut compresses = false;
        if let Some(deflating) = self.deflating.get() {
            let mut state = self.link.lock();
            compresses = state.proto.will_compress(compress, len);
            let turn = &self.env.context.compressors.turn;
            let is_long = len >= SLICED_MIN;
            if compresses && (is_long || turn.get() >= TURN_MAX) {
                let bytes = match payload {
                    SendPayload::Copied(bytes) => Bytes::copy_from_slice(bytes),
                    SendPayload::Shared(bytes) => bytes,
                };
                let job = state.proto.start_compress(binary, fin, compress, bytes);
                drop(state);
                *deflating.compression.borrow_mut() = Some(Box::new(Compression {
                    job,
                    flags,
                    key,
                    len,
                    waiting: VecDeque::new(),
                    unsettled: Unsettled::new(&self.env.shared),
                }));
                return self.env.context.put_off(self, is_long);
            }
            if compresses {
                turn.set(turn.get() + len.max(LEAST_COST));
            }
        }
        self.frame(flags, len, |s| {
            let mask = self.key_for(flags, key);
            s.proto.send_message(binary, fin, compress, payload, mask);
        });
        if compresses {
            self.env.context.compressed(self);
        }
    }

    /// Puts `command` behind the message that is being compressed; gives it back if there is none,
    /// or it need not wait.
    pub(super) fn hold_back(&self, mut command: Command, data: &[u8]) -> Option<Command> {
        let Some(deflating) = self.deflating.get() else {
            return Some(command);
        };
        let mut compression = deflating.compression.borrow_mut();
        let Some(compression) = &mut *compression else {
            return Some(command);
        };
        let data = match &mut command {
            // one that may wait as long as it takes would not count against the limit of them
            Command::Pong { flags, .. } if flags.has(SendFlags::AUTO) => return Some(command),
            Command::Send { range, .. }
            | Command::Ping { range, .. }
            | Command::Pong { range, .. }
            | Command::Close { range, .. }
            | Command::Raw { range, .. } => {
                let bytes = range.of(data).to_vec();
                *range = Range {
                    start: 0,
                    len: bytes.len() as u32,
                };
                bytes
            }
            Command::SendShared { .. } | Command::End { .. } => Vec::new(),
            _ => return Some(command),
        };
        compression.waiting.push_back(Waiting { command, data });
        None
    }

    /// Compresses a slice; when that was the last, sends the message and what waits behind it. True:
    /// there is more of the message.
    pub(super) fn compress_on(self: &Rc<Self>) -> bool {
        let Some(deflating) = self.deflating.get() else {
            return false;
        };
        let mut slot = deflating.compression.borrow_mut();
        let Some(compression) = &mut *slot else {
            return false;
        };
        let turn = &self.env.context.compressors.turn;
        turn.set(turn.get() + compression.len.clamp(LEAST_COST, SLICE));
        let is_done = compression.job.as_mut().is_none_or(|job| job.step(SLICE));
        if !is_done {
            return true;
        }
        let Some(Compression {
            job,
            flags,
            key,
            len,
            mut waiting,
            // until all of it is written
            unsettled: _unsettled,
        }) = slot.take().map(|compression| *compression)
        else {
            return false;
        };
        drop(slot);
        if let Some(job) = job {
            self.frame(flags, len, |s| {
                s.proto.finish_compress(job, self.key_for(flags, key));
            });
            self.env.context.compressed(self);
        }
        while let Some(Waiting { command, data }) = waiting.pop_front() {
            self.apply(command, &data);
            if self.io().transport.is_none() {
                return false;
            }
            if let Some(next) = &mut *deflating.compression.borrow_mut() {
                next.waiting = waiting;
                break;
            }
        }
        self.env.unmark_dirty(self);
        self.write_out();
        false
    }
}
