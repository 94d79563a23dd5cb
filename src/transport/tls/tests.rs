use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::runtime::LocalRuntime;

use super::context::{Identity, TlsOptions};
use super::roots::Roots;
use super::*;
use crate::proto::transmit::TransmitQueue;
use crate::transport::Transport;

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!("../../../__test__/support/tls/", $name))
    };
}

fn options() -> TlsOptions {
    TlsOptions {
        identities: Vec::new(),
        rejects_unauthorized: true,
        tls12: true,
        tls13: true,
        falls_back: false,
        names_roots: false,
        alpn: Vec::new(),
    }
}

fn server_context() -> Arc<ServerContext> {
    let chain = [pem!("server.crt").as_slice(), pem!("intermediate.crt")];
    let identity = Identity {
        chain: chain
            .map(|pem| CertificateDer::from_pem_slice(pem).unwrap())
            .to_vec(),
        key: PrivateKeyDer::from_pem_slice(pem!("leaf.key")).unwrap(),
    };
    let options = TlsOptions {
        identities: vec![identity],
        ..options()
    };
    Arc::new(ServerContext::new(options, None, Duration::from_secs(300)).unwrap())
}

fn contexts() -> Arc<ServerContexts> {
    Arc::new(ServerContexts {
        default: Some(server_context()),
        ..ServerContexts::default()
    })
}

fn client_context(tls12: bool, tls13: bool) -> Arc<ClientContext> {
    let root = CertificateDer::from_pem_slice(pem!("root.crt")).unwrap();
    let roots = Arc::new(Roots::from_der(vec![root]).unwrap());
    let options = TlsOptions {
        tls12,
        tls13,
        ..options()
    };
    Arc::new(ClientContext::new(options, roots).unwrap())
}

fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    for socket in [&client, &server] {
        socket.set_nonblocking(true).unwrap();
    }
    (client, server)
}

fn connect(socket: TcpStream, context: Arc<ClientContext>) -> Transport {
    let name = ClientContext::server_name("localhost").unwrap();
    let tcp = Transport::from_tcp(socket).unwrap();
    tcp.connect_tls(context, name).unwrap()
}

fn accept(socket: TcpStream, contexts: Arc<ServerContexts>) -> Transport {
    let remote = socket.peer_addr().unwrap();
    Transport::from_tcp(socket)
        .unwrap()
        .accept_tls(contexts, remote)
        .unwrap()
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime: LocalRuntime = builder
        .enable_all()
        .build_local(Default::default())
        .unwrap();
    runtime.block_on(async {
        let limit = Duration::from_secs(20);
        tokio::time::timeout(limit, test).await.expect("in time")
    })
}

/// Writes `out` and reads until `wanted` bytes have come or the stream has ended, `space` bytes at a
/// time: what a connection does.
async fn exchange(
    transport: &mut Transport,
    out: &[u8],
    wanted: usize,
    space: usize,
) -> io::Result<Vec<u8>> {
    let mut queue = TransmitQueue::new();
    queue.push_raw(out);
    let mut space = vec![MaybeUninit::uninit(); space];
    let mut received = Vec::new();
    poll_fn(|cx| {
        let mut ended = false;
        while !ended && received.len() < wanted {
            match transport.poll_receive(cx, &mut space) {
                Poll::Ready(chunk) => {
                    let chunk = chunk?;
                    ended = chunk.is_empty();
                    received.extend_from_slice(chunk);
                }
                Poll::Pending => break,
            }
        }
        let is_sent = transport.poll_send(cx, &mut queue)?.is_ready();
        if (is_sent && received.len() >= wanted) || ended {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    })
    .await
    .map(|()| received)
}

async fn shut_down(transport: &mut Transport) {
    poll_fn(|cx| Poll::Ready(transport.shutdown(cx)))
        .await
        .unwrap();
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}

#[test]
fn bytes_of_both_sides_arrive_in_order() {
    for (tls12, tls13) in [(true, false), (false, true)] {
        for space in [1000, 20_000, 200_000] {
            run(async {
                let (client, server) = sockets();
                let mut client = connect(client, client_context(tls12, tls13));
                let mut server = accept(server, contexts());
                let (up, down) = (bytes(3_000_000), bytes(1_000_001));
                let (at_client, at_server) = tokio::join!(
                    exchange(&mut client, &up, down.len(), space),
                    exchange(&mut server, &down, up.len(), 128 * 1024),
                );
                assert!(at_client.unwrap() == down);
                assert!(at_server.unwrap() == up);
                assert_eq!(client.in_flight(), 0);
                let (info, own) = (client.peer().tls.unwrap(), server.peer().tls.unwrap());
                assert_eq!((info.is_tls13, own.is_tls13), (tls13, tls13));
                assert!(info.authorized);
                assert_eq!(info.certificates.len(), 3);
                assert_eq!(own.server_name.as_deref(), Some("localhost"));
            });
        }
    }
}

#[test]
fn records_in_pieces_are_put_together() {
    let (client, far) = sockets();
    let (near, server) = sockets();
    // two threads that pass on little at a time
    for (from, to) in [(&far, &near), (&near, &far)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        from.set_nonblocking(false).unwrap();
        to.set_nodelay(true).unwrap();
        std::thread::spawn(move || {
            let mut piece = [0; 7];
            while let Ok(len @ 1..) = from.read(&mut piece) {
                if to.write_all(&piece[..len]).is_err() {
                    return;
                }
            }
        });
    }
    run(async {
        let mut client = connect(client, client_context(true, true));
        let mut server = accept(server, contexts());
        let data = bytes(20_000);
        let (at_client, at_server) = tokio::join!(
            exchange(&mut client, &data, data.len(), 4096),
            exchange(&mut server, &data, data.len(), 4096),
        );
        assert!(at_client.unwrap() == data);
        assert!(at_server.unwrap() == data);
    });
}

#[test]
fn what_the_socket_does_not_take_is_in_flight() {
    run(async {
        let (client, server) = sockets();
        let mut client = connect(client, client_context(true, true));
        let mut server = accept(server, contexts());
        let (one, other) = tokio::join!(
            exchange(&mut client, b"a", 1, 100),
            exchange(&mut server, b"b", 1, 100),
        );
        assert_eq!(
            (one.unwrap(), other.unwrap()),
            (b"b".to_vec(), b"a".to_vec())
        );
        let mut queue = TransmitQueue::new();
        let data = bytes(16 << 20);
        queue.push_raw(&data);
        // nobody reads at the other end
        let full = poll_fn(|cx| Poll::Ready(client.poll_send(cx, &mut queue).is_pending())).await;
        assert!(full);
        let in_flight = client.in_flight();
        assert!((1..=WRITE_MAX).contains(&in_flight), "{in_flight}");
        let sent = async {
            poll_fn(|cx| client.poll_send(cx, &mut queue))
                .await
                .unwrap();
            client.in_flight()
        };
        let (in_flight, received) =
            tokio::join!(sent, exchange(&mut server, b"", data.len(), READ_MAX));
        assert_eq!(in_flight, 0);
        assert!(received.unwrap() == data);
    });
}

#[test]
fn both_ways_to_end_are_an_end() {
    for with_notify in [true, false] {
        run(async {
            let (client, server) = sockets();
            let raw = client.try_clone().unwrap();
            let mut client = connect(client, client_context(true, true));
            let mut server = accept(server, contexts());
            let (one, other) = tokio::join!(
                exchange(&mut client, b"last", 1, 100),
                exchange(&mut server, b"b", 4, 100),
            );
            assert_eq!(
                (one.unwrap(), other.unwrap()),
                (b"b".to_vec(), b"last".to_vec())
            );
            if with_notify {
                shut_down(&mut client).await;
            } else {
                raw.shutdown(std::net::Shutdown::Write).unwrap();
            }
            let end = exchange(&mut server, b"", 1, 100).await.unwrap();
            assert_eq!(end, b"");
        });
    }
}

#[test]
fn a_handshake_that_is_cut_off_is_an_error() {
    run(async {
        let (client, server) = sockets();
        let mut client = connect(client, client_context(true, true));
        drop(server);
        let error = exchange(&mut client, b"a", 1, 100).await.unwrap_err();
        let reset = error.kind() == io::ErrorKind::ConnectionReset;
        assert!(reset || TlsError::of(&error).unwrap().code == Some("ECONNRESET"));
    });
    run(async {
        let (client, server) = sockets();
        let mut server = accept(server, contexts());
        (&client).write_all(&[22, 3, 1, 2, 0, 1, 0]).unwrap();
        drop(client);
        let error = exchange(&mut server, b"", 1, 100).await.unwrap_err();
        assert_eq!(TlsError::of(&error).unwrap().code, Some("ECONNRESET"));
    });
}

#[test]
fn a_server_waits_for_the_context_that_it_asks_for() {
    for answered in [true, false] {
        run(async {
            let (client, server) = sockets();
            let mut client = connect(client, client_context(true, true));
            let asking = ServerContexts {
                asks: true,
                ..ServerContexts::default()
            };
            let mut server = accept(server, Arc::new(asking));
            let mut space = [MaybeUninit::uninit(); 100];
            let question = poll_fn(|cx| {
                let _ = client.poll_send(cx, &mut TransmitQueue::new())?;
                assert!(server.poll_receive(cx, &mut space).is_pending());
                match server.tls().and_then(Tls::take_question) {
                    Some(name) => Poll::Ready(io::Result::Ok(name)),
                    None => Poll::Pending,
                }
            });
            assert_eq!(question.await.unwrap(), "localhost");
            let tls = server.tls().unwrap();
            assert_eq!(tls.take_question(), None);
            tls.answer(answered.then(server_context));
            let (at_client, at_server) = tokio::join!(
                exchange(&mut client, b"a", 1, 100),
                exchange(&mut server, b"b", 1, 100),
            );
            if answered {
                assert_eq!(at_client.unwrap(), b"b");
                assert_eq!(at_server.unwrap(), b"a");
            } else {
                let error = at_client.unwrap_err();
                assert_eq!(TlsError::of(&error).unwrap().code, Some("EPROTO"));
                assert!(at_server.is_err());
            }
        });
    }
}
