//! Clients: the way to a server and the opening handshake.

use std::net::TcpListener;

use super::events::Seen;
use super::host::{CLIENT, Host, ListenOptions, SERVER};
use super::peer::{End, Peer, accept_head, dead_port};
use crate::driver::notice::{Notice, ResponseError};
use crate::proto::frame::Opcode;
use crate::proto::handshake::client::HandshakeError;
use crate::transport::Endpoint;

fn server() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
    (listener, endpoint)
}

fn connected(host: &mut Host) -> u32 {
    host.notice("a connected transport", |n| {
        matches!(n, Notice::Connected { .. }).then_some(())
    })
    .0
}

fn response_failed(host: &mut Host) -> (u32, ResponseError) {
    host.notice("a failed answer", |notice| match notice {
        Notice::ResponseFailed(error) => Some(std::mem::replace(error, ResponseError::HangUp)),
        _ => None,
    })
}

fn connect_failed(host: &mut Host) -> (u32, (std::io::ErrorKind, Option<u16>)) {
    host.notice("a failed connect", |notice| match notice {
        Notice::ConnectFailed { failures } => failures.last().map(|(endpoint, error)| {
            let port = match endpoint {
                Endpoint::Tcp(addr) => Some(addr.port()),
                Endpoint::Unix(_) => None,
            };
            (error.kind(), port)
        }),
        _ => None,
    })
}

#[test]
fn opens_with_a_frame_in_the_same_packet() {
    let mut host = Host::new();
    let (listener, endpoint) = server();
    let conn = host.dial(vec![endpoint]);
    let mut peer = Peer::accept(&listener);
    assert_eq!(connected(&mut host), conn);
    let early = peer.frame(true, Opcode::Text, b"hello");
    peer.answer_101(&early);
    host.opened(conn);
    assert_eq!(host.message(conn), b"hello");
    host.send(conn, CLIENT, &[5; 70_000]);
    assert_eq!(peer.recv(), (Opcode::Binary, vec![5; 70_000]));
    peer.send(Opcode::Ping, b"masked?");
    assert_eq!(peer.recv(), (Opcode::Pong, b"masked?".to_vec()));
}

#[test]
fn takes_an_answer_byte_by_byte_after_informational_ones() {
    let mut host = Host::new();
    let (listener, endpoint) = server();
    let conn = host.dial(vec![endpoint]);
    let mut peer = Peer::accept(&listener);
    peer.recv_head();
    for byte in format!(
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{}",
        accept_head()
    )
    .bytes()
    {
        peer.write(&[byte]);
    }
    host.opened(conn);
}

#[test]
fn refuses_a_bad_accept() {
    let mut host = Host::new();
    let (listener, endpoint) = server();
    let conn = host.dial(vec![endpoint]);
    let mut peer = Peer::accept(&listener);
    peer.recv_head();
    peer.write(accept_head().replace("s3pP", "t3pP").as_bytes());
    let (of, outcome) = host.notice("the answer", |notice| match notice {
        Notice::Response { outcome, .. } => Some(outcome.clone()),
        _ => None,
    });
    assert_eq!((of, outcome), (conn, Err(HandshakeError::InvalidAccept)));
    assert_eq!(peer.drain(), (Vec::new(), End::Eof));
    host.closed(conn);
}

#[test]
fn refuses_what_is_not_http() {
    let mut host = Host::new();
    let (listener, endpoint) = server();
    let conn = host.dial(vec![endpoint]);
    let mut peer = Peer::accept(&listener);
    peer.recv_head();
    peer.write(b"SSH-2.0-OpenSSH\r\n");
    let (of, error) = response_failed(&mut host);
    assert_eq!(of, conn);
    assert!(matches!(error, ResponseError::Malformed(_)), "{error:?}");
    host.closed(conn);
}

#[test]
fn hears_of_a_server_that_hangs_up() {
    let mut host = Host::new();
    for answer in ["", "HTTP/1.1 101 Swit"] {
        let (listener, endpoint) = server();
        let conn = host.dial(vec![endpoint]);
        let mut peer = Peer::accept(&listener);
        peer.recv_head();
        peer.write(answer.as_bytes());
        drop(peer);
        let (of, error) = response_failed(&mut host);
        assert!(
            of == conn && matches!(error, ResponseError::HangUp),
            "{error:?}"
        );
        host.closed(conn);
    }
    let (listener, endpoint) = server();
    let conn = host.dial(vec![endpoint]);
    let mut peer = Peer::accept(&listener);
    peer.recv_head();
    peer.reset();
    let (of, error) = response_failed(&mut host);
    assert!(
        of == conn && matches!(error, ResponseError::Io(_)),
        "{error:?}"
    );
    host.closed(conn);
}

#[test]
fn hears_of_a_port_where_nobody_listens() {
    let mut host = Host::new();
    let dead = dead_port();
    let conn = host.dial(vec![Endpoint::Tcp(dead)]);
    let (of, failure) = connect_failed(&mut host);
    assert_eq!(of, conn);
    assert_eq!(
        failure,
        (std::io::ErrorKind::ConnectionRefused, Some(dead.port()))
    );
    host.closed(conn);
    host.release(conn);
    host.idle(conn);
    assert_eq!(host.env.allocate(1), Some(conn));
}

#[test]
fn goes_on_to_the_next_address() {
    let mut host = Host::new();
    let (listener, endpoint) = server();
    let mut addresses = vec![Endpoint::Tcp(dead_port())];
    #[cfg(target_os = "linux")]
    let (hole, _hole) = super::peer::black_hole();
    #[cfg(target_os = "linux")]
    addresses.push(Endpoint::Tcp(hole));
    addresses.push(endpoint);
    let conn = host.dial(addresses);
    let mut peer = Peer::accept(&listener);
    peer.answer_101(b"");
    assert_eq!(connected(&mut host), conn);
    host.opened(conn);
}

#[test]
#[cfg(target_os = "linux")]
fn gives_up_while_connecting() {
    let mut host = Host::new();
    let (hole, _hole) = super::peer::black_hole();
    let conn = host.dial(vec![Endpoint::Tcp(hole)]);
    host.idle(conn);
    host.terminate(conn);
    host.terminate(conn);
    host.closed(conn);
    host.rest();
    assert_eq!(host.about(conn), 0);
}

#[test]
fn gives_up_while_waiting_for_the_answer() {
    let mut host = Host::new();
    let (listener, endpoint) = server();
    let conn = host.dial(vec![endpoint]);
    let mut peer = Peer::accept(&listener);
    peer.recv_head();
    host.terminate(conn);
    host.closed(conn);
    peer.expect_end();
}

#[test]
#[cfg(unix)]
fn speaks_over_a_unix_socket() {
    let mut host = Host::new();
    let path = std::env::temp_dir().join(format!("hawser-test-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let conn = host.dial(vec![Endpoint::Unix(path.clone())]);
    let mut peer = Peer::accept_unix(&listener);
    peer.answer_101(b"");
    host.opened(conn);
    host.send(conn, CLIENT, b"up");
    assert_eq!(peer.recv(), (Opcode::Binary, b"up".to_vec()));
    peer.send(Opcode::Text, &[b'd'; 100_000]);
    assert_eq!(host.message(conn).len(), 100_000);
    peer.send_close(1000);
    assert_eq!(host.close_frame(conn), Some(1000));
    host.close(conn, CLIENT, 1000);
    assert_eq!(peer.recv().0, Opcode::Close);
    peer.expect_end();
    drop(peer);
    host.closed(conn);
    std::fs::remove_file(&path).unwrap();
    let conn = host.dial(vec![Endpoint::Unix(path)]);
    assert_eq!(
        connect_failed(&mut host),
        (conn, (std::io::ErrorKind::NotFound, None))
    );
}

#[test]
fn both_ends_in_one_process() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let client = host.dial(vec![Endpoint::Tcp(address)]);
    host.opened(client);
    let server = host.accepted();
    for i in 0..200_u32 {
        host.send(client, CLIENT, &i.to_be_bytes());
        assert_eq!(host.message(server), i.to_be_bytes());
        host.send(server, SERVER, &i.to_be_bytes());
        assert_eq!(host.message(client), i.to_be_bytes());
    }
    host.terminate(client);
    host.closed(client);
    host.closed(server);
    assert!(
        !host
            .seen
            .iter()
            .any(|seen| matches!(seen, Seen::Close { .. }))
    );
}
