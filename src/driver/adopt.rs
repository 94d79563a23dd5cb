//! Connections whose opening handshake others have done.

use std::rc::Rc;

use super::batch::Kind;
use super::command::ConnectionOptions;
use super::connection::{Connection, Stage, errno};
use super::deflate::Agreed;
use super::local::LocalEnvironment;
use crate::proto::Role;
use crate::transport::Transport;

pub struct Adoption {
    pub source: Source,
    pub role: Role,
    pub options: ConnectionOptions,
    /// Written before anything else.
    pub response: Vec<u8>,
    /// Received already.
    pub head: Vec<u8>,
    /// What has been agreed on.
    pub agreed: Option<Agreed>,
}

/// Where an adopted connection's bytes come from.
pub enum Source {
    #[cfg(unix)]
    Socket(socket2::Socket),
    /// JavaScript moves them.
    Relay,
}

impl Source {
    /// A descriptor of our own for the stream socket behind `fd`, which stays its owner's.
    ///
    /// Errors: no such descriptor, another kind of file, or no descriptor left.
    ///
    /// # Safety
    /// `fd` must not be closed meanwhile.
    #[cfg(unix)]
    pub unsafe fn duplicate(fd: std::os::fd::RawFd) -> std::io::Result<Self> {
        if fd < 0 {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: promised by the caller.
        let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?;
        let socket = socket2::Socket::from(fd);
        if socket.r#type()? != socket2::Type::STREAM {
            return Err(std::io::ErrorKind::Unsupported.into());
        }
        Ok(Self::Socket(socket))
    }
}

/// Opens a connection on what was adopted.
pub fn adopt(env: Rc<LocalEnvironment>, id: u32, adoption: Adoption) {
    let Adoption {
        source,
        role,
        options,
        response,
        head,
        agreed,
    } = adoption;
    let transport = match source {
        #[cfg(unix)]
        Source::Socket(socket) => Transport::from_socket(socket),
        Source::Relay => Ok(Transport::Relay(Default::default())),
    };
    let transport = match transport {
        Ok(transport) => transport,
        Err(error) => {
            return env.event(|batch| batch.push(Kind::Closed, id, errno(&error), 0));
        }
    };
    let conn = Connection::new(env, id, role, &options, None);
    conn.link.lock().proto.transmit().push_raw(&response);
    conn.io().pending = head;
    conn.enable_deflate(agreed, Some(&options));
    conn.clone().start(transport, Stage::Open, None, true);
    conn.open(&mut conn.io());
    #[cfg(unix)]
    conn.link.write_at_once();
}
