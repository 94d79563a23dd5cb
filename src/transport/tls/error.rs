//! What goes wrong with TLS, in OpenSSL's and Node's names.

use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

/// A TLS handshake or connection that failed. It travels in an [`io::Error`].
#[derive(Clone, Debug)]
pub struct TlsError {
    /// Node's `error.code`; none: it has no name.
    pub code: Option<&'static str>,
    pub message: String,
    /// A client's handshake that OpenSSL might bring to an end.
    pub is_incompatible: bool,
    /// The peer's certificate in DER, if it is not for that host.
    pub certificate: Option<Vec<u8>>,
}

impl TlsError {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: Some(code),
            message: message.into(),
            is_incompatible: false,
            certificate: None,
        }
    }

    /// A client's handshake fails with the request waiting to be written: Node reports that.
    pub(super) fn in_handshake(&mut self) {
        if self.code.is_none_or(|code| code.starts_with("ERR_SSL_")) {
            self.code = Some("EPROTO");
            self.message = format!("write EPROTO {}", self.message);
        }
    }

    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TlsError {}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Why a chain of certificates is not trusted: a code of OpenSSL's, which are Node's too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict(pub &'static str);

/// A certificate that is not for the host: only a client says so.
#[derive(Debug)]
pub struct WrongName {
    pub certificate: Vec<u8>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Verdict {}

impl fmt::Display for WrongName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate is for another host")
    }
}

impl std::error::Error for WrongName {}

impl From<Error> for TlsError {
    fn from(error: Error) -> Self {
        let mut certificate = None;
        let code = match &error {
            Error::InvalidCertificate(CertificateError::Other(other)) => {
                if let Some(wrong) = other.0.downcast_ref::<WrongName>() {
                    certificate = Some(wrong.certificate.clone());
                    Some("ERR_TLS_CERT_ALTNAME_INVALID")
                } else {
                    other.0.downcast_ref::<Verdict>().map(|verdict| verdict.0)
                }
            }
            error => code_of(error),
        };
        Self {
            code,
            message: error.to_string(),
            is_incompatible: is_incompatible(&error),
            certificate,
        }
    }
}

/// OpenSSL's code, as Node spells it.
fn code_of(error: &Error) -> Option<&'static str> {
    use PeerIncompatible as Lacks;
    Some(match error {
        // before it counts, as it may be anybody's
        Error::AlertReceived(AlertDescription::CloseNotify) => "ECONNRESET",
        Error::AlertReceived(alert) => return alert_code(*alert),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "ERR_SSL_WRONG_VERSION_NUMBER",
        Error::InvalidMessage(InvalidMessage::MessageTooLarge) => "ERR_SSL_PACKET_LENGTH_TOO_LONG",
        Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) => {
            "ERR_SSL_EXCESSIVE_MESSAGE_SIZE"
        }
        Error::InvalidMessage(InvalidMessage::MissingData(_) | InvalidMessage::MessageTooShort) => {
            "ERR_SSL_LENGTH_TOO_SHORT"
        }
        Error::InvalidMessage(_) => "ERR_SSL_LENGTH_MISMATCH",
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "ERR_SSL_UNEXPECTED_MESSAGE"
        }
        Error::NoApplicationProtocol => "ERR_SSL_NO_APPLICATION_PROTOCOL",
        Error::DecryptError => "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
        Error::NoCertificatesPresented => "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE",
        Error::PeerIncompatible(
            Lacks::ServerDoesNotSupportTls12Or13
            | Lacks::ServerTlsVersionIsDisabledByOurConfig
            | Lacks::SupportedVersionsExtensionRequired
            | Lacks::Tls12NotOffered
            | Lacks::Tls12NotOfferedOrEnabled
            | Lacks::Tls13RequiredForQuic,
        ) => "ERR_SSL_UNSUPPORTED_PROTOCOL",
        Error::PeerIncompatible(Lacks::NoKxGroupsInCommon) => "ERR_SSL_NO_SUITABLE_KEY_SHARE",
        Error::PeerIncompatible(
            Lacks::NoCipherSuitesInCommon | Lacks::NoSignatureSchemesInCommon,
        ) => "ERR_SSL_NO_SHARED_CIPHER",
        _ => return None,
    })
}

/// Whether OpenSSL might get along with a peer that rustls does not: with older ciphers and curves,
/// with certificates that webpki does not read.
pub fn is_incompatible(error: &Error) -> bool {
    use AlertDescription as Alert;
    match error {
        Error::PeerIncompatible(_) => true,
        Error::InvalidCertificate(CertificateError::Other(_)) => false,
        Error::InvalidCertificate(_) => true,
        Error::AlertReceived(alert) => matches!(
            alert,
            Alert::HandshakeFailure
                | Alert::ProtocolVersion
                | Alert::InsufficientSecurity
                | Alert::UnsupportedCertificate
        ),
        _ => false,
    }
}

/// Node's code for an alert that the peer has sent (RFC 8446 section 6.2; OpenSSL's words).
fn alert_code(alert: AlertDescription) -> Option<&'static str> {
    use AlertDescription as Alert;
    Some(match alert {
        Alert::UnexpectedMessage => "ERR_SSL_SSLV3_ALERT_UNEXPECTED_MESSAGE",
        Alert::BadRecordMac => "ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC",
        Alert::RecordOverflow => "ERR_SSL_TLSV1_ALERT_RECORD_OVERFLOW",
        Alert::HandshakeFailure => "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
        Alert::BadCertificate => "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
        Alert::UnsupportedCertificate => "ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        Alert::CertificateRevoked => "ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED",
        Alert::CertificateExpired => "ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED",
        Alert::CertificateUnknown => "ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        Alert::IllegalParameter => "ERR_SSL_SSLV3_ALERT_ILLEGAL_PARAMETER",
        Alert::UnknownCA => "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
        Alert::AccessDenied => "ERR_SSL_TLSV1_ALERT_ACCESS_DENIED",
        Alert::DecodeError => "ERR_SSL_TLSV1_ALERT_DECODE_ERROR",
        Alert::DecryptError => "ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR",
        Alert::ProtocolVersion => "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
        Alert::InsufficientSecurity => "ERR_SSL_TLSV1_ALERT_INSUFFICIENT_SECURITY",
        Alert::InternalError => "ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR",
        Alert::InappropriateFallback => "ERR_SSL_TLSV1_ALERT_INAPPROPRIATE_FALLBACK",
        Alert::UserCanceled => "ERR_SSL_TLSV1_ALERT_USER_CANCELLED",
        Alert::NoRenegotiation => "ERR_SSL_TLSV1_ALERT_NO_RENEGOTIATION",
        Alert::MissingExtension => "ERR_SSL_TLSV13_ALERT_MISSING_EXTENSION",
        Alert::UnsupportedExtension => "ERR_SSL_TLSV1_UNSUPPORTED_EXTENSION",
        Alert::UnrecognisedName => "ERR_SSL_TLSV1_UNRECOGNIZED_NAME",
        Alert::CertificateRequired => "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
        Alert::NoApplicationProtocol => "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
        _ => return None,
    })
}
