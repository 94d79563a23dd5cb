//! The end of an environment, whatever it is doing. `Host::detach` checks that nothing keeps it.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::host::{A_WHILE, CLIENT, Host, ListenOptions, SERVER, request};
use super::peer::Peer;
use crate::driver::listener::hooks;
use crate::proto::frame::Opcode;
use crate::transport::Endpoint;

fn detach_quickly(host: &mut Host) {
    let start = Instant::now();
    host.detach();
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn nothing_at_all() {
    detach_quickly(&mut Host::new());
}

#[test]
fn while_listening() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    drop(Peer::upgraded(address));
    detach_quickly(&mut host);
    super::host::until("a free port", || TcpListener::bind(address).is_ok());
}

#[test]
fn in_every_state_of_a_server() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let (_, asking) = host.listen(ListenOptions {
        hooks: hooks::UPGRADE | hooks::REQUEST,
        ..Default::default()
    });
    let mut peers = Vec::new();
    for _ in 0..2 {
        peers.push(Peer::connect(address));
        let mut partial = Peer::connect(address);
        partial.write(b"GET / HTTP");
        peers.push(partial);
        let mut refused = Peer::connect(address);
        refused.write(b"GET / HTTP/1.1\r\n\r\n");
        peers.push(refused);
        let mut deciding = Peer::connect(asking);
        deciding.write(&request("/"));
        peers.push(deciding);
        let mut raw = Peer::connect(asking);
        raw.write(b"GET / HTTP/1.1\r\n\r\n");
        peers.push(raw);
        let mut within = Peer::upgraded(address);
        let part = within.frame(true, Opcode::Binary, &[0; 100_000])[..50_000].to_vec();
        within.write(&part);
        peers.push(within);
        // with output that is stuck, in the closing handshake, paused, starved
        for what in 0..4 {
            let mut peer = Peer::narrow(address);
            peer.send(Opcode::Text, b"me");
            let conn = host.next("a message", |seen| match seen {
                super::events::Seen::Message { conn, .. } => Some(*conn),
                _ => None,
            });
            match what {
                0 => host.send(conn, SERVER, &vec![0; 9_000_000]),
                1 => host.close(conn, SERVER, 1000),
                2 => host.pause(conn, true),
                _ => {
                    peer.stream.set_nonblocking(true).unwrap();
                    let frame = peer.frame(true, Opcode::Binary, &[0; 60_000]);
                    while peer.stream.write(&frame).is_ok_and(|n| n > 0) {}
                    peer.stream.set_nonblocking(false).unwrap();
                }
            }
            peers.push(peer);
        }
    }
    std::thread::sleep(A_WHILE);
    detach_quickly(&mut host);
    for mut peer in peers {
        peer.drain();
    }
}

#[test]
fn in_every_state_of_a_client() {
    let mut host = Host::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::Tcp(listener.local_addr().unwrap());
    #[cfg(target_os = "linux")]
    let (hole, _hole) = super::peer::black_hole();
    #[cfg(target_os = "linux")]
    host.dial(vec![Endpoint::Tcp(hole)]);
    host.dial(vec![endpoint.clone()]);
    let mut waiting = Peer::accept(&listener);
    waiting.recv_head();
    let open = host.dial(vec![endpoint.clone()]);
    let mut peer = Peer::accept(&listener);
    peer.answer_101(b"");
    host.opened(open);
    host.send(open, CLIENT, b"hello");
    // not even begun
    host.dial(vec![endpoint]);
    detach_quickly(&mut host);
    waiting.expect_end();
    assert_eq!(peer.recv().1, b"hello");
    peer.expect_end();
}

/// Clients come in all the time, so that some are on their way from one thread to another.
#[test]
fn while_clients_come_in() {
    for _ in 0..15 {
        let mut host = Host::new();
        let (_, address) = host.listen(ListenOptions::default());
        // keeps the threads alive, as another worker would
        let other = Host::beside(&host);
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..2)
            .map(|_| {
                let stop = stop.clone();
                std::thread::spawn(move || {
                    let mut held = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        if let Ok(mut stream) = std::net::TcpStream::connect(address) {
                            let _ = stream.write_all(&request("/"));
                            held.push(stream);
                            if held.len() > 100 {
                                held.clear();
                            }
                        }
                    }
                    held
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(20));
        host.env.silence();
        let detached = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            detach_quickly(&mut host);
        }));
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            drop(client.join().unwrap());
        }
        drop(other);
        if let Err(failure) = detached {
            std::panic::resume_unwind(failure);
        }
    }
}

#[test]
fn while_messages_fly() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let floods: Vec<_> = (0..4)
        .map(|_| {
            let mut peer = Peer::upgraded(address);
            std::thread::spawn(move || {
                let many = peer.frame(true, Opcode::Text, b"abcdefgh").repeat(2000);
                while peer.stream.write_all(&many).is_ok() {}
            })
        })
        .collect();
    let conn = host.accepted();
    for _ in 0..2000 {
        let data = host.message(conn);
        host.send(conn, SERVER, &data);
    }
    detach_quickly(&mut host);
    for flood in floods {
        flood.join().unwrap();
    }
}

#[test]
fn two_environments_do_not_disturb_each_other() {
    let mut host = Host::new();
    let mut other = Host::beside(&host);
    let (_, address) = host.listen(ListenOptions::default());
    let (_, elsewhere) = other.listen(ListenOptions::default());
    let across = other.dial(vec![Endpoint::Tcp(address)]);
    other.opened(across);
    let server = host.accepted();
    let mut peer = Peer::upgraded(elsewhere);
    let theirs = other.accepted();
    host.send(server, SERVER, b"to the other");
    assert_eq!(other.message(across), b"to the other");
    other.send(across, CLIENT, b"and back");
    assert_eq!(host.message(server), b"and back");
    detach_quickly(&mut host);
    other.closed(across);
    peer.send(Opcode::Text, b"still here");
    assert_eq!(other.message(theirs), b"still here");
}

#[test]
fn again_and_again() {
    for _ in 0..30 {
        let mut host = Host::new();
        let (_, address) = host.listen(ListenOptions::default());
        let client = host.dial(vec![Endpoint::Tcp(address)]);
        host.opened(client);
        let server = host.accepted();
        host.send(client, CLIENT, b"x");
        assert_eq!(host.message(server), b"x");
        detach_quickly(&mut host);
    }
}
