//! Which connections of an I/O thread hold a compressor, and how long.
//!
//! Under context takeover a connection keeps the compressor of its last message, 376 KiB at the
//! defaults, until others want one: a compressor that was used just now is in the processor's cache,
//! and to tell it the last 16 KiB of another connection's history costs less than to fetch 376 KiB
//! from memory. Measured with messages of 1 KiB: 26 us with one compressor for one connection, 113 us
//! with 50 for 50, and 63 us with one for 50.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::connection::Connection;
use super::io_thread::ThreadContext;

/// Most compressors that the connections of a thread hold between messages; the one that was used
/// longest ago goes first.
const MOST: usize = if cfg!(test) { 2 } else { 4 };

/// A compressor that was not used for this long, or up to twice as long, goes.
const IDLE: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 5000 });

#[derive(Default)]
pub struct Compressors {
    holders: RefCell<Vec<Weak<Connection>>>,
    /// Counts the messages that were compressed.
    clock: Cell<u64>,
    /// Where `clock` stood when idle ones were last looked for.
    looked: Cell<u64>,
    sweeping: Cell<bool>,
    /// For `compress.rs`: bytes of messages that were compressed in this turn of the thread.
    pub(super) turn: Cell<usize>,
}

impl ThreadContext {
    /// `conn` has compressed a message.
    pub fn compressed(self: &Rc<Self>, conn: &Rc<Connection>) {
        let own = &self.compressors;
        let Some(deflating) = conn.deflating.get() else {
            return;
        };
        own.clock.set(own.clock.get() + 1);
        let is_new = deflating.compressed_at.get() == 0;
        if is_new && conn.link.lock().proto.compressor_held() == 0 {
            return;
        }
        deflating.compressed_at.set(own.clock.get());
        if !is_new {
            return;
        }
        own.make_room();
        own.holders.borrow_mut().push(Rc::downgrade(conn));
        if !own.sweeping.replace(true) {
            tokio::task::spawn_local(sweep(self.clone()));
        }
    }
}

impl Compressors {
    fn make_room(&self) {
        let mut holders = self.holders.borrow_mut();
        holders.retain(|conn| conn.strong_count() > 0);
        if holders.len() < MOST {
            return;
        }
        let oldest = holders
            .iter()
            .enumerate()
            .min_by_key(|(_, conn)| conn.upgrade().map_or(0, |conn| last_use(&conn)));
        if let Some((at, _)) = oldest {
            release(&holders.swap_remove(at));
        }
    }

    /// Has those go that were not used since this was called last; false when none is left.
    fn release_idle(&self) -> bool {
        let looked = self.looked.replace(self.clock.get());
        let mut holders = self.holders.borrow_mut();
        holders.retain(|conn| {
            let is_idle = conn.upgrade().is_none_or(|conn| last_use(&conn) <= looked);
            if is_idle {
                release(conn);
            }
            !is_idle
        });
        !holders.is_empty()
    }
}

async fn sweep(context: Rc<ThreadContext>) {
    loop {
        tokio::time::sleep(IDLE).await;
        if !context.compressors.release_idle() {
            context.compressors.sweeping.set(false);
            return;
        }
    }
}

fn last_use(conn: &Connection) -> u64 {
    conn.deflating
        .get()
        .map_or(0, |deflating| deflating.compressed_at.get())
}

fn release(conn: &Weak<Connection>) {
    if let Some(conn) = conn.upgrade() {
        if let Some(deflating) = conn.deflating.get() {
            deflating.compressed_at.set(0);
        }
        conn.link.lock().proto.release_compressor();
    }
}
