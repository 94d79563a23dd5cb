//! A client's way to a connected transport.

use std::io;
use std::rc::Rc;

use super::batch::Kind;
use super::command::Dial;
use super::connection::Connection;
use super::local::LocalEnvironment;
use super::notice::Notice;
use crate::proto::handshake::client::{ClientRequest, HandshakeError, encode_key, write_request};
use crate::transport::{Endpoint, Transport};

/// A client's opening request, and what is needed to judge the answer (RFC 6455 section 4.1).
pub struct OpeningRequest {
    pub bytes: Vec<u8>,
    pub key: String,
    pub protocols: Vec<String>,
}

impl OpeningRequest {
    /// `headers` are complete but for the fields that make it an opening request.
    ///
    /// Errors: a target or a field that does not belong into a request.
    pub fn new(
        target: &str,
        headers: impl Iterator<Item = (String, String)>,
        protocols: Vec<String>,
    ) -> Result<Self, HandshakeError> {
        let mut nonce = [0; 16];
        // see `MaskKeys::draw`
        getrandom::fill(&mut nonce).expect("the operating system gives random bytes");
        let key = encode_key(nonce);
        let own = [
            ("Sec-WebSocket-Key", key.as_str()),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers: Vec<_> = own.into_iter().chain(headers).collect();
        let mut bytes = Vec::with_capacity(256);
        write_request(
            &mut bytes,
            &ClientRequest {
                target,
                headers: &headers,
            },
        )?;
        Ok(Self {
            bytes,
            key,
            protocols,
        })
    }
}

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
