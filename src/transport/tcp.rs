//! TCP, with Nagle's algorithm off.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncRead;
use tokio::net::{TcpSocket, TcpStream};

use super::PeerInfo;

pub struct Tcp(TcpStream);

impl Tcp {
    pub async fn connect(addr: SocketAddr, local: Option<SocketAddr>) -> io::Result<Self> {
        let socket = if addr.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        if let Some(local) = local {
            socket.bind(local)?;
        }
        Ok(Self::prepared(socket.connect(addr).await?))
    }

    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        Ok(Self::prepared(TcpStream::from_std(stream)?))
    }

    pub fn prepared(stream: TcpStream) -> Self {
        // a peer that is gone already makes this fail; reading will tell the same story better
        let _ = stream.set_nodelay(true);
        Self(stream)
    }

    pub fn poll_receive<'a>(
        &mut self,
        cx: &mut Context<'_>,
        space: &'a mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<&'a mut [u8]>> {
        super::poll_read_into(&mut self.0, cx, space)
    }

    /// Reads once into memory of the caller's; 0 is the end of the stream.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = tokio::io::ReadBuf::new(space);
        std::pin::Pin::new(&mut self.0)
            .poll_read(cx, &mut buf)
            .map_ok(|()| buf.filled().len())
    }

    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        super::poll_write_slices(&mut self.0, cx, slices)
    }

    pub fn shutdown(&self) -> io::Result<()> {
        SockRef::from(&self.0).shutdown(std::net::Shutdown::Write)
    }

    pub fn peer(&self) -> PeerInfo {
        PeerInfo {
            local: self.0.local_addr().ok(),
            remote: self.0.peer_addr().ok(),
            tls: None,
        }
    }

    pub fn set_no_delay(&self, on: bool) -> io::Result<()> {
        self.0.set_nodelay(on)
    }

    pub fn set_keep_alive(&self, on: bool, idle: Duration) -> io::Result<()> {
        let socket = SockRef::from(&self.0);
        socket.set_keepalive(on)?;
        if on && !idle.is_zero() {
            socket.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(idle))?;
        }
        Ok(())
    }

    #[cfg(unix)]
    pub fn raw_fd(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.0)
    }
}
