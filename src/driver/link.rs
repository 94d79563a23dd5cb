//! The part of a connection that two threads share: its protocol state, so that a lone small send
//! can be written from the JavaScript thread without waking the I/O thread.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use super::counters::Counter;
use crate::proto::connection::Connection;
use crate::sync::lock;

pub struct Link {
    state: Mutex<State>,
    /// JavaScript is to see the bytes as they are read, from the moment that it asks.
    pub tapped: AtomicBool,
    /// JavaScript answers all pings, from the moment that it says so.
    pub answers_pings: AtomicBool,
}

/// What the lock guards.
pub struct State {
    pub proto: Connection,
    /// The socket, while it is open and takes direct sends. Cleared under the lock before the
    /// descriptor is closed, so that it never names another file.
    #[cfg(unix)]
    pub direct: Option<std::os::fd::RawFd>,
    /// The other end takes no more bytes: drop what is left instead of queueing it.
    pub write_failed: bool,
    counter: Counter,
    /// Bytes that JavaScript queued and that have arrived here.
    applied: u64,
    /// Ends, in transmitted bytes, of the sends whose completion is to be reported.
    acks: VecDeque<u64>,
}

/// How a direct send went.
pub enum Direct {
    /// Not tried: the ordinary way has to take it.
    Refused,
    /// Completely written; `acked` sends that asked for it are complete.
    Written { acked: u32 },
    /// Queued, and not or only in part written: the I/O thread has to flush.
    Partial,
}

impl Link {
    pub fn new(proto: Connection, counter: Counter) -> Arc<Self> {
        let state = State {
            proto,
            #[cfg(unix)]
            direct: None,
            write_failed: false,
            counter,
            applied: 0,
            acks: VecDeque::new(),
        };
        Arc::new(Self {
            state: Mutex::new(state),
            tapped: AtomicBool::new(false),
            answers_pings: AtomicBool::new(false),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Writes what the socket takes, without asking the runtime, which knows of a new socket only
    /// when it has polled.
    #[cfg(unix)]
    pub fn write_at_once(&self) {
        let mut state = self.lock();
        let Some(fd) = state.direct else { return };
        while !state.proto.transmit().is_empty() && write_now(fd, &mut state) {}
    }

    /// Queues with `enqueue` and writes at once, if nothing is queued and nobody else is at it.
    #[cfg(unix)]
    pub fn send_directly(
        &self,
        ack: bool,
        compress: bool,
        len: usize,
        enqueue: impl FnOnce(&mut Connection) -> usize,
    ) -> Direct {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            Err(TryLockError::WouldBlock) => return Direct::Refused,
        };
        let Some(fd) = state.direct else {
            return Direct::Refused;
        };
        if !state.proto.transmit().is_empty() || state.proto.is_close_sent() {
            return Direct::Refused;
        }
        // not on the JavaScript thread, and not past what is being compressed
        if state.proto.is_compressing() || state.proto.will_compress(compress, len) {
            return Direct::Refused;
        }
        let queued = enqueue(&mut state.proto);
        state.applied(queued);
        if ack {
            state.acknowledge_later();
        }
        write_now(fd, &mut state);
        let acked = state.progress();
        if state.proto.transmit().is_empty() {
            Direct::Written { acked }
        } else {
            Direct::Partial
        }
    }
}

impl State {
    /// `bytes` of what JavaScript has queued are here now.
    pub fn applied(&mut self, bytes: usize) {
        self.applied += bytes as u64;
    }

    /// The send that was queued last wants to know when it is written.
    pub fn acknowledge_later(&mut self) {
        let queue = self.proto.transmit();
        let end = queue.transmitted() + queue.len() as u64;
        self.acks.push_back(end);
    }

    /// Brings the counters up to date; returns how many sends have become complete.
    pub fn progress(&mut self) -> u32 {
        let written = self.proto.written();
        let queued = self.proto.transmit().len() + self.proto.in_flight();
        self.counter.set_sent(self.applied, queued, written);
        let mut acked = 0;
        while self.acks.front().is_some_and(|&end| end <= written) {
            self.acks.pop_front();
            acked += 1;
        }
        acked
    }
}

/// One non-blocking write; false if nothing is written. An error is left for the I/O thread to meet.
#[cfg(unix)]
fn write_now(fd: std::os::fd::RawFd, state: &mut State) -> bool {
    let queue = state.proto.transmit();
    let mut slices = [std::io::IoSlice::new(&[])];
    if queue.io_slices(&mut slices) == 0 {
        return false;
    }
    let bytes = &*slices[0];
    // SAFETY: `bytes` is valid for its length, and `fd` is the connection's own open socket as
    // long as the lock on `state` is held.
    let sent = unsafe {
        libc::send(
            fd,
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    };
    if sent > 0 {
        queue.advance(sent as usize);
    }
    sent > 0
}
