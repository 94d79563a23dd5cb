//! The certificates that a peer's chain may end in.

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, anchor_from_trusted_cert};

use super::key_usage::may_sign_certificates;

/// Trusted certificates.
#[derive(Debug, Default)]
pub struct Roots {
    anchors: Vec<TrustAnchor<'static>>,
    /// Whole, as far as they were given so: the bundled roots are names and keys only.
    certificates: Vec<CertificateDer<'static>>,
    /// Trusted, but issued by others: they lead to a root and are none, as in OpenSSL without
    /// partial chains.
    intermediates: Vec<CertificateDer<'static>>,
}

impl Roots {
    /// Those of the `ca` option, in DER.
    ///
    /// Errors: the index of a certificate that cannot be read.
    pub fn from_der(certificates: Vec<CertificateDer<'static>>) -> Result<Self, usize> {
        let mut roots = Self::default();
        for (i, certificate) in certificates.into_iter().enumerate() {
            roots.add(certificate).map_err(|_| i)?;
        }
        Ok(roots)
    }

    /// Those of the operating system. What cannot be read of them is left out.
    pub fn system() -> Self {
        let mut roots = Self::default();
        for certificate in rustls_native_certs::load_native_certs().certs {
            let _ = roots.add(certificate);
        }
        roots
    }

    /// Mozilla's, as they were when this was built.
    pub fn bundled() -> Self {
        Self {
            anchors: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            ..Self::default()
        }
    }

    fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), webpki::Error> {
        let anchor = anchor_from_trusted_cert(&certificate)?.to_owned();
        // one of an old version does not parse, but it has no issuer above it that would count
        let is_root =
            EndEntityCert::try_from(&certificate).map_or(true, |cert| is_self_issued(&cert));
        if is_root {
            self.anchors.push(anchor);
            self.certificates.push(certificate);
        } else {
            self.intermediates.push(certificate);
        }
        Ok(())
    }

    pub fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    pub fn intermediates(&self) -> &[CertificateDer<'static>] {
        &self.intermediates
    }

    /// Whether this very certificate is trusted.
    pub fn contains(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates.iter().any(|own| own == certificate)
    }

    /// The root that has issued `certificate`, by its name.
    pub fn issuer_of(&self, certificate: &CertificateDer<'_>) -> Option<&CertificateDer<'static>> {
        let certificate = EndEntityCert::try_from(certificate).ok()?;
        if is_self_issued(&certificate) {
            return None;
        }
        let is_issuer = |anchor: &TrustAnchor<'_>| anchor.subject.as_ref() == certificate.issuer();
        // one for each anchor, but for the bundled ones
        let index = self.anchors.iter().position(is_issuer)?;
        self.certificates.get(index)
    }

    /// Names of those that may issue, for the request for a client's certificate.
    pub fn subjects(&self) -> impl Iterator<Item = &[u8]> {
        self.anchors.iter().map(|anchor| anchor.subject.as_ref())
    }

    /// What is wrong with the certificate behind `anchor`, as far as its dates and its right to sign
    /// go. webpki does not look at those of anchors, OpenSSL does.
    pub fn check(&self, anchor: &TrustAnchor<'_>, now: UnixTime) -> Result<(), webpki::Error> {
        let is_it = |certificate: &&CertificateDer<'_>| {
            anchor_from_trusted_cert(certificate).is_ok_and(|own| {
                own.subject == anchor.subject
                    && own.subject_public_key_info == anchor.subject_public_key_info
            })
        };
        match self.certificates.iter().find(is_it) {
            Some(certificate) => {
                if !may_sign_certificates(certificate) {
                    return Err(webpki::Error::EndEntityUsedAsCa);
                }
                // of an old version: it has dates, but nobody who reads them
                EndEntityCert::try_from(certificate).map_or(Ok(()), |cert| check_dates(&cert, now))
            }
            None => Ok(()),
        }
    }
}

pub fn is_self_issued(cert: &EndEntityCert<'_>) -> bool {
    cert.issuer() == cert.subject()
}

/// Whether `now` is within the dates of `cert`.
pub fn check_dates(cert: &EndEntityCert<'_>, now: UnixTime) -> Result<(), webpki::Error> {
    use webpki::Error::{CertExpired, CertNotValidYet, InvalidCertValidity};
    // the dates are the first that is looked at; without anchors something else fails behind them
    let usage = webpki::KeyUsage::server_auth();
    match cert.verify_for_usage(&[], &[], &[], now, usage, None, None) {
        Err(error @ (CertExpired { .. } | CertNotValidYet { .. } | InvalidCertValidity)) => {
            Err(error)
        }
        _ => Ok(()),
    }
}
