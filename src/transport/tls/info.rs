//! What a handshake has led to, for the application.

use std::sync::Arc;

use rustls::pki_types::UnixTime;

use super::Party;
use super::error::TlsError;
use super::session::Session;

/// What `tls.TLSSocket` tells of a connection.
#[derive(Clone, Debug, Default)]
pub struct TlsInfo {
    pub is_tls13: bool,
    /// IANA's name of the cipher suite.
    pub cipher: String,
    pub alpn: Option<String>,
    /// The name that the client asked for, if the peer is a client.
    pub server_name: Option<String>,
    pub resumed: bool,
    /// The peer's chain, in DER, its own certificate first, and the roots that may be behind it.
    pub certificates: Vec<Vec<u8>>,
    /// Our own certificate, in DER; with several, the first.
    pub own: Option<Arc<[u8]>>,
    /// Why the peer's certificates are not trusted, though they are accepted; or there are none. An
    /// OpenSSL code; empty: they were not asked for.
    pub authorization_error: Option<String>,
    /// They were asked for, and are good.
    pub authorized: bool,
}

impl TlsInfo {
    pub(super) fn of(session: &Session, party: &Party) -> Self {
        let chain = session.peer_certificates();
        let now = UnixTime::now();
        let own = match party {
            Party::Server(context, _) => context.own.clone(),
            Party::Client(context, _) => context.own.clone(),
        };
        let roots = match party {
            Party::Server(context, _) => Some(&context.verifier.roots),
            Party::Client(context, _) => context.verifier.as_ref().map(|verifier| &verifier.roots),
        };
        // a peer may have shown others behind its own
        let issuers = roots
            .iter()
            .flat_map(|roots| chain.iter().flat_map(|shown| roots.issuers_of(shown)));
        let (verdict, server_name) = match party {
            Party::Server(context, _) if context.verifier.rejects => (Some(Ok(())), None),
            Party::Server(context, name) => {
                let judged = context.verifier.judge(chain, name, now);
                let code = judged.map_err(|error| TlsError::from(error).code);
                (
                    Some(code.map_err(|code| code.unwrap_or("UNSPECIFIED"))),
                    None,
                )
            }
            Party::Client(context, name) => {
                let verdict = context.verifier.as_ref().map(|verifier| {
                    if verifier.rejects {
                        return Ok(());
                    }
                    verifier.judge(chain, now).map_err(|verdict| verdict.0)
                });
                (verdict, name.as_deref().map(str::to_owned))
            }
        };
        Self {
            is_tls13: session.is_tls13(),
            cipher: session.cipher(),
            alpn: session
                .alpn()
                .map(|name| String::from_utf8_lossy(name).into_owned()),
            server_name,
            resumed: session.is_resumed(),
            own,
            certificates: chain
                .iter()
                .chain(issuers)
                .map(|der| der.to_vec())
                .collect(),
            authorized: verdict == Some(Ok(())),
            authorization_error: verdict.and_then(Result::err).map(str::to_owned),
        }
    }
}
