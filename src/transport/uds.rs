//! Unix domain stream sockets (`ws+unix:`).

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::net::UnixStream;

pub struct Unix(UnixStream);

impl Unix {
    pub async fn connect(path: &Path) -> io::Result<Self> {
        Ok(Self(UnixStream::connect(path).await?))
    }

    /// `stream` must be in non-blocking mode.
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        Ok(Self(UnixStream::from_std(stream)?))
    }

    pub fn poll_receive<'a>(
        &mut self,
        cx: &mut Context<'_>,
        space: &'a mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<&'a mut [u8]>> {
        super::poll_read_into(&mut self.0, cx, space)
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

    pub fn raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
