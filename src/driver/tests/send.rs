//! Sending: by command and from the caller's own thread, and what is reported about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::host::{CLIENT, Host, ListenOptions, SERVER, until};
use super::peer::Peer;
use crate::driver::command::{Command, SendFlags};
use crate::driver::counters::SEGMENT;
use crate::driver::environment::conn_index;
use crate::driver::link::Direct;
use crate::proto::connection::SendPayload;
use crate::proto::frame::Opcode;
use crate::transport::Endpoint;

const ACKED: SendFlags = SendFlags(SERVER.0 | SendFlags::ACK);

fn open_narrow(host: &mut Host) -> (Peer, u32) {
    let (_, address) = host.listen(ListenOptions::default());
    let peer = Peer::narrow(address);
    (peer, host.accepted())
}

/// As src/node/state.rs sends a lone message.
#[cfg(unix)]
fn send_directly(host: &Host, conn: u32, data: &[u8]) -> Direct {
    let Some(link) = host.env.link(conn) else {
        return Direct::Refused;
    };
    let outcome = link.send_directly(true, false, data.len(), |proto| {
        proto.send_message(true, true, false, SendPayload::Copied(data), None)
    });
    if matches!(outcome, Direct::Partial) {
        host.command(conn, |_| Command::Flush { conn });
    }
    outcome
}

/// `applied` and `queued` of a connection.
fn counters(host: &Host, conn: u32) -> (u64, u64) {
    let segment = host
        .env
        .segment(conn_index(conn) / SEGMENT)
        .expect("a block of counters");
    let at = segment.memory().0.cast::<AtomicU64>();
    let index = conn_index(conn) % SEGMENT * 2;
    // SAFETY: the segment is alive and consists of that many atomics.
    let read = |i| f64::from_bits(unsafe { &*at.add(i) }.load(Ordering::Acquire)) as u64;
    (read(index), read(index + 1))
}

#[test]
fn many_sends_of_one_batch_keep_their_order_and_are_counted() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut peer = Peer::upgraded(address);
    let conn = host.accepted();
    host.submit((conn >> 24) as usize, |batch| {
        for i in 0..1000_u32 {
            let range = batch.append(&i.to_be_bytes());
            let flags = if i % 2 == 0 { ACKED } else { SERVER };
            batch.commands.push(Command::Send {
                conn,
                flags,
                range,
                key: 0,
            });
        }
    });
    for i in 0..1000_u32 {
        assert_eq!(peer.recv(), (Opcode::Binary, i.to_be_bytes().to_vec()));
    }
    host.written(conn, 500);
    host.idle(conn);
    assert_eq!(counters(&host, conn), (1000 * 6, 0));
}

#[test]
fn fragments_and_pings_in_between() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let client = host.dial(vec![Endpoint::Tcp(address)]);
    host.opened(client);
    let server = host.accepted();
    let open = SendFlags(CLIENT.0 & !SendFlags::FIN);
    host.send(client, open, b"a");
    host.command(client, |b| {
        let range = b.append(b"p");
        Command::Ping {
            conn: client,
            flags: CLIENT,
            range,
            key: 0,
        }
    });
    host.send(client, open, b"");
    host.command(client, |b| {
        let range = b.append(b"b");
        let flags = SendFlags(CLIENT.0 | SendFlags::KEY);
        Command::Send {
            conn: client,
            flags,
            range,
            key: 0x0102_0304,
        }
    });
    assert_eq!(host.message(server), b"ab");
    host.next("the pong", |seen| match seen {
        super::events::Seen::Pong { conn, data } => (*conn == client && data == b"p").then_some(()),
        _ => None,
    });
}

#[test]
fn buffered_bytes_are_counted_exactly() {
    let mut host = Host::new();
    let (mut peer, conn) = open_narrow(&mut host);
    assert_eq!(counters(&host, conn), (0, 0));
    let size = 8_000_000;
    host.send(conn, ACKED, &vec![1; size]);
    host.send(conn, ACKED, &[2; 200]);
    host.idle(conn);
    let (applied, queued) = counters(&host, conn);
    assert_eq!(applied as usize, size + 10 + 204);
    assert!(queued > 0 && queued < applied, "{queued}");
    host.rest();
    assert_eq!(host.about(conn), 0, "nothing is written yet");
    assert_eq!(peer.recv().1.len(), size);
    assert_eq!(peer.recv().1.len(), 200);
    host.written(conn, 2);
    host.idle(conn);
    assert_eq!(counters(&host, conn), (applied, 0));
    drop(peer);
    host.closed(conn);
}

#[test]
fn lent_memory_is_released_when_it_is_written_or_dropped() {
    let mut host = Host::new();
    let lend = |host: &Host, conn: u32, owner: &Arc<Vec<u8>>| {
        struct Lent(Arc<Vec<u8>>);
        impl AsRef<[u8]> for Lent {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        let bytes = Box::new(Bytes::from_owner(Lent(owner.clone())));
        host.command(conn, |_| Command::SendShared {
            conn,
            flags: SERVER,
            bytes,
            key: 0,
        });
    };
    let (mut peer, conn) = open_narrow(&mut host);
    let memory = Arc::new(vec![3; 5_000_000]);
    lend(&host, conn, &memory);
    host.idle(conn);
    assert_eq!(Arc::strong_count(&memory), 2);
    assert_eq!(peer.recv().1.len(), 5_000_000);
    until("memory that is let go", || Arc::strong_count(&memory) == 1);
    // dropped with the connection, after it, and with the environment
    lend(&host, conn, &memory);
    host.terminate(conn);
    until("memory that is let go", || Arc::strong_count(&memory) == 1);
    lend(&host, conn, &memory);
    until("memory that is let go", || Arc::strong_count(&memory) == 1);
    let (_peer, conn) = open_narrow(&mut host);
    lend(&host, conn, &memory);
    host.detach();
    assert_eq!(Arc::strong_count(&memory), 1);
}

#[test]
#[cfg(unix)]
fn a_direct_send_is_written_at_once() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut peer = Peer::upgraded(address);
    let conn = host.accepted();
    host.idle(conn);
    for i in 0..100_u8 {
        assert!(matches!(
            send_directly(&host, conn, &[i]),
            Direct::Written { acked: 1 }
        ));
        assert_eq!(peer.recv(), (Opcode::Binary, vec![i]));
    }
    assert_eq!(counters(&host, conn), (300, 0));
    host.close(conn, SERVER, 1000);
    host.idle(conn);
    assert!(matches!(
        send_directly(&host, conn, b"late"),
        Direct::Refused
    ));
    assert_eq!(peer.recv().0, Opcode::Close);
    peer.send_close(1000);
    drop(peer);
    host.closed(conn);
    assert!(matches!(
        send_directly(&host, conn, b"later"),
        Direct::Refused
    ));
}

#[test]
#[cfg(unix)]
fn a_direct_send_that_does_not_fit_goes_on_in_order() {
    let mut host = Host::new();
    let (mut peer, conn) = open_narrow(&mut host);
    host.idle(conn);
    let data = |i: u32| [&i.to_be_bytes()[..], &[0; 10_000]].concat();
    let (mut sent, mut acked) = (0, 0);
    let partial = loop {
        assert!(sent < 10_000, "a full socket");
        sent += 1;
        match send_directly(&host, conn, &data(sent)) {
            Direct::Written { acked: more } => acked += more,
            Direct::Partial => break true,
            Direct::Refused => break false,
        }
    };
    assert!(partial);
    // nothing overtakes what is queued
    host.idle(conn);
    assert!(matches!(send_directly(&host, conn, b"no"), Direct::Refused));
    for _ in 0..5 {
        sent += 1;
        host.send(conn, ACKED, &data(sent));
    }
    for i in 1..=sent {
        assert_eq!(peer.recv().1[..4], i.to_be_bytes());
    }
    host.written(conn, sent - acked);
    host.idle(conn);
    assert_eq!(counters(&host, conn), (u64::from(sent) * 10_008, 0));
    assert!(matches!(
        send_directly(&host, conn, b"again"),
        Direct::Written { acked: 1 }
    ));
    assert_eq!(peer.recv().1, b"again");
}

#[test]
#[cfg(unix)]
fn direct_sends_and_commands_in_turn_keep_their_order() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut peer = Peer::upgraded(address);
    let conn = host.accepted();
    let reader = std::thread::spawn(move || {
        for i in 0..10_000_u32 {
            let mut frame = peer.recv();
            while frame.0 == Opcode::Pong {
                frame = peer.recv();
            }
            assert_eq!(frame.1, i.to_be_bytes());
            if i % 100 == 0 {
                // wakes the I/O thread, which then writes too
                peer.send(Opcode::Ping, b"");
            }
        }
        peer
    });
    let (mut direct, mut acked) = (0, 0);
    for i in 0..10_000_u32 {
        let data = i.to_be_bytes();
        if i % 64 == 0 {
            host.drain();
            host.idle(conn);
        }
        let outcome = if host.env.is_idle((conn >> 24) as usize) {
            send_directly(&host, conn, &data)
        } else {
            Direct::Refused
        };
        match outcome {
            Direct::Refused => host.send(conn, ACKED, &data),
            Direct::Written { acked: more } => {
                direct += 1;
                acked += more;
            }
            Direct::Partial => direct += 1,
        }
    }
    let peer = reader.join().unwrap();
    host.written(conn, 10_000 - acked);
    assert!(direct > 0);
    drop(peer);
    host.closed(conn);
}

#[test]
#[cfg(unix)]
fn a_direct_send_to_a_peer_that_is_gone() {
    let mut host = Host::new();
    for _ in 0..20 {
        let (_, address) = host.listen(ListenOptions::default());
        let peer = Peer::upgraded(address);
        let conn = host.accepted();
        host.idle(conn);
        peer.reset();
        let _ = send_directly(&host, conn, b"hello?");
        let _ = send_directly(&host, conn, b"hello?");
        host.closed(conn);
        assert!(matches!(
            send_directly(&host, conn, b"hello?"),
            Direct::Refused
        ));
    }
}
