//! A server's first look at a client: which host it asks for decides about the certificates.

use std::sync::Arc;

use rustls::server::Acceptor;
use rustls::{Error, InvalidMessage, PeerIncompatible};

use super::context::ServerContext;
use super::error::TlsError;
use super::names::{Choice, ServerContexts};

/// Of a record, and of what is in it (RFC 8446 sections 5.1, 4).
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// The fatal alert unrecognized_name (RFC 6066 section 3, RFC 8446 section 6).
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// The fatal alert protocol_version (RFC 8446 section 6).
const PROTOCOL_VERSION: [u8; 7] = [21, 3, 3, 0, 2, 2, 70];

pub struct Hello {
    contexts: Arc<ServerContexts>,
    acceptor: Acceptor,
    name: Option<Box<str>>,
    stage: Stage,
}

enum Stage {
    Reading,
    /// JavaScript is to be asked.
    Asking,
    Asked,
    Chosen(Arc<ServerContext>),
    Refused,
}

impl Hello {
    pub fn new(contexts: Arc<ServerContexts>) -> Self {
        Self {
            contexts,
            acceptor: Acceptor::default(),
            name: None,
            stage: Stage::Reading,
        }
    }

    /// The name to ask JavaScript about; once.
    pub fn take_question(&mut self) -> Option<String> {
        if !matches!(self.stage, Stage::Asking) {
            return None;
        }
        self.stage = Stage::Asked;
        self.name.as_deref().map(str::to_owned)
    }

    /// None: the default context.
    pub fn answer(&mut self, context: Option<Arc<ServerContext>>) {
        if matches!(self.stage, Stage::Asked) {
            self.stage = match context.or_else(|| self.contexts.default.clone()) {
                Some(context) => Stage::Chosen(context),
                None => Stage::Refused,
            };
        }
    }

    /// Nothing can be done until JavaScript has answered.
    pub fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Asking | Stage::Asked)
    }

    /// Nothing has to be received to go on.
    pub fn is_answered(&self) -> bool {
        matches!(self.stage, Stage::Chosen(_) | Stage::Refused)
    }

    /// Looks at what has been received since the last look. The context, once it is known; on an
    /// error `out` has the alert.
    pub fn look(
        &mut self,
        mut received: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Arc<ServerContext>>, TlsError> {
        if matches!(self.stage, Stage::Reading) {
            self.read(&mut received, out)?;
        }
        match &self.stage {
            Stage::Reading | Stage::Asking | Stage::Asked => Ok(None),
            Stage::Chosen(context) => Ok(Some(context.clone())),
            Stage::Refused => {
                out.extend_from_slice(&UNRECOGNIZED_NAME);
                Err(TlsError::new(
                    "ERR_SSL_CALLBACK_FAILED",
                    "there is no certificate for the host that the client asks for",
                ))
            }
        }
    }

    pub fn into_name(self) -> Option<Box<str>> {
        self.name
    }

    fn read(&mut self, received: &mut &[u8], out: &mut Vec<u8>) -> Result<(), TlsError> {
        let first = *received;
        while !received.is_empty() {
            // refused when its buffer is full, which a complete hello never makes it
            let read = self.acceptor.read_tls(received);
            match self.acceptor.accept() {
                Ok(Some(accepted)) => {
                    self.name = accepted.client_hello().server_name().map(Box::from);
                    self.stage = match self.contexts.choose(self.name.as_deref()) {
                        Choice::Use(context) => Stage::Chosen(context),
                        Choice::Ask => Stage::Asking,
                        Choice::Refuse => Stage::Refused,
                    };
                    return Ok(());
                }
                Ok(None) if read.is_ok() => {}
                Ok(None) => {
                    return Err(TlsError::new(
                        "ERR_SSL_EXCESSIVE_MESSAGE_SIZE",
                        "the ClientHello is too long",
                    ));
                }
                Err((Error::PeerIncompatible(lack), _)) if is_old(&lack) => {
                    out.extend_from_slice(&PROTOCOL_VERSION);
                    return Err(TlsError::new(
                        "ERR_SSL_UNSUPPORTED_PROTOCOL",
                        "the client speaks no version of TLS that is supported (1.2 and 1.3)",
                    ));
                }
                Err((error, mut alert)) => {
                    // into memory, which takes everything
                    let _ = alert.write_all(out);
                    return Err(refusal(error, first));
                }
            }
        }
        Ok(())
    }
}

/// rustls asks for the signature algorithms of TLS 1.2 before it looks at the version.
fn is_old(lack: &PeerIncompatible) -> bool {
    matches!(lack, PeerIncompatible::SignatureAlgorithmsExtensionRequired)
}

/// OpenSSL recognises the mistake of speaking HTTP to a TLS port.
fn refusal(error: Error, first: &[u8]) -> TlsError {
    const METHODS: [&[u8]; 4] = [b"GET ", b"POST ", b"HEAD ", b"PUT "];
    if let [HANDSHAKE, _, _, _, _, kind, ..] = first
        && *kind != CLIENT_HELLO
    {
        return TlsError::new("ERR_SSL_UNEXPECTED_MESSAGE", "not a ClientHello");
    }
    if !matches!(
        error,
        Error::InvalidMessage(InvalidMessage::InvalidContentType)
    ) {
        return error.into();
    }
    if METHODS.iter().any(|method| first.starts_with(method)) {
        TlsError::new("ERR_SSL_HTTP_REQUEST", "an HTTP request on a TLS port")
    } else if first.starts_with(b"CONNE") {
        TlsError::new(
            "ERR_SSL_HTTPS_PROXY_REQUEST",
            "a request to a proxy on a TLS port",
        )
    } else if first.get(1) == Some(&3) {
        TlsError::new("ERR_SSL_UNEXPECTED_MESSAGE", "a record of an unknown type")
    } else {
        error.into()
    }
}
