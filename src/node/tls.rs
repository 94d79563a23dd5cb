//! Contexts of TLS: certificates, keys and roots as JavaScript has read them, in DER.

use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::{Buffer, ClassInstance, External};
use napi::{Error, Result};
use napi_derive::napi;

use super::options::millis;
use crate::transport::tls::context::{ClientContext, Identity, ServerContext, TlsOptions};
use crate::transport::tls::error::TlsError;
use crate::transport::tls::info::TlsInfo;
use crate::transport::tls::names::ServerContexts;
use crate::transport::tls::roots::Roots;

/// Checked and complete: lib/tls-options.js has filled in the defaults.
#[napi(object)]
pub struct NativeTlsOptions {
    /// Chains of certificates, each with its key.
    pub chains: Vec<Vec<Buffer>>,
    /// In PKCS #8.
    pub keys: Vec<Buffer>,
    pub reject_unauthorized: bool,
    pub tls12: bool,
    pub tls13: bool,
    /// A client's: Node's TLS will try where this one fails.
    pub falls_back: bool,
    /// A server's: clients are told the names of the roots that it trusts.
    pub names_roots: bool,
    pub alpn: Vec<Buffer>,
    /// A server's: milliseconds.
    pub session_timeout: f64,
}

/// What `tls.TLSSocket` tells of a connection.
#[napi(object, object_from_js = false)]
pub struct NativeTlsInfo {
    pub is_tls13: bool,
    /// IANA's name of the cipher suite.
    pub cipher: String,
    pub alpn: Option<String>,
    pub server_name: Option<String>,
    pub resumed: bool,
    pub authorized: bool,
    pub authorization_error: Option<String>,
    pub certificates: Vec<Buffer>,
    /// For `ownCertificate`.
    #[napi(ts_type = "ExternalObject<unknown>")]
    pub own: Option<External<Arc<[u8]>>>,
}

/// Certificates that the peers' are to end in.
#[napi]
pub struct NativeRoots {
    roots: Arc<Roots>,
}

#[napi]
impl NativeRoots {
    /// Throws with the index of a certificate that cannot be read.
    #[napi(constructor)]
    pub fn new(certificates: Vec<Buffer>) -> Result<Self> {
        let certificates = certificates.into_iter().map(|der| Vec::from(der).into());
        let roots = Roots::from_der(certificates.collect())
            .map_err(|index| Error::from_reason(index.to_string()))?;
        Ok(Self {
            roots: Arc::new(roots),
        })
    }

    /// The operating system's.
    #[napi(factory)]
    pub fn system() -> Self {
        Self {
            roots: Arc::new(Roots::system()),
        }
    }

    /// Mozilla's.
    #[napi(factory)]
    pub fn bundled() -> Self {
        Self {
            roots: Arc::new(Roots::bundled()),
        }
    }
}

/// What a server shows and asks.
#[napi]
pub struct NativeServerContext {
    context: Arc<ServerContext>,
}

#[napi]
impl NativeServerContext {
    /// With `roots` clients are asked for certificates.
    #[napi(constructor)]
    pub fn new(
        options: NativeTlsOptions,
        roots: Option<ClassInstance<'_, NativeRoots>>,
    ) -> Result<Self> {
        let timeout: Duration = millis(options.session_timeout);
        let roots = roots.map(|roots| roots.roots.clone());
        let context = ServerContext::new(options.into(), roots, timeout).map_err(reason)?;
        Ok(Self {
            context: Arc::new(context),
        })
    }

    pub(super) fn context(&self) -> Arc<ServerContext> {
        self.context.clone()
    }
}

/// The contexts of a server.
#[napi]
pub struct NativeServerContexts {
    contexts: ServerContexts,
}

#[napi]
impl NativeServerContexts {
    /// `asks`: names that are not among the contexts come as `serverName` notices.
    #[napi(constructor)]
    pub fn new(own: Option<ClassInstance<'_, NativeServerContext>>, asks: bool) -> Self {
        Self {
            contexts: ServerContexts {
                default: own.map(|context| context.context()),
                named: Vec::new(),
                asks,
            },
        }
    }

    /// `name`: in lower case; `*.` at its front stands for one label.
    #[napi]
    pub fn add(&mut self, name: String, context: ClassInstance<'_, NativeServerContext>) {
        self.contexts.named.push((name, context.context()));
    }

    pub(super) fn contexts(&self) -> Arc<ServerContexts> {
        Arc::new(self.contexts.clone())
    }
}

/// What a client shows and trusts, and the sessions that it may resume.
#[napi]
pub struct NativeClientContext {
    context: Arc<ClientContext>,
}

#[napi]
impl NativeClientContext {
    #[napi(constructor)]
    pub fn new(options: NativeTlsOptions, roots: ClassInstance<'_, NativeRoots>) -> Result<Self> {
        let context = ClientContext::new(options.into(), roots.roots.clone()).map_err(reason)?;
        Ok(Self {
            context: Arc::new(context),
        })
    }

    pub(super) fn context(&self) -> Arc<ClientContext> {
        self.context.clone()
    }
}

/// Whether a server can be asked to prove that name.
#[napi]
pub fn is_server_name(name: String) -> bool {
    ClientContext::server_name(&name).is_some()
}

/// Our own certificate of a connection, in DER.
#[napi]
pub fn own_certificate(own: &External<Arc<[u8]>>) -> Buffer {
    Buffer::from(own.to_vec())
}

impl From<NativeTlsOptions> for TlsOptions {
    fn from(o: NativeTlsOptions) -> Self {
        let identities = o.chains.into_iter().zip(o.keys);
        Self {
            identities: identities
                .map(|(chain, key)| {
                    let chain = chain.into_iter().map(|der| Vec::from(der).into());
                    Identity::from_pkcs8(chain.collect(), key.into())
                })
                .collect(),
            rejects_unauthorized: o.reject_unauthorized,
            tls12: o.tls12,
            tls13: o.tls13,
            falls_back: o.falls_back,
            names_roots: o.names_roots,
            alpn: o.alpn.into_iter().map(Vec::from).collect(),
        }
    }
}

impl From<TlsInfo> for NativeTlsInfo {
    fn from(info: TlsInfo) -> Self {
        Self {
            is_tls13: info.is_tls13,
            cipher: info.cipher,
            alpn: info.alpn,
            server_name: info.server_name,
            resumed: info.resumed,
            authorized: info.authorized,
            authorization_error: info.authorization_error,
            own: info.own.map(External::new),
            certificates: info.certificates.into_iter().map(Buffer::from).collect(),
        }
    }
}

fn reason(error: TlsError) -> Error {
    Error::from_reason(error.to_string())
}
