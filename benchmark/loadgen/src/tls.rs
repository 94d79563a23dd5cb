//! TLS 1.3 on a socket, blocking or not. Certificates are not verified: the generator measures
//! servers, it does not trust them.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, version,
};

use crate::stream::is_transient;

/// What all connections share. One cipher suite and one group, which all servers have, so that all do
/// the same work.
pub fn config() -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_AES_256_GCM_SHA384],
        kx_groups: vec![ring::kx_group::X25519],
        ..ring::default_provider()
    });
    let verifier = Arc::new(Unverified(Arc::clone(&provider)));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .map_err(|error| format!("TLS: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    // Every connection begins with a full handshake. Servers send tickets all the same, because
    // rustls says in any case that it could use them (RFC 8446 section 4.2.9).
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

pub struct TlsStream {
    tcp: TcpStream,
    session: ClientConnection,
}

impl TlsStream {
    /// A client's end of a connection to `server`, which need not be complete. Reads and writes
    /// perform the handshake; what is written before it is over leaves with its last message.
    pub fn new(tcp: TcpStream, server: IpAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let session = ClientConnection::new(Arc::clone(config), ServerName::from(server))
            .map_err(io::Error::other)?;
        Ok(Self { tcp, session })
    }

    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// The socket has not taken all that was written: `flush` is due when it is writable.
    pub fn has_unsent(&self) -> bool {
        self.session.wants_write()
    }

    /// Says that nothing more will be written (RFC 8446 section 6.1).
    pub fn send_close_notify(&mut self) -> io::Result<()> {
        self.session.send_close_notify();
        self.flush()
    }

    /// Like `flush`, but what the socket does not take yet is left to `has_unsent`.
    fn flush_some(&mut self) -> io::Result<()> {
        match self.flush() {
            Err(error) if !is_transient(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// After the server's close_notify only the end of the TCP stream may come.
    fn read_fin(&mut self) -> io::Result<usize> {
        match self.tcp.read(&mut [0])? {
            0 => Ok(0),
            _ => Err(io::Error::other("data after close_notify")),
        }
    }
}

impl Read for TlsStream {
    /// 0 is the end of the TCP stream, which has to come after a close_notify. Poll sets do not know
    /// of what has been decrypted and not read, so `buffer` should have room for all that one read
    /// of the socket can bring: a record, 16 KiB, and what came before it.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) => return self.read_fin(),
                result => return result,
            }
            // At the end of the stream this changes what the reader says.
            self.session.read_tls(&mut self.tcp)?;
            self.session
                .process_new_packets()
                .map_err(io::Error::other)?;
            // What came may call for an answer: the handshake does.
            self.flush_some()?;
        }
    }
}

impl Write for TlsStream {
    /// Takes up to a buffer's worth when all before it has left; see `has_unsent`.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let count = self.session.writer().write(bytes)?;
        self.flush_some()?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.tcp)?;
        }
        Ok(())
    }
}

/// Takes every certificate and every signature for good.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpListener};

    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use rustls::{HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};

    use super::*;

    /// A server whose certificate is one byte, which is all the same to `Unverified`, and whose key is
    /// Ed25519 (RFC 8410 section 7).
    fn server_config() -> Arc<ServerConfig> {
        let mut pkcs8 =
            b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
        pkcs8.extend([7; 32]);
        let key = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8)).unwrap();
        let certified = CertifiedKey::new(vec![CertificateDer::from(vec![0])], key);
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        Arc::new(config)
    }

    struct Pair {
        client: TlsStream,
        server: ServerConnection,
        peer: TcpStream,
    }

    impl Pair {
        /// Two ends of a TCP connection that have said nothing yet.
        fn new(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let tcp = TcpStream::connect(address).unwrap();
            let (peer, _) = listener.accept().unwrap();
            tcp.set_nonblocking(true).unwrap();
            peer.set_nonblocking(true).unwrap();
            Self {
                client: TlsStream::new(tcp, address.ip(), client).unwrap(),
                server: ServerConnection::new(Arc::clone(server)).unwrap(),
                peer,
            }
        }

        /// After the handshake, which a request of the client's follows.
        fn open(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Self {
            let mut pair = Self::new(client, server);
            pair.client.write_all(b"request").unwrap();
            while pair.server.is_handshaking() {
                pair.server_turn();
                assert!(is_transient(&pair.client.read(&mut [0]).unwrap_err()));
            }
            assert_eq!(pair.server_reads(), b"request");
            pair
        }

        /// What the server can do without waiting.
        fn server_turn(&mut self) {
            match self.server.read_tls(&mut self.peer) {
                Err(error) if is_transient(&error) => {}
                result => {
                    result.unwrap();
                    self.server.process_new_packets().unwrap();
                }
            }
            while self.server.wants_write() {
                self.server.write_tls(&mut self.peer).unwrap();
            }
        }

        fn server_reads(&mut self) -> Vec<u8> {
            let mut bytes = vec![0; 64];
            loop {
                if let Ok(count) = self.server.reader().read(&mut bytes) {
                    bytes.truncate(count);
                    return bytes;
                }
                self.server_turn();
            }
        }

        fn client_reads(&mut self) -> io::Result<Vec<u8>> {
            let mut bytes = vec![0; 64];
            loop {
                match self.client.read(&mut bytes) {
                    Err(error) if is_transient(&error) => {}
                    Err(error) => return Err(error),
                    Ok(count) => {
                        bytes.truncate(count);
                        return Ok(bytes);
                    }
                }
            }
        }
    }

    #[test]
    fn every_handshake_is_a_full_one_of_tls_1_3() {
        let (client, server) = (config().unwrap(), server_config());
        for _ in 0..2 {
            let mut pair = Pair::open(&client, &server);
            assert_eq!(pair.server.handshake_kind(), Some(HandshakeKind::Full));
            let version = pair.server.protocol_version();
            assert_eq!(version, Some(ProtocolVersion::TLSv1_3));
            pair.server.writer().write_all(b"response").unwrap();
            pair.server_turn();
            assert_eq!(pair.client_reads().unwrap(), b"response");
        }
    }

    #[test]
    fn the_end_is_a_close_notify_and_then_a_fin() {
        let mut pair = Pair::open(&config().unwrap(), &server_config());
        pair.server.send_close_notify();
        pair.server_turn();
        assert!(is_transient(&pair.client.read(&mut [0; 64]).unwrap_err()));
        pair.peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(pair.client_reads().unwrap(), b"");
        pair.client.send_close_notify().unwrap();
        assert_eq!(pair.server_reads(), b"");
    }

    #[test]
    fn a_fin_without_close_notify_is_a_fault() {
        let mut pair = Pair::open(&config().unwrap(), &server_config());
        pair.peer.shutdown(Shutdown::Write).unwrap();
        let error = pair.client_reads().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
