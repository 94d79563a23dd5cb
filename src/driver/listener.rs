//! A listening socket and the loop that accepts from it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::command::ConnectionOptions;
use super::local::LocalEnvironment;
use super::mailbox::Submission;
use super::notice::Notice;
use super::tls::ServerTls;
use crate::sync::lock;
use crate::transport::Transport;

/// What JavaScript wants to be asked about, as bits; lib/constants.js has the same numbers.
pub mod hooks {
    /// Answer good upgrade requests: `verifyClient`, `handleProtocols`, `shouldHandle`, `headers`.
    pub const UPGRADE: u32 = 1;
    /// Answer bad upgrade requests: `wsClientError`.
    pub const CLIENT_ERROR: u32 = 2;
    /// Answer plain requests: `request`.
    pub const REQUEST: u32 = 4;
    /// Tell of failed TLS handshakes: `tlsClientError`.
    pub const TLS_ERROR: u32 = 8;
}

/// How long to leave a full descriptor table alone before accepting again.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// How long to wait for JavaScript when it has many connections yet to hear of.
const BACKLOG_PAUSE: Duration = Duration::from_millis(5);

/// A listening server, shared by JavaScript and the I/O threads.
pub struct Listener {
    pub id: u32,
    pub options: ConnectionOptions,
    /// The only path that is served, if any.
    pub path: Option<String>,
    /// A request head has to be complete within this time, if it is limited.
    pub handshake_timeout: Option<Duration>,
    /// Connections are encrypted.
    pub tls: Option<ServerTls>,
    pub hooks: AtomicU32,
    socket: Mutex<Option<TcpListener>>,
    connections: AtomicUsize,
    closing: AtomicBool,
    closed: AtomicBool,
    next_thread: AtomicUsize,
}

/// How to listen; see `net.Server.listen`.
pub struct Bind {
    pub address: std::net::SocketAddr,
    pub backlog: i32,
    /// Several sockets, of several threads or processes, share the port.
    pub reuse_port: bool,
    pub ipv6_only: bool,
}

/// How to treat the connections.
pub struct Serve {
    pub path: Option<String>,
    pub handshake_timeout: Option<Duration>,
    pub tls: Option<ServerTls>,
    pub options: ConnectionOptions,
}

impl Listener {
    /// Binds and listens; returns the address too, for `port` 0.
    pub fn bind(
        bind: &Bind,
        id: u32,
        serve: Serve,
    ) -> io::Result<(Arc<Self>, std::net::SocketAddr)> {
        let socket = Socket::new(
            Domain::for_address(bind.address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if bind.address.is_ipv6() {
            socket.set_only_v6(bind.ipv6_only)?;
        }
        if bind.reuse_port {
            #[cfg(unix)]
            socket.set_reuse_port(true)?;
            #[cfg(not(unix))]
            return Err(io::ErrorKind::Unsupported.into());
        }
        socket.set_nonblocking(true)?;
        socket.bind(&bind.address.into())?;
        socket.listen(bind.backlog)?;
        let socket = TcpListener::from(socket);
        let address = socket.local_addr()?;
        let listener = Arc::new(Self {
            id,
            options: serve.options,
            path: serve.path,
            handshake_timeout: serve.handshake_timeout,
            tls: serve.tls,
            hooks: AtomicU32::new(0),
            socket: Mutex::new(Some(socket)),
            connections: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            next_thread: AtomicUsize::new(0),
        });
        Ok((listener, address))
    }

    pub fn wants(&self, hook: u32) -> bool {
        self.hooks.load(Ordering::Acquire) & hook != 0
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Stops accepting; true when no connection is left.
    pub fn close(&self) -> bool {
        drop(lock(&self.socket).take());
        self.closing.store(true, Ordering::SeqCst);
        self.take_closed()
    }

    pub fn connection_opened(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    /// True when this was the last connection of a closing listener.
    pub fn connection_closed(&self) -> bool {
        self.connections.fetch_sub(1, Ordering::SeqCst);
        self.is_closing() && self.take_closed()
    }

    fn take_closed(&self) -> bool {
        self.connections.load(Ordering::SeqCst) == 0 && !self.closed.swap(true, Ordering::SeqCst)
    }
}

/// Accepts until the listener is closed, spreading connections over the I/O threads in turn.
pub async fn accept_loop(env: Rc<LocalEnvironment>, listener: Arc<Listener>) {
    let Some(socket) = lock(&listener.socket).take() else {
        return;
    };
    let socket = match tokio::net::TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            return env.notify(
                0,
                Notice::ListenerFailed {
                    listener: listener.id,
                    error,
                },
            );
        }
    };
    loop {
        while env.shared.is_behind() {
            tokio::time::sleep(BACKLOG_PAUSE).await;
        }
        match socket.accept().await {
            Ok((stream, remote)) => dispatch(&env, &listener, stream, remote),
            Err(e) if is_exhaustion(&e) => tokio::time::sleep(EXHAUSTED_PAUSE).await,
            Err(e) if is_about_the_peer(&e) => {}
            Err(error) => {
                return env.notify(
                    0,
                    Notice::ListenerFailed {
                        listener: listener.id,
                        error,
                    },
                );
            }
        }
    }
}

fn dispatch(
    env: &Rc<LocalEnvironment>,
    listener: &Arc<Listener>,
    stream: tokio::net::TcpStream,
    remote: SocketAddr,
) {
    let threads = env.shared.threads();
    let thread = listener.next_thread.fetch_add(1, Ordering::Relaxed) % threads.len();
    listener.connection_opened();
    if thread == env.thread() {
        return env.serve(listener.clone(), Ok(Transport::from_tokio(stream)), remote);
    }
    match stream.into_std() {
        Ok(stream) => threads[thread].mailbox.send(Submission::Accepted {
            env: env.shared.clone(),
            listener: listener.clone(),
            stream,
            remote,
        }),
        Err(e) => env.serve(listener.clone(), Err(e), remote),
    }
}

/// Out of descriptors or memory: the connection stays in the backlog and others may end meanwhile.
fn is_exhaustion(e: &io::Error) -> bool {
    #[cfg(unix)]
    let codes = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    #[cfg(not(unix))]
    let codes = [10024, 10055];
    e.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// The peer gave up before it was accepted, or the network did: nothing is wrong with the listener.
fn is_about_the_peer(e: &io::Error) -> bool {
    use io::ErrorKind::*;
    // accept(2): "treat them like EAGAIN by retrying"
    #[cfg(unix)]
    let pending = [libc::EPROTO, libc::ENOPROTOOPT, libc::EOPNOTSUPP];
    #[cfg(not(unix))]
    let pending = [];
    e.raw_os_error().is_some_and(|code| pending.contains(&code))
        || matches!(
            e.kind(),
            ConnectionAborted
                | ConnectionReset
                | Interrupted
                | PermissionDenied
                | NetworkUnreachable
                | HostUnreachable
                | NetworkDown
                | TimedOut
        )
}
