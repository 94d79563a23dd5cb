//! How connections end: the closing handshake, and everything that is not one.

use std::time::{Duration, Instant};

use super::events::Seen;
use super::host::{A_WHILE, CLIENT, Host, ListenOptions, SERVER, options, request, until};
use super::peer::{End, Peer, accept_head};
use crate::driver::command::{ConnectionOptions, Setting};
use crate::driver::environment::conn_thread;
use crate::driver::listener::hooks;
use crate::driver::notice::Notice;
use crate::proto::frame::Opcode;
use crate::transport::Endpoint;

fn open_pair(host: &mut Host) -> (Peer, u32) {
    let (_, address) = host.listen(ListenOptions::default());
    let peer = Peer::upgraded(address);
    let conn = host.accepted();
    (peer, conn)
}

#[test]
fn the_peer_closes_first() {
    let mut host = Host::new();
    let (mut peer, conn) = open_pair(&mut host);
    peer.send_close(4001);
    assert_eq!(host.close_frame(conn), Some(4001));
    host.send(conn, SERVER, b"still");
    host.close(conn, SERVER, 4001);
    host.send(conn, SERVER, b"too late");
    assert_eq!(peer.recv(), (Opcode::Binary, b"still".to_vec()));
    assert_eq!(
        peer.recv(),
        (Opcode::Close, 4001_u16.to_be_bytes().to_vec())
    );
    assert_eq!(peer.drain(), (Vec::new(), End::Eof));
    host.rest();
    assert_eq!(host.about(conn), 0, "open until the peer has left");
    drop(peer);
    host.closed(conn);
}

#[test]
fn javascript_closes_first() {
    let mut host = Host::new();
    let (mut peer, conn) = open_pair(&mut host);
    host.close(conn, SERVER, 1000);
    assert_eq!(peer.recv().0, Opcode::Close);
    peer.send(Opcode::Text, b"under way");
    assert_eq!(host.message(conn), b"under way");
    peer.send_close(1000);
    assert_eq!(host.close_frame(conn), Some(1000));
    assert_eq!(peer.drain(), (Vec::new(), End::Eof));
    peer.half_close();
    host.closed(conn);
}

#[test]
fn both_close_at_once() {
    let mut host = Host::new();
    for _ in 0..20 {
        let (mut peer, conn) = open_pair(&mut host);
        host.close(conn, SERVER, 1000);
        peer.send_close(1001);
        assert_eq!(host.close_frame(conn), Some(1001));
        host.close(conn, SERVER, 1001);
        assert_eq!(
            peer.recv(),
            (Opcode::Close, 1000_u16.to_be_bytes().to_vec())
        );
        assert_eq!(peer.drain(), (Vec::new(), End::Eof));
        drop(peer);
        host.closed(conn);
    }
}

#[test]
fn a_closing_handshake_may_take_so_long() {
    let mut host = Host::new();
    let connection = ConnectionOptions {
        close_timeout: Duration::from_millis(80),
        ..options()
    };
    let (_, address) = host.listen(ListenOptions {
        connection,
        ..Default::default()
    });
    // the peer never answers
    let mut peer = Peer::upgraded(address);
    let conn = host.accepted();
    let start = Instant::now();
    host.close(conn, SERVER, 1000);
    host.closed(conn);
    assert!(start.elapsed() >= Duration::from_millis(80));
    assert_eq!(peer.recv().0, Opcode::Close);
    peer.expect_end();
    // the peer answers and does not leave
    let mut peer = Peer::upgraded(address);
    let conn = host.accepted();
    peer.send_close(1000);
    assert_eq!(host.close_frame(conn), Some(1000));
    host.close(conn, SERVER, 1000);
    host.closed(conn);
    // the peer is not listened to
    let peer = Peer::upgraded(address);
    let conn = host.accepted();
    host.pause(conn, true);
    host.close(conn, SERVER, 1000);
    host.closed(conn);
    drop(peer);
}

#[test]
fn an_end_without_a_close_frame() {
    let mut host = Host::new();
    let (mut peer, conn) = open_pair(&mut host);
    peer.send(Opcode::Text, b"last");
    let part = peer.frame(true, Opcode::Text, b"cut off")[..9].to_vec();
    peer.write(&part);
    peer.half_close();
    assert_eq!(host.message(conn), b"last");
    host.closed(conn);
    peer.expect_end();
    assert_eq!(host.about(conn), 0);
}

#[test]
fn what_is_queued_goes_out_to_a_peer_that_has_ended_its_half() {
    let mut host = Host::new();
    let (mut peer, conn) = open_pair(&mut host);
    let big = vec![9; 8_000_000];
    host.send(conn, SERVER, &big);
    peer.half_close();
    assert_eq!(peer.recv(), (Opcode::Binary, big));
    host.closed(conn);
    peer.expect_end();
}

#[test]
fn a_reset_is_survived_in_every_state() {
    let mut host = Host::new();
    let (listener, address) = host.listen(ListenOptions::default());
    // before and within the request
    Peer::connect(address).reset();
    let mut peer = Peer::connect(address);
    peer.write(b"GET / HT");
    peer.reset();
    // refused
    let mut peer = Peer::connect(address);
    peer.write(b"GET / HTTP/1.1\r\n\r\n");
    peer.reset();
    // together with the request
    let mut peer = Peer::connect(address);
    peer.write(&request("/"));
    peer.reset();
    // open, within a frame, within a large frame
    for start in [0, 3, 200_000] {
        let mut peer = Peer::upgraded(address);
        let part = peer.frame(true, Opcode::Binary, &[0; 300_000])[..start].to_vec();
        peer.write(&part);
        std::thread::sleep(Duration::from_millis(5));
        peer.reset();
    }
    // with much to write
    let mut peer = Peer::upgraded(address);
    peer.send(Opcode::Text, b"this one");
    let conn = host.next("a message", |seen| match seen {
        Seen::Message { conn, .. } => Some(*conn),
        _ => None,
    });
    host.send(conn, SERVER, &vec![0; 10_000_000]);
    peer.reset();
    host.closed(conn);
    host.send(conn, SERVER, b"to nobody");
    host.configure(conn, Setting::NoDelay(true));
    // after either close frame
    let mut peer = Peer::upgraded(address);
    peer.send_close(1000);
    peer.reset();
    host.close_listener(listener.id);
    host.listener_closed();
    let ends = |host: &Host| {
        host.seen
            .iter()
            .filter(|s| matches!(s, Seen::Closed { .. }))
            .count()
    };
    let starts = |host: &Host| {
        let is_start = |s: &&Seen| {
            matches!(
                s,
                Seen::Notice {
                    notice: Notice::Connection { .. },
                    ..
                }
            )
        };
        host.seen.iter().filter(is_start).count()
    };
    assert_eq!(ends(&host) + 1, starts(&host));
}

#[test]
fn a_reset_while_javascript_decides() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions {
        hooks: hooks::UPGRADE,
        ..Default::default()
    });
    for upgrade in [true, false] {
        let mut peer = Peer::connect(address);
        peer.write(&request("/"));
        let (conn, ()) = host.notice("the question", |n| {
            matches!(n, Notice::Upgrade { .. }).then_some(())
        });
        peer.reset();
        host.respond(conn, accept_head().as_bytes(), upgrade);
        host.send(conn, SERVER, b"hello?");
        host.closed(conn);
    }
}

#[test]
fn a_reset_in_raw_mode() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions {
        hooks: hooks::REQUEST,
        ..Default::default()
    });
    let mut peer = Peer::connect(address);
    peer.write(b"GET / HTTP/1.1\r\n\r\n");
    let (conn, ()) = host.notice("a request", |n| {
        matches!(n, Notice::Request { .. }).then_some(())
    });
    peer.reset();
    host.raw(conn, b"hello?");
    host.closed(conn);
}

#[test]
fn terminate_ends_at_once() {
    let mut host = Host::new();
    let (mut peer, conn) = open_pair(&mut host);
    host.send(conn, SERVER, b"out");
    host.terminate(conn);
    host.terminate(conn);
    host.send(conn, SERVER, b"dropped");
    host.closed(conn);
    // what was queued in the same moment may be lost, as in Node
    let _ = peer.drain();
    host.rest();
    assert_eq!(host.about(conn), 0, "closed once");
}

#[test]
fn an_id_is_used_again_and_starts_anew() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut seen = std::collections::HashSet::new();
    for i in 0..40_u8 {
        let mut peer = Peer::upgraded(address);
        let conn = host.accepted();
        seen.insert(conn & 0xff_ffff);
        host.send(conn, SERVER, &[i]);
        assert_eq!(peer.recv(), (Opcode::Binary, vec![i]));
        peer.send(Opcode::Binary, &[i]);
        assert_eq!(host.message(conn), [i]);
        drop(peer);
        host.closed(conn);
        assert!(host.env.link(conn).is_none());
        host.release(conn);
        host.idle(conn);
    }
    assert_eq!(seen.len(), 1);
}

#[test]
fn a_client_closes_too() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let client = host.dial(vec![Endpoint::Tcp(address)]);
    host.opened(client);
    let server = host.accepted();
    host.close(client, CLIENT, 1000);
    assert_eq!(host.close_frame(server), Some(1000));
    host.close(server, SERVER, 1000);
    assert_eq!(host.close_frame(client), Some(1000));
    host.closed(client);
    host.closed(server);
}

/// Peers that go on sending after their close frame, faster than it can be read, keep nobody else
/// waiting: neither the commands nor the events of others.
#[test]
fn a_flood_after_a_close_frame_stops_nobody() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut calm = Peer::upgraded(address);
    let conn = host.accepted();
    let mut flooders = Vec::new();
    for _ in 0..8 {
        let mut peer = Peer::upgraded(address);
        let id = host.accepted();
        if conn_thread(id) != conn_thread(conn) {
            continue;
        }
        peer.send_close(1000);
        flooders.push(std::thread::spawn(move || {
            use std::io::Write;
            let chunk = vec![0; 1024 * 1024];
            let end = Instant::now() + 20 * A_WHILE;
            while Instant::now() < end && peer.stream.write_all(&chunk).is_ok() {}
        }));
    }
    std::thread::sleep(A_WHILE);
    let start = Instant::now();
    for i in 0..10_u8 {
        calm.send(Opcode::Binary, &[i]);
        assert_eq!(host.message(conn), [i]);
        host.send(conn, SERVER, &[i]);
        assert_eq!(calm.recv(), (Opcode::Binary, vec![i]));
    }
    let took = start.elapsed();
    for flooder in flooders {
        flooder.join().unwrap();
    }
    assert!(took < 10 * A_WHILE, "{took:?}");
    until("an idle thread", || host.env.is_idle(conn_thread(conn)));
}
