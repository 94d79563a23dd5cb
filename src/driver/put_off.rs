//! The messages of a thread that are compressed by and by, in one task: a turn of it is about one
//! millisecond long, and in between the thread's sockets and commands get theirs.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};

use super::connection::Connection;
use super::io_thread::ThreadContext;

/// What of the shorter ones is compressed in one turn, before a slice of a long one.
const SHORT_MAX: usize = 32 * 1024;

/// Slices of a long one, a megabyte, after which the next has its turn. Those that have begun hold a
/// compressor each: a fraction of the message's own memory.
const SLICES_MAX: u32 = 32;

#[derive(Default)]
pub struct PutOff {
    short: RefCell<VecDeque<Weak<Connection>>>,
    long: RefCell<VecDeque<Weak<Connection>>>,
    /// Slices that the first of `long` has had without a break.
    slices: Cell<u32>,
    working: Cell<bool>,
}

impl ThreadContext {
    /// `conn` has a message to compress.
    pub fn put_off(self: &Rc<Self>, conn: &Rc<Connection>, is_long: bool) {
        let own = &self.put_off;
        let queue = if is_long { &own.long } else { &own.short };
        queue.borrow_mut().push_back(Rc::downgrade(conn));
        if !own.working.replace(true) {
            tokio::task::spawn_local(work(self.clone()));
        }
    }
}

impl PutOff {
    /// A slice of the first long one.
    fn long_turn(&self) {
        let Some(first) = self.long.borrow().front().cloned() else {
            return;
        };
        let has_more = compress_on(&first);
        self.slices.set(self.slices.get() + 1);
        if has_more && self.slices.get() < SLICES_MAX {
            return;
        }
        self.slices.set(0);
        let mut long = self.long.borrow_mut();
        long.pop_front();
        if has_more {
            long.push_back(first);
        }
    }
}

async fn work(context: Rc<ThreadContext>) {
    let own = &context.put_off;
    loop {
        let turn = &context.compressors.turn;
        turn.set(0);
        while turn.get() < SHORT_MAX {
            let Some(conn) = own.short.borrow_mut().pop_front() else {
                break;
            };
            if compress_on(&conn) {
                own.short.borrow_mut().push_front(conn);
            }
        }
        own.long_turn();
        if own.short.borrow().is_empty() && own.long.borrow().is_empty() {
            own.working.set(false);
            return;
        }
        context.turn_over();
        tokio::task::yield_now().await;
    }
}

/// True: there is more to do for that message.
fn compress_on(conn: &Weak<Connection>) -> bool {
    let Some(conn) = conn.upgrade() else {
        return false;
    };
    catch_unwind(AssertUnwindSafe(|| conn.compress_on())).unwrap_or_else(|_| {
        // a fault of ours costs this connection
        conn.destroy();
        false
    })
}
