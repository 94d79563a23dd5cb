//! The state machine of rustls, of either role: records in, plaintext and records out.

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::CertificateDer;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    AppDataRecord, ConnectionState, EncodeError, EncryptError, UnbufferedStatus,
};
use rustls::{CommonState, Error, HandshakeKind, ProtocolVersion};

/// Most plaintext of a record (RFC 8446 section 5.1).
pub const RECORD: usize = 16 * 1024;

/// What a record of ours is longer than its plaintext, at most: header, tag, nonce or content type.
const SEALED: usize = 32;

/// What a record may be longer than its plaintext: header, content type, padding of TLS 1.2, tag
/// (RFC 5246 section 6.2.3).
const OVERHEAD: usize = 5 + 2048;

/// A record of any kind fits.
pub const RECORD_MAX: usize = RECORD + OVERHEAD;

pub enum Session {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

/// What became of the input of [`Session::advance`].
#[derive(Debug, Default)]
pub struct Progress {
    /// So many bytes of it are done with.
    pub consumed: usize,
    /// The peer has said that it sends nothing more.
    pub closed: bool,
}

/// The same for both roles, whose types have no trait in common.
macro_rules! each {
    ($session:expr, $conn:ident => $body:expr) => {
        match $session {
            Session::Client($conn) => $body,
            Session::Server($conn) => $body,
        }
    };
}

impl Session {
    /// Works off whole records at the front of `input`, as far as there are any: data goes to
    /// `plain`, answers of the handshake to `out`. What follows an error is to be sent too: it is
    /// the alert.
    pub fn advance(
        &mut self,
        input: &mut [u8],
        out: &mut Vec<u8>,
        mut plain: impl FnMut(&[u8]),
    ) -> Result<Progress, Error> {
        let mut progress = Progress::default();
        each!(self, conn => loop {
            let UnbufferedStatus { mut discard, state, .. } =
                conn.process_tls_records(&mut input[progress.consumed..]);
            let mut is_over = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut records)) => {
                    while let Some(record) = records.next_record() {
                        let AppDataRecord { discard: more, payload, .. } = record?;
                        discard += more;
                        plain(payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, out)?,
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                Ok(ConnectionState::PeerClosed) => progress.closed = true,
                Ok(_) => is_over = true,
                Err(error) => {
                    // the alert comes out of a second look
                    let rest = &mut input[progress.consumed + discard..];
                    while let Ok(ConnectionState::EncodeTlsData(mut data)) =
                        conn.process_tls_records(rest).state
                    {
                        encode(&mut data, out)?;
                    }
                    return Err(error);
                }
            }
            progress.consumed += discard;
            if is_over {
                return Ok(progress);
            }
        })
    }

    /// Adds `data`, encrypted, to `out`. `pending`: input that was not consumed, which rustls wants to
    /// see each time.
    pub fn encrypt(
        &mut self,
        pending: &mut [u8],
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        each!(self, conn => {
            loop {
                match conn.process_tls_records(pending).state? {
                    ConnectionState::WriteTraffic(mut traffic) => {
                        return with_room(out, sealed_len(data.len()), |room| {
                            traffic.encrypt(data, room).map_err(room_of_encrypt)
                        });
                    }
                    // an update of the keys goes first
                    ConnectionState::EncodeTlsData(mut data) => encode(&mut data, out)?,
                    ConnectionState::TransmitTlsData(sent) => sent.done(),
                    _ => return Err(Error::HandshakeNotComplete),
                }
            }
        })
    }

    /// Adds the alert that says that nothing more will be sent (RFC 8446 section 6.1).
    pub fn close_notify(&mut self, pending: &mut [u8], out: &mut Vec<u8>) -> Result<(), Error> {
        each!(self, conn => {
            match conn.process_tls_records(pending).state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    with_room(out, 64, |room| {
                        traffic.queue_close_notify(room).map_err(room_of_encrypt)
                    })
                }
                _ => Ok(()),
            }
        })
    }

    fn common(&self) -> &CommonState {
        match self {
            Self::Client(conn) => conn,
            Self::Server(conn) => conn,
        }
    }

    pub fn is_handshaking(&self) -> bool {
        self.common().is_handshaking()
    }

    pub fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        self.common().peer_certificates().unwrap_or_default()
    }

    pub fn is_tls13(&self) -> bool {
        self.common().protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// The name of the cipher suite, as IANA has it.
    pub fn cipher(&self) -> String {
        let suite = self.common().negotiated_cipher_suite();
        let name = suite.and_then(|suite| suite.suite().as_str());
        name.unwrap_or_default().replace("TLS13_", "TLS_")
    }

    pub fn alpn(&self) -> Option<&[u8]> {
        self.common().alpn_protocol()
    }

    pub fn is_resumed(&self) -> bool {
        self.common().handshake_kind() == Some(HandshakeKind::Resumed)
    }
}

/// Bytes of the records that `len` bytes are sealed in, at most.
fn sealed_len(len: usize) -> usize {
    len + (len / RECORD + 1) * SEALED
}

/// The length that a buffer must have; none: it makes no difference.
type Short = Option<usize>;

fn encode<D>(
    data: &mut rustls::unbuffered::EncodeTlsData<'_, D>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    with_room(out, 0, |room| {
        data.encode(room).map_err(|error| match error {
            EncodeError::InsufficientSize(size) => Some(size.required_size),
            EncodeError::AlreadyEncoded => None,
        })
    })
}

fn room_of_encrypt(error: EncryptError) -> Short {
    match error {
        EncryptError::InsufficientSize(size) => Some(size.required_size),
        EncryptError::EncryptExhausted => None,
    }
}

/// Has `write` append to `out`, with more room if it asks for it.
fn with_room(
    out: &mut Vec<u8>,
    guess: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Short>,
) -> Result<(), Error> {
    let start = out.len();
    let mut room = guess;
    loop {
        out.resize(start + room, 0);
        match write(&mut out[start..]) {
            Ok(len) => {
                out.truncate(start + len);
                return Ok(());
            }
            Err(Some(needed)) if needed > room => room = needed,
            Err(_) => {
                out.truncate(start);
                return Err(Error::EncryptError);
            }
        }
    }
}
