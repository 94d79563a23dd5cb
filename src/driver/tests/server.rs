//! The server's half of the opening handshake, and messages.

use std::collections::HashSet;
use std::time::Duration;

use super::host::{Host, ListenOptions, SERVER, request, until};
use super::peer::{End, Peer, accept_head};
use crate::driver::environment::conn_thread;
use crate::driver::listener::hooks;
use crate::driver::notice::Notice;
use crate::proto::error::ProtocolError;
use crate::proto::frame::Opcode;

#[test]
fn accepts_and_echoes_any_size() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut peer = Peer::upgraded(address);
    let conn = host.accepted();
    for size in [
        0,
        1,
        125,
        126,
        5000,
        32 * 1024,
        32 * 1024 + 1,
        70_000,
        3_000_000,
    ] {
        let payload: Vec<u8> = (0..size).map(|i| (i * 7) as u8).collect();
        peer.send(Opcode::Binary, &payload);
        let got = host.message(conn);
        assert_eq!(got, payload);
        host.send(conn, SERVER, &got);
        assert_eq!(peer.recv(), (Opcode::Binary, payload));
    }
}

#[test]
fn spreads_connections_over_the_threads() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut peers = Vec::new();
    let mut conns = Vec::new();
    for i in 0..10_u8 {
        let mut peer = Peer::upgraded(address);
        peer.send(Opcode::Binary, &[i]);
        peers.push(peer);
        conns.push(host.accepted());
    }
    for (i, &conn) in conns.iter().enumerate() {
        assert_eq!(host.message(conn), [i as u8]);
        host.send(conn, SERVER, &[i as u8]);
        assert_eq!(peers[i].recv(), (Opcode::Binary, vec![i as u8]));
    }
    let threads: HashSet<_> = conns.iter().map(|&conn| conn_thread(conn)).collect();
    assert_eq!(threads.len(), 2);
}

#[test]
fn takes_frames_that_come_with_the_request() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut peer = Peer::connect(address);
    let mut bytes = request("/");
    bytes.extend(peer.frame(true, Opcode::Text, b"one"));
    bytes.extend(peer.frame(true, Opcode::Ping, b"p"));
    bytes.extend(&peer.frame(true, Opcode::Text, b"two")[..4]);
    peer.write(&bytes);
    peer.expect_101();
    let conn = host.accepted();
    assert_eq!(host.message(conn), b"one");
    assert_eq!(peer.recv(), (Opcode::Pong, b"p".to_vec()));
    let rest = peer.frame(true, Opcode::Text, b"two")[4..].to_vec();
    peer.write(&rest);
    assert_eq!(host.message(conn), b"two");
}

#[test]
fn takes_a_request_byte_by_byte() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut peer = Peer::connect(address);
    for byte in request("/chat?x=1") {
        peer.write(&[byte]);
    }
    peer.expect_101();
    let (_, target) = host.notice("a connection", |notice| match notice {
        Notice::Connection { request, .. } => Some(request.target.clone()),
        _ => None,
    });
    assert_eq!(target, "/chat?x=1");
}

fn refused(options: ListenOptions, bytes: &[u8]) -> String {
    let mut host = Host::new();
    let (_, address) = host.listen(options);
    let mut peer = Peer::connect(address);
    peer.write(bytes);
    let head = peer.recv_head();
    assert!(head.contains("Connection: close"), "{head}");
    assert_eq!(peer.drain().1, End::Eof);
    drop(peer);
    until("a free id", || {
        let id = host.env.allocate(0).expect("a free id");
        host.env.release(id);
        id == 0
    });
    host.drain();
    assert!(host.seen.is_empty(), "{:?}", host.seen);
    head[9..12].to_owned()
}

#[test]
fn refuses_what_is_no_good_request() {
    let good = String::from_utf8(request("/")).unwrap();
    for (bytes, status) in [
        (good.replacen("GET", "POST", 1), "405"),
        (good.replacen("websocket", "h2c", 1), "400"),
        (good.replacen("Version: 13", "Version: 14", 1), "400"),
        (
            good.replacen("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n", 1),
            "400",
        ),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), "426"),
        ("\u{16}\u{3}\u{1}".to_owned(), "400"),
        (
            format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(17_000)),
            "431",
        ),
        (
            good.replacen("\r\n\r\n", &"\r\na: b".repeat(1001), 1) + "\r\n\r\n",
            "431",
        ),
    ] {
        let shown = bytes.chars().take(60).collect::<String>();
        assert_eq!(
            refused(ListenOptions::default(), bytes.as_bytes()),
            status,
            "{shown}"
        );
    }
}

#[test]
fn upgrades_after_plain_requests() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut peer = Peer::connect(address);
    let mut bytes = b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n".to_vec();
    bytes.extend(request("/"));
    bytes.extend(peer.frame(true, Opcode::Text, b"frame"));
    peer.write(&bytes);
    for _ in 0..2 {
        let head = peer.recv_head();
        assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
        assert!(head.contains("Connection: keep-alive"), "{head}");
        peer.skip("Upgrade Required");
    }
    peer.expect_101();
    let conn = host.accepted();
    assert_eq!(host.message(conn), b"frame");
}

#[test]
fn requests_without_end_are_cut_off() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut peer = Peer::connect(address);
    peer.write(&b"GET / HTTP/1.1\r\n\r\n".repeat(5000));
    let (answers, _) = peer.drain();
    assert!(answers.len() < 64 * 1024, "{}", answers.len());
    drop(peer);
    host.rest();
    assert!(host.seen.is_empty());
}

#[test]
fn refuses_another_path() {
    let only = || ListenOptions {
        path: Some("/ws"),
        ..Default::default()
    };
    assert_eq!(refused(only(), &request("/other")), "400");
    let mut host = Host::new();
    let (_, address) = host.listen(only());
    let mut peer = Peer::connect(address);
    peer.write(&request("/ws?a=b"));
    peer.expect_101();
    host.accepted();
}

#[test]
fn refuses_a_request_that_takes_too_long() {
    for start in ["", "G", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        let options = ListenOptions {
            handshake_timeout: Duration::from_millis(50),
            ..Default::default()
        };
        assert_eq!(refused(options, start.as_bytes()), "408");
    }
}

#[test]
fn ends_a_refused_peer_that_does_not_leave() {
    let mut host = Host::new();
    let (listener, address) = host.listen(ListenOptions::default());
    let mut peer = Peer::connect(address);
    peer.write(b"GET / HTTP/1.0\r\n\r\n");
    peer.recv_head();
    // it stays, without ending its half
    host.close_listener(listener.id);
    assert_eq!(host.listener_closed(), listener.id);
}

#[test]
fn asks_before_it_upgrades() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions {
        hooks: hooks::UPGRADE,
        path: Some("/x"),
        ..Default::default()
    });
    let mut peer = Peer::connect(address);
    let mut bytes = request("/");
    bytes.extend(peer.frame(true, Opcode::Text, b"early"));
    peer.write(&bytes);
    let asked = |n: &mut Notice| matches!(n, Notice::Upgrade { .. }).then_some(());
    let (conn, ()) = host.notice("the question", asked);
    peer.send(Opcode::Text, b"late");
    host.rest();
    assert_eq!(host.about(conn), 0, "nothing is read before the answer");
    host.respond(conn, accept_head().as_bytes(), true);
    host.respond(conn, b"a second answer is ignored", true);
    peer.expect_101();
    assert_eq!(host.message(conn), b"early");
    assert_eq!(host.message(conn), b"late");
    host.send(conn, SERVER, b"yes");
    assert_eq!(peer.recv(), (Opcode::Binary, b"yes".to_vec()));

    let mut peer = Peer::connect(address);
    peer.write(&request("/"));
    let (conn, ()) = host.notice("the question", asked);
    host.respond(
        conn,
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        false,
    );
    assert!(peer.recv_head().starts_with("HTTP/1.1 401"));
    assert_eq!(peer.drain(), (Vec::new(), End::Eof));
    drop(peer);
    host.closed(conn);
}

#[test]
fn hands_over_a_plain_request() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions {
        hooks: hooks::REQUEST,
        ..Default::default()
    });
    let mut peer = Peer::connect(address);
    peer.write(b"POST /form HTTP/1.1\r\nContent-Length: 4\r\n\r\nbo");
    let (conn, ()) = host.notice("a request", |n| {
        matches!(n, Notice::Request { .. }).then_some(())
    });
    peer.write(b"dy");
    peer.half_close();
    let mut got = Vec::new();
    while !got.ends_with(b"body") {
        got.extend(
            host.notice("raw bytes", |notice| match notice {
                Notice::RawData(data) => Some(std::mem::take(data)),
                _ => None,
            })
            .1,
        );
    }
    assert_eq!(got, b"POST /form HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody");
    host.notice("the end", |notice| {
        matches!(notice, Notice::RawEnd).then_some(())
    });
    host.raw(conn, b"HTTP/1.1 200 OK\r\n");
    host.raw(conn, b"\r\nhello");
    host.end(conn);
    assert_eq!(
        peer.drain(),
        (b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec(), End::Eof)
    );
    host.closed(conn);
}

#[test]
fn hands_over_a_bad_upgrade_request() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions {
        hooks: hooks::CLIENT_ERROR,
        ..Default::default()
    });
    let mut peer = Peer::connect(address);
    peer.write(
        &String::from_utf8(request("/"))
            .unwrap()
            .replace("GET", "PUT")
            .into_bytes(),
    );
    let (conn, status) = host.notice("a client error", |notice| match notice {
        Notice::ClientError { refusal, .. } => Some(refusal.status),
        _ => None,
    });
    assert_eq!(status, 405);
    host.raw(conn, b"mine");
    host.end(conn);
    assert_eq!(peer.drain(), (b"mine".to_vec(), End::Eof));
    drop(peer);
    host.closed(conn);
}

#[test]
fn reports_a_violation_and_leaves_the_answer_to_javascript() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut bad = Peer::upgraded(address);
    let conn = host.accepted();
    let mut good = Peer::upgraded(address);
    let other = host.accepted();
    let mut bytes = bad.frame(true, Opcode::Text, b"before");
    bytes.extend([0x81, 0x01, b'x']);
    bytes.extend(bad.frame(true, Opcode::Text, b"after"));
    bad.write(&bytes);
    assert_eq!(host.message(conn), b"before");
    let (of, error) = host.notice("the violation", |notice| match notice {
        Notice::Failed(error) => Some(error.clone()),
        _ => None,
    });
    assert_eq!((of, &error), (conn, &ProtocolError::ExpectedMask));
    host.close(conn, SERVER, error.close_code());
    assert_eq!(bad.recv(), (Opcode::Close, 1002_u16.to_be_bytes().to_vec()));
    assert_eq!(bad.drain(), (Vec::new(), End::Eof));
    drop(bad);
    host.closed(conn);
    assert_eq!(host.about(conn), 0);
    good.send(Opcode::Text, b"undisturbed");
    assert_eq!(host.message(other), b"undisturbed");
}
