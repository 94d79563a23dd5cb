//! What the connections of a server or of a client have in common: certificates, roots, versions,
//! and the sessions that may be resumed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, DistinguishedName, Error, ServerConfig, SignatureScheme,
    SupportedProtocolVersion, version,
};

use super::error::TlsError;
use super::roots::Roots;
use super::tickets::Tickets;
use super::verify::{ClientVerifier, ServerVerifier};

/// Sessions of different servers that a client remembers.
const SESSIONS: usize = 256;

/// What both sides may be told.
#[derive(Debug)]
pub struct TlsOptions {
    /// With more than one, the first that the peer can check is shown.
    pub identities: Vec<Identity>,
    pub rejects_unauthorized: bool,
    /// TLS 1.2 may be used.
    pub tls12: bool,
    /// TLS 1.3 may be used.
    pub tls13: bool,
    /// A client's: Node's TLS will try where this one fails.
    pub falls_back: bool,
    /// A server's: clients are told the names of the roots that it trusts.
    pub names_roots: bool,
    /// RFC 7301: in the order of preference.
    pub alpn: Vec<Vec<u8>>,
}

/// A chain of certificates, and the key of its first; that they match is for who reads them.
#[derive(Debug)]
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    /// `key`: in PKCS #8 (RFC 5958).
    pub fn from_pkcs8(chain: Vec<CertificateDer<'static>>, key: Vec<u8>) -> Self {
        let key = PrivatePkcs8KeyDer::from(key).into();
        Self { chain, key }
    }
}

/// What a server shows and asks.
#[derive(Debug)]
pub struct ServerContext {
    pub(super) config: Arc<ServerConfig>,
    /// If clients are asked for certificates.
    pub(super) verifier: Option<Arc<ClientVerifier>>,
    /// The first certificate of the first identity.
    pub(super) own: Option<Arc<[u8]>>,
}

impl ServerContext {
    /// `roots`: clients are asked for certificates that end in one of them. `session_timeout`: how
    /// long a session may be resumed.
    pub fn new(
        options: TlsOptions,
        roots: Option<Arc<Roots>>,
        session_timeout: Duration,
    ) -> Result<Self, TlsError> {
        let provider = provider();
        let own = own_certificate(&options);
        let keys = certified(options.identities, &provider)?;
        let verifier = roots.map(|roots| {
            Arc::new(ClientVerifier {
                provider: provider.clone(),
                rejects: options.rejects_unauthorized,
                hints: roots
                    .subjects()
                    .filter(|_| options.names_roots)
                    .map(DistinguishedName::in_sequence)
                    .collect(),
                roots,
            })
        });
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions(options.tls12, options.tls13))?;
        let builder = match &verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier.clone()),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(Keys(keys)));
        config.alpn_protocols = options.alpn;
        config.ignore_client_order = true;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if !session_timeout.is_zero() {
            config.ticketer = Arc::new(Tickets::new(session_timeout)?);
        }
        Ok(Self {
            config: Arc::new(config),
            verifier,
            own,
        })
    }
}

/// What a client shows and trusts, and the sessions that it may resume.
#[derive(Debug)]
pub struct ClientContext {
    pub(super) config: Arc<ClientConfig>,
    pub(super) verifier: Arc<ServerVerifier>,
    pub(super) own: Option<Arc<[u8]>>,
}

impl ClientContext {
    pub fn new(options: TlsOptions, roots: Arc<Roots>) -> Result<Self, TlsError> {
        let provider = provider();
        let own = own_certificate(&options);
        let keys = certified(options.identities, &provider)?;
        let verifier = Arc::new(ServerVerifier {
            provider: provider.clone(),
            roots,
            rejects: options.rejects_unauthorized,
            falls_back: options.falls_back,
        });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions(options.tls12, options.tls13))?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone());
        let mut config = if keys.is_empty() {
            builder.with_no_client_auth()
        } else {
            builder.with_client_cert_resolver(Arc::new(Keys(keys)))
        };
        config.alpn_protocols = options.alpn;
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(Self {
            config: Arc::new(config),
            verifier,
            own,
        })
    }

    /// None: no name of a host, and no IP address.
    pub fn server_name(name: &str) -> Option<ServerName<'static>> {
        ServerName::try_from(name.to_owned()).ok()
    }
}

fn own_certificate(options: &TlsOptions) -> Option<Arc<[u8]>> {
    let first = options.identities.first()?.chain.first()?;
    Some(Arc::from(first.as_ref()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn versions(tls12: bool, tls13: bool) -> Vec<&'static SupportedProtocolVersion> {
    let wanted = [(tls13, &version::TLS13), (tls12, &version::TLS12)];
    let wanted = wanted.into_iter().filter(|(on, _)| *on);
    wanted.map(|(_, version)| version).collect()
}

fn certified(
    identities: Vec<Identity>,
    provider: &CryptoProvider,
) -> Result<Vec<Arc<CertifiedKey>>, Error> {
    identities
        .into_iter()
        .map(|Identity { chain, key }| {
            // that they match has been checked, and webpki does not read all that serves
            let key = provider.key_provider.load_private_key(key)?;
            Ok(Arc::new(CertifiedKey::new(chain, key)))
        })
        .collect()
}

/// Certificates to show: the first whose key can sign what the peer can check.
struct Keys(Vec<Arc<CertifiedKey>>);

impl Keys {
    fn choose(&self, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let usable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        self.0.iter().find(usable).or(self.0.first()).cloned()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // nothing of the keys themselves
        write!(f, "Keys({})", self.0.len())
    }
}

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.signature_schemes())
    }
}

impl ResolvesClientCert for Keys {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.choose(schemes)
    }

    fn has_certs(&self) -> bool {
        !self.0.is_empty()
    }
}
