//! One connection: the task that receives, and the write half that commands feed.
//!
//! ```text
//!  server:  RequestHead ──┬───────────────► Open ──► gone
//!               │         └► Deciding ──►    ▲
//!               └► Refused ◄────┘            │
//!  client:  (dial) ──► ResponseHead ─────────┤        Raw: bytes without frames
//!  adopted: ─────────────────────────────────┘
//! ```

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::batch::Kind;
use super::command::{AutoPong, ConnectionOptions, Dial};
use super::compress::Deflating;
use super::counters::Counter;
use super::deflate::Agreed;
use super::link::{Link, State};
use super::listener::Listener;
use super::local::LocalEnvironment;
use super::receive::Credit;
use super::tls::{Turn, is_handshaking};
use crate::proto::Role;
use crate::proto::connection::{Connection as Protocol, ConnectionConfig};
use crate::proto::handshake::HeadScan;
use crate::proto::receiver::ReceiverConfig;
use crate::transport::Transport;
use crate::transport::tls::error::TlsError;

/// A queue of this many bytes does not gain from waiting for more of the same batch.
const LONG_QUEUE: usize = 4 * 1024;

/// Output of the inflater after which others get their turn.
const INFLATE_SLICE: usize = 128 * 1024;

/// How long a refused peer may take to read the refusal.
const LINGER: Duration = Duration::from_secs(1);

pub struct Connection {
    id: u32,
    pub(super) env: Rc<LocalEnvironment>,
    pub(super) listener: Option<Arc<Listener>>,
    pub(super) link: Arc<Link>,
    pub(super) auto_pong: AutoPong,
    io: RefCell<Io>,
    waker: RefCell<Option<Waker>>,
    /// JavaScript knows of it and is to be told of its end.
    pub(super) announced: Cell<bool>,
    pub(super) paused: Cell<bool>,
    pub(super) dirty: Cell<bool>,
    /// permessage-deflate was agreed on.
    pub(super) deflating: OnceCell<Box<Deflating>>,
}

/// What only the owning thread touches.
pub(super) struct Io {
    pub transport: Option<Transport>,
    pub stage: Stage,
    /// Received but not consumed: an unfinished head, or frames that wait for credit.
    pub pending: Vec<u8>,
    /// How far an unfinished head has been looked at.
    pub scan: HeadScan,
    /// A plain request has been answered.
    pub answered: bool,
    /// When the current stage has taken too long.
    pub deadline: Option<Instant>,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
    pub(super) credit: Credit,
    pub(super) starved: bool,
    /// The peer has ended its half.
    pub(super) eof: bool,
    /// Our half has ended.
    pub(super) shut: bool,
    /// Nothing can be saved: destroy at the end of this turn.
    pub(super) doomed: bool,
    /// Counts the reads, for JavaScript.
    pub(super) read: u8,
    /// Counts the bytes read, for JavaScript.
    pub(super) received: u64,
    pub(super) counter: Counter,
    /// The operating system's number of what went wrong.
    pub(super) errno: u32,
    /// More of `pending` is to be inflated when others have had their turn.
    pub(super) sliced: bool,
    /// Of its TLS handshake.
    pub(super) turn: Turn,
}

pub(super) enum Stage {
    RequestHead,
    /// JavaScript answers; with what has been agreed on if it says yes.
    Deciding(Option<Agreed>),
    Refused,
    ResponseHead(Box<Dial>),
    Open,
    Raw,
}

impl Connection {
    /// A server's connection, from its first byte on.
    pub fn accept(
        env: Rc<LocalEnvironment>,
        id: u32,
        listener: Arc<Listener>,
        transport: Transport,
    ) {
        let deadline = listener
            .handshake_timeout
            .map(|limit| Instant::now() + limit);
        let options = listener.options.clone();
        let conn = Self::new(env, id, Role::Server, &options, Some(listener));
        conn.start(transport, Stage::RequestHead, deadline, false);
    }

    /// A client's connection, whose request is written first.
    pub fn dialled(env: Rc<LocalEnvironment>, id: u32, dial: Box<Dial>, transport: Transport) {
        let conn = Self::new(env, id, Role::Client, &dial.options, None);
        conn.link
            .lock()
            .proto
            .transmit()
            .push_raw(&dial.request.bytes);
        conn.start(transport, Stage::ResponseHead(dial), None, true);
    }

    pub(super) fn new(
        env: Rc<LocalEnvironment>,
        id: u32,
        role: Role,
        options: &ConnectionOptions,
        listener: Option<Arc<Listener>>,
    ) -> Rc<Self> {
        let protocol = Protocol::new(ConnectionConfig {
            receiver: ReceiverConfig {
                role,
                max_payload: options.max_payload,
                max_frame_size: options.max_frame_size,
                max_fragments: options.max_fragments,
                skip_utf8_validation: options.skip_utf8_validation,
            },
            close_timeout: options.close_timeout,
            max_pending_pongs: options.max_pending_pongs,
        });
        let counter = env.shared.counter(id);
        let link = Link::new(protocol, counter.clone());
        Rc::new(Self {
            id,
            env,
            listener,
            link,
            auto_pong: options.auto_pong,
            io: RefCell::new(Io {
                transport: None,
                stage: Stage::Deciding(None),
                pending: Vec::new(),
                scan: HeadScan::default(),
                answered: false,
                deadline: None,
                timer: None,
                credit: Credit::default(),
                starved: false,
                eof: false,
                shut: false,
                doomed: false,
                read: 0,
                received: 0,
                counter,
                errno: 0,
                sliced: false,
                turn: Turn::None,
            }),
            waker: RefCell::new(None),
            announced: Cell::new(false),
            paused: Cell::new(false),
            dirty: Cell::new(false),
            deflating: OnceCell::new(),
        })
    }

    pub(super) fn start(
        self: Rc<Self>,
        transport: Transport,
        stage: Stage,
        deadline: Option<Instant>,
        announced: bool,
    ) {
        {
            let mut io = self.io.borrow_mut();
            io.transport = Some(transport);
            io.stage = stage;
            io.deadline = deadline;
        }
        self.announced.set(announced);
        self.env.insert(self.clone());
        tokio::task::spawn_local(Driver(self));
    }

    pub fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn io(&self) -> std::cell::RefMut<'_, Io> {
        self.io.borrow_mut()
    }

    pub(super) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Has `listener`'s peer asked for nothing at all yet? A TLS handshake under way asks for nothing.
    pub fn is_idle_handshake_of(&self, listener: u32) -> bool {
        let io = self.io.borrow();
        matches!(io.stage, Stage::RequestHead)
            && io.pending.is_empty()
            && self.listener.as_ref().is_some_and(|own| own.id == listener)
    }

    /// Messages may be compressed, as was agreed; to be called before the connection is open.
    pub(super) fn enable_deflate(
        &self,
        agreed: Option<Agreed>,
        options: Option<&ConnectionOptions>,
    ) {
        let deflate = options.and_then(|options| options.deflate.as_ref());
        let (Some((params, contexts)), Some(deflate)) = (agreed, deflate) else {
            return;
        };
        let mut state = self.link.lock();
        state.proto.enable_deflate(&params, &deflate.options);
        state.proto.set_inflate_slice(INFLATE_SLICE);
        // agreed on once
        let _ = self.deflating.set(Box::new(Deflating::new(contexts)));
    }

    /// From here on the bytes are frames.
    pub(super) fn open(&self, io: &mut Io) {
        io.stage = Stage::Open;
        io.deadline = None;
        #[cfg(unix)]
        {
            self.link.lock().direct = io.transport.as_ref().and_then(Transport::raw_fd);
        }
        self.env.shared.set_link(self.id, Some(self.link.clone()));
    }

    /// From here on nothing is read; what is queued goes out, and then the connection ends.
    pub(super) fn refuse(&self, io: &mut Io) {
        io.stage = Stage::Refused;
        io.deadline = Some(Instant::now() + LINGER);
        io.pending = Vec::new();
        self.link.lock().proto.end();
    }

    fn drive(self: &Rc<Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self
            .waker
            .borrow()
            .as_ref()
            .is_some_and(|w| w.will_wake(cx.waker()))
        {
            *self.waker.borrow_mut() = Some(cx.waker().clone());
        }
        let mut io = self.io.borrow_mut();
        if io.transport.is_none() {
            return Poll::Ready(());
        }
        let reads = self.receive(&mut io, cx);
        self.env.context.turn_taken(reads);
        self.send(&mut io, cx);
        self.check_time(&mut io, cx);
        if io.doomed || (io.eof && io.shut) {
            drop(io);
            self.destroy();
            return Poll::Ready(());
        }
        Poll::Pending
    }

    // ---- sending ----

    fn send(&self, io: &mut Io, cx: &mut Context<'_>) {
        let Some(transport) = &mut io.transport else {
            return;
        };
        let mut state = self.link.lock();
        if !state.write_failed {
            // the error shows when reading; until then what the peer has sent is still delivered
            let sent = transport.poll_send(cx, state.proto.transmit());
            if let Poll::Ready(Err(error)) = sent {
                // what reading reports counts first, as with Node's sockets
                if io.errno == 0 {
                    io.errno = errno(&error);
                }
                // only a peer that is gone shows when reading
                io.doomed |= !matches!(
                    error.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                );
                state.write_failed = true;
                // reading finds the reason, also when paused
                cx.waker().wake_by_ref();
            }
        }
        if state.write_failed {
            state.proto.transmit().clear();
        }
        if let Some(relay) = transport.relay() {
            let output = relay.pick_up();
            state.write_failed |= relay.is_gone();
            self.env.event(|batch| batch.push_output(self.id, &output));
        }
        state.proto.set_in_flight(transport.in_flight());
        let acked = state.progress();
        if acked > 0 {
            self.env
                .event(|batch| batch.push(Kind::Written, self.id, acked, 0));
        }
        if state.proto.should_shutdown() {
            state.proto.set_shutdown_done();
            if transport.relay().is_some() {
                self.env
                    .event(|batch| batch.push(Kind::OutputEnd, self.id, 0, 0));
            } else {
                io.shut = true;
                // fails when the peer has reset the connection, which reading reports
                let _ = transport.shutdown(cx);
            }
        }
        // neither half is left: a reset may show as an error of the write and an end of input
        io.doomed |= io.eof && state.write_failed;
    }

    /// Writes now what would otherwise wait for the end of the batch.
    pub fn write_out_if_long(&self) {
        if self.dirty.get() && self.link.lock().proto.transmit().len() >= LONG_QUEUE {
            self.write_out();
        }
    }

    /// Writes what commands have queued, outside of the task's own turn.
    pub fn write_out(&self) {
        if !self.dirty.replace(false) {
            return;
        }
        // without a waker the task has not run yet, and asks for itself when it does
        let waker = self.waker.borrow().clone();
        let waker = waker.unwrap_or_else(|| Waker::noop().clone());
        let mut io = self.io.borrow_mut();
        self.send(&mut io, &mut Context::from_waker(&waker));
        let timed = io.deadline.is_some() || self.link.lock().proto.poll_timeout().is_some();
        if timed || io.doomed || (io.eof && io.shut) {
            waker.wake();
        }
    }

    pub(super) fn mask_key(&self, state: &State) -> Option<[u8; 4]> {
        (state.proto.role() == Role::Client).then(|| self.env.context.keys.borrow_mut().draw())
    }

    // ---- time ----

    /// One timer for all purposes, re-armed only when it fires too early.
    fn check_time(&self, io: &mut Io, cx: &mut Context<'_>) {
        let closing = self.link.lock().proto.poll_timeout();
        let due = match (io.deadline, closing) {
            (Some(a), Some(b)) => a.min(b),
            (Some(a), None) | (None, Some(a)) => a,
            (None, None) => {
                io.timer = None;
                return;
            }
        };
        loop {
            let timer = io
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
            if timer.deadline().into_std() > due {
                timer.as_mut().reset(due.into());
            }
            if timer.as_mut().poll(cx).is_pending() {
                return;
            }
            io.timer = None;
            let now = Instant::now();
            if now >= due {
                return self.timed_out(io, cx, now);
            }
        }
    }

    fn timed_out(&self, io: &mut Io, cx: &mut Context<'_>, now: Instant) {
        match io.stage {
            Stage::RequestHead if is_handshaking(io) => {
                let late = TlsError::new("ERR_TLS_HANDSHAKE_TIMEOUT", "TLS handshake timeout");
                self.handshake_failed(io, late.into());
                io.doomed = true;
            }
            Stage::RequestHead => {
                self.refuse_late(io);
                cx.waker().wake_by_ref();
            }
            Stage::Open => io.doomed |= self.link.lock().proto.handle_timeout(now),
            _ => io.doomed = true,
        }
    }

    // ---- the end ----

    /// Closes the transport, whatever is under way, and says so.
    pub fn destroy(&self) {
        let mut io = self.io.borrow_mut();
        let Some(transport) = io.transport.take() else {
            return;
        };
        let acked = {
            let mut state = self.link.lock();
            #[cfg(unix)]
            {
                state.direct = None;
            }
            // what has been written until now is no failure
            let acked = state.progress();
            state.proto.transmit().clear();
            state.proto.set_in_flight(0);
            state.progress();
            acked
        };
        drop(transport);
        let errno = io.errno;
        io.pending = Vec::new();
        io.timer = None;
        drop(io);
        if let Some(deflating) = self.deflating.get() {
            deflating.stop();
        }
        self.env.shared.set_link(self.id, None);
        self.env.remove(self.id);
        if self.announced.get() {
            self.env.event(|batch| {
                if acked > 0 {
                    batch.push(Kind::Written, self.id, acked, 0);
                }
                batch.push(Kind::Closed, self.id, errno, 0);
            });
        } else {
            self.env.shared.release(self.id);
        }
        if let Some(listener) = &self.listener {
            self.env.listener_left(listener);
        }
        self.wake();
    }
}

pub(super) fn errno(error: &io::Error) -> u32 {
    error.raw_os_error().map_or(0, |code| code as u32)
}

/// The task of a connection.
struct Driver(Rc<Connection>);

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let conn = &self.0;
        let turn = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| conn.drive(cx)));
        turn.unwrap_or_else(|_| {
            // a fault of ours costs this connection, and JavaScript hears of its end
            conn.destroy();
            Poll::Ready(())
        })
    }
}
