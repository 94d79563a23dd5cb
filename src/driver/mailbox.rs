//! What other threads send to an I/O thread.
//!
//! A sender wakes the thread only when it sleeps, and then once: the thread says so before it
//! parks, looks into the box a last time, and only then blocks.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::command::CommandBatch;
use super::environment::Environment;
use super::listener::Listener;
use crate::sync::lock;

/// One letter.
pub enum Submission {
    Commands {
        env: Arc<Environment>,
        batch: CommandBatch,
    },
    /// A socket accepted by another I/O thread.
    Accepted {
        env: Arc<Environment>,
        listener: Arc<Listener>,
        stream: TcpStream,
        remote: std::net::SocketAddr,
    },
    /// A listener of `env` takes no more connections: those that have said nothing may go.
    ListenerClosing {
        env: u64,
        listener: u32,
    },
    /// JavaScript has caught up: connections that wait for credit may read again.
    Credit {
        env: u64,
    },
    /// Close everything of an environment, then open the gate.
    Detach {
        env: u64,
        done: Arc<Gate>,
    },
    Stop,
}

#[derive(Default)]
pub struct Mailbox {
    queue: Mutex<Vec<Submission>>,
    waker: Mutex<Option<Waker>>,
    parked: AtomicBool,
}

impl Mailbox {
    /// Puts a letter in and makes sure that the thread will see it.
    pub fn send(&self, submission: Submission) {
        lock(&self.queue).push(submission);
        fence(Ordering::SeqCst);
        if self.parked.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    pub fn is_parked(&self) -> bool {
        self.parked.load(Ordering::SeqCst)
    }

    /// Takes all letters; `into` must be empty.
    pub fn take(&self, into: &mut Vec<Submission>) {
        std::mem::swap(&mut *lock(&self.queue), into);
    }

    pub fn set_waker(&self, waker: &Waker) {
        let mut slot = lock(&self.waker);
        if !slot.as_ref().is_some_and(|w| w.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    /// Called by the owner instead of `before_park`: it looks for work once more.
    pub fn stay_awake(&self) {
        self.wake();
    }

    /// Called by the owner now and then while it does not sleep: letters do not wake it then.
    pub fn look(&self) {
        if !lock(&self.queue).is_empty() {
            self.wake();
        }
    }

    /// Called by the owner when it is about to sleep.
    pub fn before_park(&self) {
        self.parked.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if !lock(&self.queue).is_empty() && self.parked.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    pub fn after_unpark(&self) {
        self.parked.store(false, Ordering::SeqCst);
    }

    fn wake(&self) {
        if let Some(waker) = &*lock(&self.waker) {
            waker.wake_by_ref();
        }
    }
}

/// Opens once.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    changed: std::sync::Condvar,
}

impl Gate {
    pub fn open(&self) {
        *lock(&self.open) = true;
        self.changed.notify_all();
    }

    pub fn wait(&self) {
        let mut open = lock(&self.open);
        while !*open {
            open = self
                .changed
                .wait(open)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}
