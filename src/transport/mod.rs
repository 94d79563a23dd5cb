//! Where bytes come from and go to.
//!
//! The seam to the driver suits readiness and completion alike: `poll_receive` answers with a
//! received chunk, which need not live in the space that was offered, and `poll_send` takes bytes
//! off a queue once they are gone.

pub mod relay;
mod tcp;
pub mod tls;
#[cfg(unix)]
mod uds;

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::proto::transmit::TransmitQueue;
use tls::ServerName;
use tls::context::ClientContext;
use tls::names::ServerContexts;

/// Most slices handed to one `writev`; Linux takes 1024, more than 64 no longer pays.
const MAX_SLICES: usize = 64;

/// A connected, bidirectional byte stream.
pub enum Transport {
    Tcp(tcp::Tcp),
    #[cfg(unix)]
    Unix(uds::Unix),
    /// Boxed, as they are larger than the others.
    Tls(Box<tls::Tls>),
    Relay(Box<relay::Relay>),
}

/// Both ends of a transport, as far as they have addresses.
#[derive(Clone, Debug, Default)]
pub struct PeerInfo {
    pub local: Option<SocketAddr>,
    pub remote: Option<SocketAddr>,
    /// Over TLS, once the handshake is over.
    pub tls: Option<Box<tls::info::TlsInfo>>,
}

/// Where a client connects to.
#[derive(Clone, Debug)]
pub enum Endpoint {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Transport {
    /// Opens a connection. `local` is the address to connect from.
    pub async fn connect(endpoint: &Endpoint, local: Option<SocketAddr>) -> io::Result<Self> {
        match endpoint {
            Endpoint::Tcp(addr) => Ok(Self::Tcp(tcp::Tcp::connect(*addr, local).await?)),
            #[cfg(unix)]
            Endpoint::Unix(path) => Ok(Self::Unix(uds::Unix::connect(path).await?)),
            #[cfg(not(unix))]
            Endpoint::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Takes over an accepted TCP socket. It must be in non-blocking mode.
    pub fn from_tcp(stream: std::net::TcpStream) -> io::Result<Self> {
        Ok(Self::Tcp(tcp::Tcp::from_std(stream)?))
    }

    /// Takes over a connected stream socket, TCP or Unix.
    ///
    /// Errors: what is neither, or cannot be polled.
    #[cfg(unix)]
    pub fn from_socket(socket: socket2::Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        if socket.domain()? == socket2::Domain::UNIX {
            Ok(Self::Unix(uds::Unix::from_std(socket.into())?))
        } else {
            Self::from_tcp(socket.into())
        }
    }

    /// Takes over a TCP socket of this thread's runtime.
    pub fn from_tokio(stream: tokio::net::TcpStream) -> Self {
        Self::Tcp(tcp::Tcp::prepared(stream))
    }

    /// The server's side of TLS on an accepted connection.
    pub fn accept_tls(self, contexts: Arc<ServerContexts>, remote: SocketAddr) -> io::Result<Self> {
        match self {
            Self::Tcp(tcp) => Ok(Self::Tls(Box::new(tls::Tls::accept(tcp, contexts, remote)))),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The client's side of TLS on a connection that it has made.
    pub fn connect_tls(
        self,
        context: Arc<ClientContext>,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        match self {
            Self::Tcp(tcp) => Ok(Self::Tls(Box::new(tls::Tls::connect(tcp, context, name)?))),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Receives the next chunk of bytes; an empty chunk is the end of the stream.
    pub fn poll_receive<'a>(
        &mut self,
        cx: &mut Context<'_>,
        space: &'a mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<&'a mut [u8]>> {
        match self {
            Self::Tcp(t) => t.poll_receive(cx, space),
            #[cfg(unix)]
            Self::Unix(t) => t.poll_receive(cx, space),
            Self::Tls(t) => t.poll_receive(cx, space),
            Self::Relay(t) => t.poll_receive(space),
        }
    }

    /// Writes until `queue` is empty or the peer's window is full.
    pub fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut TransmitQueue,
    ) -> Poll<io::Result<()>> {
        while !queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = queue.io_slices(&mut slices);
            let slices = &slices[..count];
            let written = match self {
                Self::Tcp(t) => t.poll_write(cx, slices),
                #[cfg(unix)]
                Self::Unix(t) => t.poll_write(cx, slices),
                Self::Tls(t) => t.poll_write(cx, slices),
                Self::Relay(t) => t.poll_write(slices),
            };
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => queue.advance(n),
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return Poll::Pending,
            }
        }
        match self {
            Self::Tls(t) => t.poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Bytes that are off the queue and not known to be written.
    pub fn in_flight(&self) -> usize {
        match self {
            Self::Tls(t) => t.in_flight(),
            Self::Relay(t) => t.in_flight(),
            _ => 0,
        }
    }

    /// Ends the writing half: the peer reads an end of stream after what was sent. A relay's is
    /// ended by who writes it.
    pub fn shutdown(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self {
            Self::Tls(t) => t.shutdown(cx),
            Self::Tcp(t) => t.shutdown(),
            #[cfg(unix)]
            Self::Unix(t) => t.shutdown(),
            Self::Relay(_) => Ok(()),
        }
    }

    pub fn peer(&self) -> PeerInfo {
        match self {
            Self::Tcp(t) => t.peer(),
            #[cfg(unix)]
            Self::Unix(_) => PeerInfo::default(),
            Self::Tls(t) => t.peer(),
            Self::Relay(_) => PeerInfo::default(),
        }
    }

    /// TCP_NODELAY on or off; nothing to do elsewhere.
    pub fn set_no_delay(&self, on: bool) -> io::Result<()> {
        match self {
            Self::Tcp(t) => t.set_no_delay(on),
            Self::Tls(t) => t.tcp().set_no_delay(on),
            #[cfg(unix)]
            Self::Unix(_) => Ok(()),
            Self::Relay(_) => Ok(()),
        }
    }

    /// SO_KEEPALIVE, with the idle time before the first probe; nothing to do elsewhere.
    pub fn set_keep_alive(&self, on: bool, idle: std::time::Duration) -> io::Result<()> {
        match self {
            Self::Tcp(t) => t.set_keep_alive(on, idle),
            Self::Tls(t) => t.tcp().set_keep_alive(on, idle),
            #[cfg(unix)]
            Self::Unix(_) => Ok(()),
            Self::Relay(_) => Ok(()),
        }
    }

    /// The descriptor, for a non-blocking `send` from another thread.
    #[cfg(unix)]
    pub fn raw_fd(&self) -> Option<std::os::fd::RawFd> {
        match self {
            Self::Tcp(t) => Some(t.raw_fd()),
            Self::Unix(t) => Some(t.raw_fd()),
            Self::Tls(_) | Self::Relay(_) => None,
        }
    }

    pub fn relay(&mut self) -> Option<&mut relay::Relay> {
        match self {
            Self::Relay(relay) => Some(relay),
            _ => None,
        }
    }

    pub fn tls(&mut self) -> Option<&mut tls::Tls> {
        match self {
            Self::Tls(tls) => Some(tls),
            _ => None,
        }
    }
}

/// Reads once into uninitialised `space` and returns the part that was filled.
fn poll_read_into<'a, S: tokio::io::AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    space: &'a mut [MaybeUninit<u8>],
) -> Poll<io::Result<&'a mut [u8]>> {
    let mut buf = tokio::io::ReadBuf::uninit(space);
    match std::pin::Pin::new(stream).poll_read(cx, &mut buf) {
        Poll::Ready(Ok(())) => {
            let count = buf.filled().len();
            // SAFETY: ReadBuf vouches that the first `count` bytes of `space` were initialised.
            Poll::Ready(Ok(unsafe { filled(space, count) }))
        }
        Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
        Poll::Pending => Poll::Pending,
    }
}

/// The first `count` bytes of `space`.
///
/// # Safety
///
/// They must be initialised.
unsafe fn filled(space: &mut [MaybeUninit<u8>], count: usize) -> &mut [u8] {
    let space = &mut space[..count];
    // SAFETY: the same memory, which the caller vouches for.
    unsafe { std::slice::from_raw_parts_mut(space.as_mut_ptr().cast(), count) }
}

/// Writes once; a single slice avoids the heavier `writev`.
fn poll_write_slices<S: tokio::io::AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let stream = std::pin::Pin::new(stream);
    match slices {
        [one] => stream.poll_write(cx, one),
        many => stream.poll_write_vectored(cx, many),
    }
}
