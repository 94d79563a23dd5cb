//! Bounded memory on the way to JavaScript: credits and pauses.

use std::io::Write;
use std::time::{Duration, Instant};

use super::events::Seen;
use super::host::{A_WHILE, Host, ListenOptions, until};
use super::peer::Peer;
use crate::driver::listener::hooks;
use crate::driver::notice::Notice;
use crate::proto::frame::Opcode;

/// What a connection may have on its way, and what one read can add.
const MOST: usize = 256 * 1024 + 128 * 1024;

/// Sends `count` numbered messages of `size` bytes from a thread of its own.
fn flood(mut peer: Peer, count: u32, size: usize) -> std::thread::JoinHandle<Peer> {
    std::thread::spawn(move || {
        let mut payload = vec![7; size];
        let mut bytes = Vec::new();
        for i in 0..count {
            payload[..4].copy_from_slice(&i.to_be_bytes());
            bytes.extend(peer.frame(true, Opcode::Binary, &payload));
            if bytes.len() > 100_000 {
                peer.write(&bytes);
                bytes.clear();
            }
        }
        peer.write(&bytes);
        peer
    })
}

/// Waits until nothing more is published.
fn settled(host: &mut Host) -> usize {
    let mut last = (host.backlog(), Instant::now());
    loop {
        std::thread::sleep(Duration::from_millis(10));
        let now = host.backlog();
        if now != last.0 {
            last = (now, Instant::now());
        } else if last.1.elapsed() > A_WHILE {
            return now;
        }
    }
}

fn expect_in_order(host: &mut Host, conn: u32, count: u32, size: usize) {
    for i in 0..count {
        let data = host.message(conn);
        assert_eq!((data.len(), &data[..4]), (size, &i.to_be_bytes()[..]));
    }
}

#[test]
fn a_flood_that_nobody_takes_is_bounded_and_nothing_is_lost() {
    for (count, size) in [(300_000, 4), (20_000, 1000), (300, 40_000), (4, 5_000_000)] {
        let mut host = Host::new();
        let (_, address) = host.listen(ListenOptions::default());
        let peer = Peer::upgraded(address);
        let conn = host.accepted();
        let flood = flood(peer, count, size);
        let published = settled(&mut host);
        assert!(published <= MOST + size, "{published} bytes of {size}");
        expect_in_order(&mut host, conn, count, size);
        drop(flood.join().unwrap());
        host.closed(conn);
    }
}

#[test]
fn each_of_many_has_its_own_credit() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut floods = Vec::new();
    for _ in 0..6 {
        let peer = Peer::upgraded(address);
        floods.push((host.accepted(), flood(peer, 3000, 1000)));
    }
    assert!(settled(&mut host) <= 6 * MOST);
    for (conn, flood) in floods {
        expect_in_order(&mut host, conn, 3000, 1000);
        drop(flood.join().unwrap());
    }
}

#[test]
fn delivery_batch_by_batch_starves_nobody() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let peer = Peer::upgraded(address);
    let conn = host.accepted();
    // one batch of two threads at a time, with pauses in which the credit runs out
    let flood = flood(peer, 100_000, 50);
    for i in 0..100_000_u32 {
        if i % 5000 == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(host.message(conn)[..4], i.to_be_bytes());
    }
    drop(flood.join().unwrap());
}

#[test]
fn a_pause_stops_reading_until_it_ends() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut peer = Peer::upgraded(address);
    let conn = host.accepted();
    host.pause(conn, true);
    host.idle(conn);
    peer.send(Opcode::Text, b"one");
    peer.send(Opcode::Ping, b"two");
    peer.send_close(1000);
    peer.half_close();
    host.rest();
    assert_eq!(host.about(conn), 0);
    host.pause(conn, false);
    assert_eq!(host.message(conn), b"one");
    host.next("the ping", |seen| {
        matches!(seen, Seen::Ping { .. }).then_some(())
    });
    assert_eq!(host.close_frame(conn), Some(1000));
    host.closed(conn);
}

#[test]
fn a_pause_in_a_flood() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let peer = Peer::upgraded(address);
    let conn = host.accepted();
    let flood = flood(peer, 50_000, 100);
    for i in 0..50_000_u32 {
        if i % 10_000 == 5000 {
            host.pause(conn, true);
            host.rest();
            let held = host.about(conn);
            host.rest();
            assert_eq!(host.about(conn), held);
            host.pause(conn, false);
        }
        assert_eq!(host.message(conn)[..4], i.to_be_bytes());
    }
    drop(flood.join().unwrap());
}

#[test]
fn raw_bytes_have_credit_too() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions {
        hooks: hooks::REQUEST,
        ..Default::default()
    });
    let mut peer = Peer::connect(address);
    peer.write(b"POST / HTTP/1.1\r\n\r\n");
    let (conn, ()) = host.notice("a request", |n| {
        matches!(n, Notice::Request { .. }).then_some(())
    });
    let writer = std::thread::spawn(move || {
        peer.stream.write_all(&vec![1; 20_000_000]).unwrap();
        peer
    });
    std::thread::sleep(2 * A_WHILE);
    assert!(
        !writer.is_finished(),
        "more is taken than anyone has asked for"
    );
    let mut sum = 0;
    while sum < 20_000_019 {
        sum += host
            .notice("raw bytes", |notice| match notice {
                Notice::RawData(data) => Some(data.len()),
                _ => None,
            })
            .1;
    }
    host.terminate(conn);
    drop(writer.join().unwrap());
    host.closed(conn);
}

#[test]
fn a_starved_connection_can_end() {
    let mut host = Host::new();
    let (listener, address) = host.listen(ListenOptions::default());
    let peer = Peer::upgraded(address);
    let conn = host.accepted();
    let flood = flood(peer, 100, 40_000);
    settled(&mut host);
    host.terminate(conn);
    host.close_listener(listener.id);
    until("the end of the flood", || flood.is_finished());
    host.closed(conn);
    host.listener_closed();
    // fails to write its rest
    let _ = flood.join();
}
