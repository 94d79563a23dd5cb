//! One environment's part on one I/O thread: its connections, listeners and unpublished events.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::task::AbortHandle;

use super::adopt;
use super::batch::{Batch, Kind};
use super::command::{Command, CommandBatch};
use super::connection::Connection;
use super::dial;
use super::environment::{Environment, conn_index};
use super::io_thread::ThreadContext;
use super::listener::{Listener, accept_loop};
use super::mailbox::Submission;
use super::notice::Notice;
use crate::transport::Transport;

pub struct LocalEnvironment {
    pub shared: Arc<Environment>,
    pub context: Rc<ThreadContext>,
    connections: RefCell<Vec<Option<Rc<Connection>>>>,
    listeners: RefCell<HashMap<u32, (Arc<Listener>, AbortHandle)>>,
    dials: RefCell<HashMap<u32, AbortHandle>>,
    batch: RefCell<Batch>,
    /// The number that the batch being filled will have.
    seq: Cell<u64>,
    /// Connections that stopped reading for want of credit.
    starved: RefCell<Vec<Rc<Connection>>>,
    /// Connections that the current command batch has given something to write.
    dirty: RefCell<Vec<Rc<Connection>>>,
    /// The connection of the last command.
    last: RefCell<Option<Rc<Connection>>>,
}

impl LocalEnvironment {
    pub fn new(shared: Arc<Environment>, context: Rc<ThreadContext>) -> Rc<Self> {
        Rc::new(Self {
            batch: RefCell::new(shared.spare_batch()),
            shared,
            context,
            connections: RefCell::default(),
            listeners: RefCell::default(),
            dials: RefCell::default(),
            seq: Cell::new(1),
            starved: RefCell::default(),
            dirty: RefCell::default(),
            last: RefCell::default(),
        })
    }

    pub fn thread(&self) -> usize {
        self.context.index
    }

    // ---- events ----

    /// Adds to the batch, and publishes it when it is full.
    pub fn event<R>(&self, add: impl FnOnce(&mut Batch) -> R) -> R {
        let mut batch = self.batch.borrow_mut();
        let result = add(&mut batch);
        let full = batch.is_full();
        drop(batch);
        if full {
            self.publish();
        }
        result
    }

    pub fn notify(&self, conn: u32, notice: Notice) {
        self.event(|batch| batch.push_notice(conn, notice));
    }

    /// Events that are not published yet.
    pub fn gathered(&self) -> usize {
        self.batch.borrow().records.len()
    }

    pub fn publish(&self) {
        let mut current = self.batch.borrow_mut();
        if current.is_empty() {
            return;
        }
        let mut batch = std::mem::replace(&mut *current, self.shared.spare_batch());
        drop(current);
        batch.thread = self.thread();
        batch.seq = self.seq.get();
        self.seq.set(batch.seq + 1);
        self.shared.publish(batch);
    }

    // ---- credit ----

    /// The sequence number of what is being collected now.
    pub fn seq(&self) -> u64 {
        self.seq.get()
    }

    /// JavaScript has finished with every batch up to this one.
    pub fn drained(&self) -> u64 {
        self.shared.drained(self.thread())
    }

    pub fn starve(&self, conn: Rc<Connection>) {
        self.starved.borrow_mut().push(conn);
        self.shared.wait_for_credit(self.thread());
    }

    pub fn credit(&self) {
        let starved = std::mem::take(&mut *self.starved.borrow_mut());
        if !starved.is_empty() {
            // asked for before looking, so that no batch that ends in between is missed
            self.shared.wait_for_credit(self.thread());
        }
        for conn in starved {
            if !conn.refill_credit() {
                self.starved.borrow_mut().push(conn);
            }
        }
    }

    // ---- connections ----

    pub fn serve(
        self: &Rc<Self>,
        listener: Arc<Listener>,
        transport: io::Result<Transport>,
        remote: SocketAddr,
    ) {
        let id = self.shared.allocate(self.thread());
        let transport = transport.and_then(|transport| match &listener.tls {
            Some(tls) => transport.accept_tls(tls.contexts(), remote),
            None => Ok(transport),
        });
        match (transport, id) {
            (Ok(transport), Some(id)) => Connection::accept(self.clone(), id, listener, transport),
            (_, id) => {
                if let Some(id) = id {
                    self.shared.release(id);
                }
                self.listener_left(&listener);
            }
        }
    }

    /// A connection of `listener` is gone.
    pub fn listener_left(&self, listener: &Listener) {
        if listener.connection_closed() {
            self.notify(
                0,
                Notice::ListenerClosed {
                    listener: listener.id,
                },
            );
        }
    }

    pub fn insert(&self, conn: Rc<Connection>) {
        let index = conn_index(conn.id());
        let mut connections = self.connections.borrow_mut();
        if connections.len() <= index {
            connections.resize_with(index + 1, || None);
        }
        connections[index] = Some(conn);
    }

    pub fn remove(&self, id: u32) {
        if let Some(slot) = self.connections.borrow_mut().get_mut(conn_index(id)) {
            *slot = None;
        }
        self.dials.borrow_mut().remove(&id);
    }

    /// The connection of a command. The one before is written out if it has a lot to write, while
    /// that is still warm; the others are at the end of the batch.
    fn find(&self, id: u32) -> Option<Rc<Connection>> {
        let mut last = self.last.borrow_mut();
        if let Some(conn) = &*last {
            if conn.id() == id {
                return Some(conn.clone());
            }
            conn.write_out_if_long();
        }
        last.clone_from(
            &self
                .connections
                .borrow()
                .get(conn_index(id))
                .cloned()
                .flatten(),
        );
        last.clone()
    }

    // ---- commands ----

    /// Works off a batch, then writes to each socket that it touched, once.
    pub fn run(self: &Rc<Self>, batch: &mut CommandBatch) {
        for command in batch.commands.drain(..) {
            self.execute(command, &batch.data);
        }
        *self.last.borrow_mut() = None;
        let mut dirty = std::mem::take(&mut *self.dirty.borrow_mut());
        for conn in dirty.drain(..) {
            conn.write_out();
        }
        *self.dirty.borrow_mut() = dirty;
    }

    pub fn mark_dirty(&self, conn: Rc<Connection>) {
        self.dirty.borrow_mut().push(conn);
    }

    /// It writes by itself.
    pub fn unmark_dirty(&self, conn: &Rc<Connection>) {
        self.dirty.borrow_mut().retain(|own| !Rc::ptr_eq(own, conn));
    }

    fn execute(self: &Rc<Self>, command: Command, data: &[u8]) {
        match command {
            Command::Listen { listener } => {
                let task = tokio::task::spawn_local(accept_loop(self.clone(), listener.clone()));
                let entry = (listener.clone(), task.abort_handle());
                self.listeners.borrow_mut().insert(listener.id, entry);
            }
            Command::CloseListener { listener } => self.close_listener(listener),
            Command::Connect { conn, dial } => {
                let task = tokio::task::spawn_local(dial::dial(self.clone(), conn, dial));
                self.dials.borrow_mut().insert(conn, task.abort_handle());
            }
            Command::Adopt { conn, adoption } => adopt::adopt(self.clone(), conn, *adoption),
            Command::Release { conn } => self.shared.release(conn),
            Command::Terminate { conn } => {
                match self.find(conn) {
                    Some(conn) => {
                        // what was sent before goes as far as the system takes it, as in Node
                        conn.write_out();
                        #[cfg(unix)]
                        conn.link.write_at_once();
                        conn.receive_last();
                        conn.destroy();
                    }
                    None => self.abandon_dial(conn),
                }
                *self.last.borrow_mut() = None;
            }
            Command::Send { conn, .. }
            | Command::SendShared { conn, .. }
            | Command::Ping { conn, .. }
            | Command::Pong { conn, .. }
            | Command::Close { conn, .. }
            | Command::Flush { conn }
            | Command::Pause { conn, .. }
            | Command::Respond { conn, .. }
            | Command::UseContext { conn, .. }
            | Command::Raw { conn, .. }
            | Command::End { conn }
            | Command::Feed { conn, .. }
            | Command::FeedEnd { conn, .. }
            | Command::Confirm { conn, .. }
            | Command::Ended { conn }
            | Command::Configure { conn, .. } => {
                if let Some(conn) = self.find(conn) {
                    conn.apply(command, data);
                }
            }
        }
    }

    /// A client that is still connecting is given up.
    fn abandon_dial(&self, id: u32) {
        if let Some(task) = self.dials.borrow_mut().remove(&id) {
            task.abort();
            self.event(|batch| batch.push(Kind::Closed, id, 0, 0));
        }
    }

    fn close_listener(&self, id: u32) {
        let Some((listener, task)) = self.listeners.borrow_mut().remove(&id) else {
            return;
        };
        task.abort();
        let closed = listener.close();
        self.close_silent(id);
        // behind the connections that the accept loop has sent there
        for (index, thread) in self.shared.threads().iter().enumerate() {
            if index != self.thread() {
                let env = self.shared.id();
                thread
                    .mailbox
                    .send(Submission::ListenerClosing { env, listener: id });
            }
        }
        if closed {
            self.notify(0, Notice::ListenerClosed { listener: id });
        }
    }

    /// Connections that have not asked for anything yet have nothing to wait for.
    pub fn close_silent(&self, listener: u32) {
        let idle: Vec<_> = self
            .connections
            .borrow()
            .iter()
            .flatten()
            .filter(|conn| conn.is_idle_handshake_of(listener))
            .cloned()
            .collect();
        for conn in idle {
            conn.destroy();
        }
    }

    /// The environment is going: close everything, tell nobody.
    pub fn detach(&self) {
        for (_, (listener, task)) in self.listeners.borrow_mut().drain() {
            task.abort();
            listener.close();
        }
        for (_, task) in self.dials.borrow_mut().drain() {
            task.abort();
        }
        let connections = std::mem::take(&mut *self.connections.borrow_mut());
        for conn in connections.into_iter().flatten() {
            conn.destroy();
        }
        self.starved.borrow_mut().clear();
        *self.batch.borrow_mut() = Batch::default();
    }
}
