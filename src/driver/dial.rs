//! A client's way to a connected transport.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
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
        let mut headers: Vec<_> = headers.collect();
        // where Node has them, behind the application's
        let version = |(name, _): &(String, String)| name == "Sec-WebSocket-Version";
        let at = headers.iter().position(version).map_or(0, |i| i + 1);
        headers.splice(at..at, own);
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
    let mut failures = Vec::new();
    let count = dial.endpoints.len();
    for (i, endpoint) in dial.endpoints.iter().enumerate() {
        let attempt = Transport::connect(endpoint, dial.local_for(endpoint));
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
                let peer = transport.peer();
                let tls = dial.tls.clone();
                let transport = match tls {
                    Some((context, name)) => transport.connect_tls(context, name),
                    None => Ok(transport),
                };
                let transport = match transport {
                    Ok(transport) => transport,
                    Err(error) => {
                        failures.push((endpoint.clone(), error));
                        break;
                    }
                };
                env.notify(id, Notice::Connected { peer });
                return Connection::dialled(env, id, dial, transport);
            }
            Err(error) => failures.push((endpoint.clone(), error)),
        }
    }
    env.remove(id);
    env.notify(id, Notice::ConnectFailed { failures });
    env.event(|batch| batch.push(Kind::Closed, id, 0, 0));
}

impl Dial {
    /// The address to connect from, if the application cares.
    fn local_for(&self, endpoint: &Endpoint) -> Option<SocketAddr> {
        let Endpoint::Tcp(remote) = endpoint else {
            return None;
        };
        let any = match remote {
            SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let chosen = self.local_address.is_some() || self.local_port != 0;
        chosen.then(|| SocketAddr::new(self.local_address.unwrap_or(any), self.local_port))
    }
}
