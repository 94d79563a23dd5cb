//! TLS of the connections of a listener: what JavaScript is asked and told about a handshake.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::{Rc, Weak};
use std::sync::{Arc, RwLock};

use super::connection::{Connection, Io, Stage};
use super::io_thread::ThreadContext;
use super::listener::hooks;
use super::notice::Notice;
use crate::transport::Transport;
use crate::transport::tls::context::ServerContext;
use crate::transport::tls::names::ServerContexts;

/// The contexts of a listener, which may be replaced while it runs.
pub struct ServerTls(RwLock<Arc<ServerContexts>>);

impl ServerTls {
    pub fn new(contexts: Arc<ServerContexts>) -> Self {
        Self(RwLock::new(contexts))
    }

    /// For the connections to come.
    pub fn contexts(&self) -> Arc<ServerContexts> {
        match self.0.read() {
            Ok(contexts) => contexts.clone(),
            // nothing panics while it is locked
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    pub fn replace(&self, contexts: Arc<ServerContexts>) {
        match self.0.write() {
            Ok(mut own) => *own = contexts,
            Err(poisoned) => *poisoned.into_inner() = contexts,
        }
    }
}

/// Handshakes take long, as messages go, and come in crowds: one at a time gets a turn, and in between
/// all sockets that are ready get theirs.
#[derive(Default)]
pub struct Handshakes {
    waiting: RefCell<VecDeque<Weak<Connection>>>,
    working: Cell<bool>,
}

/// Whose turn it is to go on with its handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    #[default]
    None,
    Awaited,
    Granted,
}

impl ThreadContext {
    fn queue_handshake(self: &Rc<Self>, conn: &Rc<Connection>) {
        let own = &self.handshakes;
        own.waiting.borrow_mut().push_back(Rc::downgrade(conn));
        if !own.working.replace(true) {
            tokio::task::spawn_local(grant_turns(self.clone()));
        }
    }
}

async fn grant_turns(context: Rc<ThreadContext>) {
    loop {
        let next = context.handshakes.waiting.borrow_mut().pop_front();
        match next {
            Some(conn) => {
                if let Some(conn) = conn.upgrade() {
                    conn.io().turn = Turn::Granted;
                    conn.wake();
                }
            }
            None => return context.handshakes.working.set(false),
        }
        if !context.handshakes.waiting.borrow().is_empty() {
            context.turn_over();
        }
        // until the sockets have been looked at
        tokio::task::yield_now().await;
    }
}

/// Whether the connection is not even encrypted yet.
pub(super) fn is_handshaking(io: &Io) -> bool {
    matches!(&io.transport, Some(Transport::Tls(tls)) if tls.is_handshaking())
}

impl Connection {
    /// Whether to go on with the handshake now; if not, there is a wake when it is time.
    pub(super) fn has_turn(self: &Rc<Self>, io: &mut Io) -> bool {
        match io.turn {
            Turn::Granted => {
                io.turn = Turn::None;
                return true;
            }
            Turn::None => {
                io.turn = Turn::Awaited;
                self.env.context.queue_handshake(self);
            }
            Turn::Awaited => {}
        }
        false
    }

    /// Tells the server that a client's handshake has failed, if it wants to know.
    pub(super) fn handshake_failed(&self, io: &Io, error: io::Error) {
        let (Some(listener), Some(transport)) = (&self.listener, &io.transport) else {
            return;
        };
        // JavaScript that has been asked hears of its end
        if listener.wants(hooks::TLS_ERROR) {
            self.env.notify(
                0,
                Notice::TlsClientError {
                    listener: listener.id,
                    peer: transport.peer(),
                    error,
                },
            );
        }
    }

    /// Asks for the context of a host that the listener has none for.
    pub(super) fn ask_for_context(&self, io: &mut Io) {
        let (Stage::RequestHead, Some(listener)) = (&io.stage, &self.listener) else {
            return;
        };
        let tls = io.transport.as_mut().and_then(Transport::tls);
        if let Some(server_name) = tls.and_then(|tls| tls.take_question()) {
            self.announced.set(true);
            let listener = listener.id;
            let peer = io
                .transport
                .as_ref()
                .map(Transport::peer)
                .unwrap_or_default();
            self.env.notify(
                self.id(),
                Notice::ServerName {
                    listener,
                    server_name,
                    peer,
                },
            );
        }
    }

    /// The answer.
    pub(super) fn use_context(self: &Rc<Self>, context: Option<Arc<ServerContext>>) {
        let mut io = self.io();
        if let Some(tls) = io.transport.as_mut().and_then(Transport::tls) {
            tls.answer(context);
        }
        drop(io);
        self.wake();
    }
}
