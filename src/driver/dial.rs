//! A client's way to a connected transport.

use std::io;
use std::rc::Rc;

use super::batch::Kind;
use super::command::Dial;
use super::connection::Connection;
use super::local::LocalEnvironment;
use super::notice::Notice;
use crate::transport::{Endpoint, Transport};

/// Tries the endpoints in turn; ends with a connection that has the request queued, or with
/// [`Notice::ConnectFailed`].
pub async fn dial(env: Rc<LocalEnvironment>, id: u32, dial: Box<Dial>) {
    let mut failure = None;
    let count = dial.endpoints.len();
    for (i, endpoint) in dial.endpoints.iter().enumerate() {
        let attempt = Transport::connect(endpoint, dial.local);
        let outcome = if i + 1 == count {
            attempt.await
        } else {
            match tokio::time::timeout(dial.attempt_timeout, attempt).await {
                Ok(outcome) => outcome,
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
            }
        };
        match outcome {
            Ok(transport) => {
                env.notify(
                    id,
                    Notice::Connected {
                        peer: transport.peer(),
                    },
                );
                return Connection::dialled(env, id, dial, transport);
            }
            Err(error) => failure = Some((error, endpoint)),
        }
    }
    let (error, address, port) = match failure {
        Some((error, Endpoint::Tcp(addr))) => {
            (error, Some(addr.ip().to_string()), Some(addr.port()))
        }
        Some((error, Endpoint::Unix(path))) => {
            (error, Some(path.to_string_lossy().into_owned()), None)
        }
        None => (io::ErrorKind::InvalidInput.into(), None, None),
    };
    env.remove(id);
    env.notify(
        id,
        Notice::ConnectFailed {
            error,
            address,
            port,
        },
    );
    env.event(|batch| batch.push(Kind::Closed, id, 0, 0));
}
