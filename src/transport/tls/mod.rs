//! TLS over TCP, by rustls.
//!
//! Ciphertext is received into memory of the thread and decrypted there; a connection keeps what
//! belongs to an unfinished record, and what the socket has not taken, and nothing else.

mod authority;
pub mod context;
pub mod error;
mod hello;
pub mod info;
pub mod names;
pub mod roots;
mod session;
mod tickets;
mod verify;

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use tokio::io::ReadBuf;

pub use rustls::pki_types::ServerName;

use super::PeerInfo;
use super::tcp::Tcp;
use context::{ClientContext, ServerContext};
use error::TlsError;
use hello::Hello;
use info::TlsInfo;
use names::ServerContexts;
use session::{RECORD, RECORD_MAX, Session};

/// Most ciphertext received at once.
const READ_MAX: usize = 128 * 1024;

/// Most bytes of records or of a handshake message that are kept until the rest has come. A
/// message of the handshake has at most 64 KiB (rustls), in records that may be short.
const PENDING_MAX: usize = 96 * 1024;

/// Plaintext that is encrypted before it is written.
const WRITE_MAX: usize = 4 * RECORD;

/// Reads of one call that may bring no data.
const READS: usize = 8;

struct Scratch {
    received: Vec<u8>,
    staged: Vec<u8>,
    encrypted: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        received: vec![0; PENDING_MAX + READ_MAX],
        staged: Vec::with_capacity(RECORD),
        encrypted: Vec::with_capacity(WRITE_MAX + 4 * (RECORD_MAX - RECORD)),
    });
}

pub struct Tls {
    tcp: Tcp,
    state: State,
    /// Ciphertext that waits for the rest of it.
    pending: Vec<u8>,
    /// Plaintext for which there was no room, from `taken` on.
    plain: Vec<u8>,
    taken: usize,
    /// Ciphertext that the socket has not taken, from `written` on.
    out: Vec<u8>,
    written: usize,
    /// Bytes of plaintext of which some are in `out`.
    unsent: usize,
    /// What reading is to report, behind the data.
    failure: Option<TlsError>,
    /// Where the peer is: a socket that has been reset does not know any more.
    remote: Option<SocketAddr>,
    /// The peer sends nothing more.
    closed: bool,
    /// The socket's writing half ends when `out` is written.
    ends: bool,
}

enum State {
    /// A server waits for the ClientHello.
    Hello(Box<Hello>),
    Session {
        session: Session,
        /// What a client's session is with, or a server's context.
        party: Party,
    },
    Failed,
}

enum Party {
    Server(Arc<ClientContext>, ServerName<'static>),
    Client(Arc<ServerContext>, Option<Box<str>>),
}

impl Tls {
    /// The server's side of a connection.
    pub fn accept(tcp: Tcp, contexts: Arc<ServerContexts>, remote: SocketAddr) -> Self {
        let state = State::Hello(Box::new(Hello::new(contexts)));
        Self::new(tcp, state, Some(remote))
    }

    /// The client's side of a connection.
    pub fn connect(
        tcp: Tcp,
        context: Arc<ClientContext>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let session = UnbufferedClientConnection::new(context.config.clone(), name.clone())
            .map_err(TlsError::from)?;
        let mut session = Session::Client(Box::new(session));
        let mut hello = Vec::new();
        session
            .advance(&mut [], &mut hello, |_| {})
            .map_err(TlsError::from)?;
        let party = Party::Server(context, name);
        let remote = tcp.peer().remote;
        let mut tls = Self::new(tcp, State::Session { session, party }, remote);
        // goes out with the first attempt to write
        tls.out = hello;
        Ok(tls)
    }

    fn new(tcp: Tcp, state: State, remote: Option<SocketAddr>) -> Self {
        Self {
            remote,
            tcp,
            state,
            pending: Vec::new(),
            plain: Vec::new(),
            taken: 0,
            out: Vec::new(),
            written: 0,
            unsent: 0,
            failure: None,
            closed: false,
            ends: false,
        }
    }

    pub fn tcp(&self) -> &Tcp {
        &self.tcp
    }

    pub fn peer(&self) -> PeerInfo {
        PeerInfo {
            local: self.tcp.peer().local,
            remote: self.remote,
            tls: self.info().map(Box::new),
        }
    }

    pub fn is_handshaking(&self) -> bool {
        match &self.state {
            State::Hello(_) => true,
            State::Session { session, .. } => session.is_handshaking(),
            State::Failed => false,
        }
    }

    /// What was agreed on, once the handshake is over.
    fn info(&self) -> Option<TlsInfo> {
        match &self.state {
            State::Session { session, party } if !session.is_handshaking() => {
                Some(TlsInfo::of(session, party))
            }
            _ => None,
        }
    }

    // ---- SNI ----

    /// The name that JavaScript is to choose a context for; once.
    pub fn take_question(&mut self) -> Option<String> {
        match &mut self.state {
            State::Hello(hello) => hello.take_question(),
            _ => None,
        }
    }

    /// The answer; none: the default context.
    pub fn answer(&mut self, context: Option<Arc<ServerContext>>) {
        if let State::Hello(hello) = &mut self.state {
            hello.answer(context);
        }
    }

    // ---- receiving ----

    /// See [`super::Transport::poll_receive`].
    pub fn poll_receive<'a>(
        &mut self,
        cx: &mut Context<'_>,
        space: &'a mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<&'a mut [u8]>> {
        let mut room = ReadBuf::uninit(space);
        for _ in 0..READS {
            if self.taken < self.plain.len() {
                self.hand_over(&mut room);
            } else if let Some(error) = self.failure.take() {
                return Poll::Ready(Err(error.into()));
            } else if self.closed {
                return Poll::Ready(Ok(&mut []));
            } else {
                ready!(self.poll_records(cx, &mut room))?;
            }
            let filled = room.filled().len();
            if filled > 0 {
                // SAFETY: ReadBuf vouches that the first `filled` bytes are initialised.
                return Poll::Ready(Ok(unsafe { super::filled(space, filled) }));
            }
        }
        // records without data: others get their turn
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn hand_over(&mut self, room: &mut ReadBuf<'_>) {
        let rest = &self.plain[self.taken..];
        let len = rest.len().min(room.remaining());
        room.put_slice(&rest[..len]);
        self.taken += len;
        if self.taken == self.plain.len() {
            self.plain = Vec::new();
            self.taken = 0;
        }
    }

    /// Reads from the socket once, and decrypts what is complete.
    fn poll_records(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut is_answered = false;
        if let State::Hello(hello) = &self.state {
            // only to learn that the client has gone
            if hello.is_waiting() && self.pending.len() >= PENDING_MAX {
                return Poll::Pending;
            }
            is_answered = hello.is_answered();
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch {
                received,
                encrypted,
                ..
            } = scratch;
            let kept = self.pending.len();
            let mut end = kept;
            if !is_answered {
                let wanted = (room.remaining() + RECORD_MAX).min(READ_MAX);
                end += ready!(self.tcp.poll_read(cx, &mut received[kept..kept + wanted]))?;
                if end == kept {
                    self.end_of_stream();
                    return Poll::Ready(Ok(()));
                }
            }
            received[..kept].copy_from_slice(&self.pending);
            encrypted.clear();
            let outcome = self.process(&mut received[..end], kept, room, encrypted);
            // the alert of a failure too
            let mut sent = self.send(cx, encrypted, 0);
            match outcome {
                Ok(consumed) if end - consumed > PENDING_MAX => self.fail(TlsError::new(
                    "ERR_SSL_EXCESSIVE_MESSAGE_SIZE",
                    "a message of the handshake is too long",
                )),
                Ok(consumed) => self.pending = received[consumed..end].to_vec(),
                Err(error) => self.fail(error),
            }
            if !room.filled().is_empty() {
                // what has come is handed over first; the next attempt to write fails too
                sent = Ok(());
            }
            Poll::Ready(sent)
        })
    }

    /// Works off what is complete of `input`, of which the first `seen` bytes were looked at before:
    /// how much that is.
    fn process(
        &mut self,
        input: &mut [u8],
        seen: usize,
        room: &mut ReadBuf<'_>,
        encrypted: &mut Vec<u8>,
    ) -> Result<usize, TlsError> {
        if let State::Hello(hello) = &mut self.state {
            let Some(context) = hello.look(&input[seen..], encrypted)? else {
                return Ok(0);
            };
            let session = UnbufferedServerConnection::new(context.config.clone())?;
            let session = Session::Server(Box::new(session));
            let hello = std::mem::replace(&mut self.state, State::Failed);
            if let State::Hello(hello) = hello {
                let party = Party::Client(context, hello.into_name());
                self.state = State::Session { session, party };
            }
        }
        let State::Session { session, .. } = &mut self.state else {
            return Ok(input.len());
        };
        let plain = &mut self.plain;
        let progress = session.advance(input, encrypted, |data| {
            let (now, later) = data.split_at(data.len().min(room.remaining()));
            room.put_slice(now);
            plain.extend_from_slice(later);
        })?;
        if progress.closed {
            self.end_of_stream();
        }
        Ok(progress.consumed)
    }

    /// The peer has ended the TCP connection. As Node has it, data that is not followed by a
    /// close_notify ends as well as any.
    fn end_of_stream(&mut self) {
        if self.is_handshaking() {
            let message = match &self.state {
                State::Session {
                    session: Session::Client(_),
                    ..
                } => {
                    "Client network socket disconnected before secure TLS connection was established"
                }
                _ => "socket hang up",
            };
            self.fail(TlsError::new("ECONNRESET", message));
        } else {
            self.closed = true;
        }
    }

    fn fail(&mut self, mut error: TlsError) {
        match &self.state {
            State::Session {
                session: session @ Session::Client(_),
                ..
            } if session.is_handshaking() => error.in_handshake(),
            _ => error.is_incompatible = false,
        }
        self.failure = Some(error);
        self.state = State::Failed;
        self.pending = Vec::new();
    }

    // ---- sending ----

    /// Encrypts and writes; what is taken may be on its way for a while: see
    /// [`in_flight`](Self::in_flight).
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(cx))?;
        if self.is_handshaking() || self.ends {
            return Poll::Pending;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch {
                staged, encrypted, ..
            } = scratch;
            encrypted.clear();
            let State::Session { session, .. } = &mut self.state else {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            };
            let taken = encrypt(session, &mut self.pending, slices, staged, encrypted)
                .map_err(TlsError::from)?;
            self.send(cx, encrypted, taken)?;
            Poll::Ready(Ok(taken))
        })
    }

    /// Writes what has been encrypted.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.out.len() {
            let rest = IoSlice::new(&self.out[self.written..]);
            match ready!(self.tcp.poll_write(cx, &[rest]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        self.out = Vec::new();
        self.written = 0;
        self.unsent = 0;
        if std::mem::take(&mut self.ends) {
            // fails when the peer has reset the connection, which reading reports
            let _ = self.tcp.shutdown();
        }
        Poll::Ready(Ok(()))
    }

    /// Bytes that were taken and have not all been written.
    pub fn in_flight(&self) -> usize {
        self.unsent
    }

    /// Ends the writing half, with a close_notify.
    pub fn shutdown(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.ends = true;
        if let State::Session { session, .. } = &mut self.state {
            // one that is broken has no say any more
            let _ = session.close_notify(&mut self.pending, &mut self.out);
        }
        match self.poll_flush(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    /// Writes `bytes`, which are `plain` bytes of data, behind what waits already.
    fn send(&mut self, cx: &mut Context<'_>, bytes: &[u8], plain: usize) -> io::Result<()> {
        let mut rest = bytes;
        while self.out.is_empty() && !rest.is_empty() {
            match self.tcp.poll_write(cx, &[IoSlice::new(rest)]) {
                Poll::Ready(Ok(count)) if count > 0 => rest = &rest[count..],
                Poll::Ready(Ok(_)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        if !rest.is_empty() {
            self.out.extend_from_slice(rest);
            self.unsent += plain;
        }
        Ok(())
    }
}

/// Encrypts the front of `slices`, in records as long as they may be; how much that is.
fn encrypt(
    session: &mut Session,
    pending: &mut [u8],
    slices: &[IoSlice<'_>],
    staged: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<usize, rustls::Error> {
    let mut taken = 0;
    staged.clear();
    for slice in slices {
        let mut rest = &slice[..slice.len().min(WRITE_MAX - taken)];
        taken += rest.len();
        while !rest.is_empty() {
            // what fills records by itself is not gathered
            let whole = if staged.is_empty() {
                rest.len() / RECORD * RECORD
            } else {
                0
            };
            let (direct, more) = rest.split_at(whole);
            if !direct.is_empty() {
                session.encrypt(pending, direct, out)?;
            }
            let (gathered, more) = more.split_at(more.len().min(RECORD - staged.len()));
            staged.extend_from_slice(gathered);
            rest = more;
            if staged.len() == RECORD {
                session.encrypt(pending, staged, out)?;
                staged.clear();
            }
        }
        if taken == WRITE_MAX {
            break;
        }
    }
    if !staged.is_empty() {
        session.encrypt(pending, staged, out)?;
    }
    Ok(taken)
}

#[cfg(test)]
mod tests;
