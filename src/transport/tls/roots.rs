//! The certificates that a peer's chain may end in.

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, anchor_from_trusted_cert};

use super::authority::may_issue;

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

    /// The roots that may have issued `certificate`, by their name.
    pub fn issuers_of(&self, certificate: &CertificateDer<'_>) -> Vec<&CertificateDer<'static>> {
        let Ok(certificate) = EndEntityCert::try_from(certificate) else {
            return Vec::new();
        };
        if is_self_issued(&certificate) {
            return Vec::new();
        }
        // there is an anchor for each of them, but for the bundled ones
        self.certificates
            .iter()
            .zip(&self.anchors)
            .filter(|(_, anchor)| anchor.subject.as_ref() == certificate.issuer())
            .map(|(root, _)| root)
            .collect()
    }

    /// Names of those that may issue, for the request for a client's certificate.
    pub fn subjects(&self) -> impl Iterator<Item = &[u8]> {
        self.anchors.iter().map(|anchor| anchor.subject.as_ref())
    }

    /// What is wrong with the certificate behind `anchor`, as far as its dates and its right to issue
    /// go. webpki does not look at those of anchors, OpenSSL does. Of several with the same name and
    /// key one has to be good.
    pub fn check(&self, anchor: &TrustAnchor<'_>, now: UnixTime) -> Result<(), webpki::Error> {
        let is_it = |certificate: &&CertificateDer<'_>| {
            anchor_from_trusted_cert(certificate).is_ok_and(|own| {
                own.subject == anchor.subject
                    && own.subject_public_key_info == anchor.subject_public_key_info
            })
        };
        let mut result = Ok(());
        for certificate in self.certificates.iter().filter(is_it) {
            result = check_issuer(certificate, now);
            if result.is_ok() {
                break;
            }
        }
        result
    }
}

fn check_issuer(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), webpki::Error> {
    if !may_issue(certificate) {
        return Err(webpki::Error::EndEntityUsedAsCa);
    }
    // one of an old version has dates, but nobody who reads them
    EndEntityCert::try_from(certificate).map_or(Ok(()), |cert| check_dates(&cert, now))
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
