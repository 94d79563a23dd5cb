//! Messages on their way out: small ones are framed at once; large ones are compressed in slices,
//! so that other connections get their turn, and what is sent meanwhile waits behind them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Context;

use bytes::Bytes;

use super::command::{Command, Range, SendFlags};
use super::connection::Connection;
use super::deflate::Contexts;
use super::io_thread::yield_turn;
use crate::proto::connection::SendPayload;
use crate::proto::deflate::CompressJob;

/// Payloads from this length on are compressed in slices.
const SLICED_MIN: usize = 64 * 1024;

/// Bytes that are compressed in one turn: about a millisecond's work.
const SLICE: usize = 64 * 1024;

/// Bytes of smaller messages that are compressed in one turn, before the others are treated as large
/// ones: each connection's in a turn of its own.
const TURN_MAX: usize = 128 * 1024;

/// Messages below this cost too little to be put off.
const SMALL: usize = 1024;

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

/// A large message that is being compressed.
struct Compression {
    job: Option<CompressJob>,
    flags: SendFlags,
    key: u32,
    len: usize,
    waiting: VecDeque<Waiting>,
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
        if let Some(deflating) = self.deflating.get().filter(|_| compress) {
            let mut state = self.link.lock();
            compresses = state.proto.will_compress(compress, len);
            let turn = &self.env.context.compressors.turn;
            let is_over = turn.get() >= TURN_MAX && len >= SMALL;
            if compresses && (len >= SLICED_MIN || is_over) {
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
                }));
                return self.wake();
            }
            turn.set(turn.get() + if compresses { len } else { 0 });
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

    /// Compresses a slice; when that was the last, sends the message and what waits behind it.
    pub(super) fn compress_on(self: &Rc<Self>, cx: &mut Context<'_>) {
        let Some(deflating) = self.deflating.get() else {
            return;
        };
        let mut slot = deflating.compression.borrow_mut();
        let Some(compression) = &mut *slot else {
            return;
        };
        self.env.context.compressors.turn.set(0);
        let is_done = compression.job.as_mut().is_none_or(|job| job.step(SLICE));
        if !is_done {
            drop(slot);
            return yield_turn(&self.env.context, cx);
        }
        let Some(Compression {
            job,
            flags,
            key,
            len,
            mut waiting,
        }) = slot.take().map(|compression| *compression)
        else {
            return;
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
                return;
            }
            if let Some(next) = &mut *deflating.compression.borrow_mut() {
                next.waiting = waiting;
                return yield_turn(&self.env.context, cx);
            }
        }
    }
}
