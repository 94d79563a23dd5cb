//! Whether a peer's certificates are trusted: webpki decides, OpenSSL's codes say why not.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use webpki::Error as E;
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage, VerifiedPath};

use super::authority::{is_for, may_sign_certificates};
use super::error::{Verdict, WrongName, is_incompatible};
use super::roots::{Roots, check_dates, is_self_issued};

/// A chain that webpki cannot judge: it is not known whether OpenSSL would trust it.
const UNKNOWN: Verdict = Verdict("UNSPECIFIED");
const INVALID_PURPOSE: Verdict = Verdict("INVALID_PURPOSE");
const BAD_SIGNATURE: Verdict = Verdict("CERT_SIGNATURE_FAILURE");

#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    Server,
    Client,
}

/// Judges a chain as OpenSSL does, by its rules where webpki's are stricter and a certificate that
/// was given as a root says that it is one.
pub fn verify_chain(
    provider: &CryptoProvider,
    roots: &Roots,
    purpose: Purpose,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<(), Verdict> {
    let cert = EndEntityCert::try_from(end_entity).map_err(|_| UNKNOWN)?;
    let known: Vec<_> = intermediates
        .iter()
        .chain(roots.intermediates())
        .map(|certificate| CertificateDer::from(certificate.as_ref()))
        .collect();
    let usage = match purpose {
        Purpose::Server => KeyUsage::server_auth(),
        Purpose::Client => KeyUsage::client_auth(),
    };
    let algorithms = provider.signature_verification_algorithms.all;
    let check_path = |path: &VerifiedPath<'_>| {
        let may_sign = |cert: &webpki::Cert<'_>| may_sign_certificates(&cert.der());
        if !path.intermediate_certificates().all(may_sign) {
            return Err(E::EndEntityUsedAsCa);
        }
        // a trusted certificate that is shown as it is has issued nothing but itself
        if roots.contains(end_entity) {
            return Ok(());
        }
        roots.check(path.anchor(), now)
    };
    let check = Some(&check_path as &dyn Fn(&VerifiedPath<'_>) -> Result<(), E>);
    let anchors = roots.anchors();
    let mut result = cert
        .verify_for_usage(algorithms, anchors, &known, now, usage, None, check)
        .map(|_| ());
    if let Err(wrong @ E::RequiredEkuNotFoundContext(_)) = &result {
        // OpenSSL looks for a trusted root before it looks at the purpose
        let wrong = wrong.clone();
        result = cert
            .verify_for_usage(algorithms, anchors, &known, now, AnyUsage, None, check)
            .and(Err(wrong));
    }
    match result {
        Ok(()) => Ok(()),
        // "openssl req -x509" makes CAs of certificates that serve as they are
        Err(E::CaUsedAsEndEntity) if is_self_issued(&cert) => {
            if !roots.contains(end_entity) {
                return Err(Verdict("DEPTH_ZERO_SELF_SIGNED_CERT"));
            }
            check_dates(&cert, now).map_err(|error| verdict(&error))?;
            if is_for(end_entity, purpose) {
                Ok(())
            } else {
                Err(INVALID_PURPOSE)
            }
        }
        Err(E::UnknownIssuer) => Err(untrusted(&cert, intermediates, roots)),
        Err(error) => Err(verdict(&error)),
    }
}

/// Good for everything.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), E> {
        Ok(())
    }
}

/// Why no trusted root was found: by how far the chain goes.
fn untrusted(
    cert: &EndEntityCert<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &Roots,
) -> Verdict {
    if is_self_issued(cert) {
        return Verdict("DEPTH_ZERO_SELF_SIGNED_CERT");
    }
    let mut issuer = cert.issuer().to_vec();
    for depth in 0..=intermediates.len() {
        let trusted = find(roots.intermediates(), &issuer);
        let Some(next) = trusted
            .as_ref()
            .or(find(intermediates, &issuer).as_ref())
            .cloned()
        else {
            return Verdict(match depth {
                0 => "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
                _ => "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
            });
        };
        if trusted.is_some() {
            return Verdict("UNABLE_TO_GET_ISSUER_CERT");
        }
        if next == issuer {
            return Verdict("SELF_SIGNED_CERT_IN_CHAIN");
        }
        issuer = next;
    }
    UNKNOWN
}

/// The issuer of the certificate whose subject is `name`.
fn find(certificates: &[CertificateDer<'_>], name: &[u8]) -> Option<Vec<u8>> {
    certificates
        .iter()
        .filter_map(|der| EndEntityCert::try_from(der).ok())
        .find(|cert| cert.subject() == name)
        .map(|cert| cert.issuer().to_vec())
}

fn verdict(error: &E) -> Verdict {
    match error {
        E::CertExpired { .. } => Verdict("CERT_HAS_EXPIRED"),
        E::CertNotValidYet { .. } => Verdict("CERT_NOT_YET_VALID"),
        E::RequiredEkuNotFoundContext(_) => INVALID_PURPOSE,
        E::PathLenConstraintViolated => Verdict("PATH_LENGTH_EXCEEDED"),
        E::InvalidSignatureForPublicKey => BAD_SIGNATURE,
        _ => UNKNOWN,
    }
}

/// What webpki cannot judge, or would have judged by other certificates than OpenSSL, a client leaves
/// to that.
fn refusal(verdict: Verdict) -> Error {
    if matches!(verdict, UNKNOWN | BAD_SIGNATURE) {
        return Error::InvalidCertificate(CertificateError::BadEncoding);
    }
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(verdict))))
}

/// The rest of both verifiers: signatures are the provider's business.
macro_rules! verifies_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            verify_tls12_signature(message, cert, dss, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            verify_tls13_signature(message, cert, dss, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            let algorithms = &self.provider.signature_verification_algorithms;
            algorithms.supported_schemes()
        }
    };
}

/// Judges servers, for a client.
#[derive(Debug)]
pub struct ServerVerifier {
    pub provider: Arc<CryptoProvider>,
    pub roots: Arc<Roots>,
    /// `rejectUnauthorized`.
    pub rejects: bool,
    /// What webpki cannot judge is refused in any case, to be left to OpenSSL.
    pub falls_back: bool,
}

impl ServerVerifier {
    pub fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let Some((end_entity, intermediates)) = chain.split_first() else {
            return Err(Error::NoCertificatesPresented);
        };
        verify_chain(
            &self.provider,
            &self.roots,
            Purpose::Server,
            end_entity,
            intermediates,
            now,
        )
        .map_err(refusal)?;
        let is_for = EndEntityCert::try_from(end_entity)
            .and_then(|cert| cert.verify_is_valid_for_subject_name(name));
        is_for.map_err(|_| {
            let wrong = WrongName {
                certificate: end_entity.to_vec(),
            };
            Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(wrong))))
        })
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut chain = vec![CertificateDer::from(end_entity.as_ref())];
        chain.extend(intermediates.iter().cloned());
        match self.judge(&chain, server_name, now) {
            Err(error) if self.rejects || (self.falls_back && is_incompatible(&error)) => {
                Err(error)
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    verifies_signatures!();
}

/// Judges clients, for a server that asks for certificates.
#[derive(Debug)]
pub struct ClientVerifier {
    pub provider: Arc<CryptoProvider>,
    pub roots: Arc<Roots>,
    /// `rejectUnauthorized`.
    pub rejects: bool,
    pub hints: Vec<DistinguishedName>,
}

impl ClientVerifier {
    pub fn judge(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Verdict> {
        let Some((end_entity, intermediates)) = chain.split_first() else {
            return Err(Verdict("UNABLE_TO_GET_ISSUER_CERT"));
        };
        verify_chain(
            &self.provider,
            &self.roots,
            Purpose::Client,
            end_entity,
            intermediates,
            now,
        )
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.rejects
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.rejects {
            let mut chain = vec![CertificateDer::from(end_entity.as_ref())];
            chain.extend(intermediates.iter().cloned());
            self.judge(&chain, now).map_err(|verdict| {
                Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(verdict))))
            })?;
        }
        Ok(ClientCertVerified::assertion())
    }

    verifies_signatures!();
}
