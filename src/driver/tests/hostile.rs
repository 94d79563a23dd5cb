//! Peers that mean harm.

use std::io::Write;

use super::events::Seen;
use super::host::{Host, ListenOptions, options};
use super::peer::Peer;
use crate::driver::command::ConnectionOptions;
use crate::driver::notice::Notice;
use crate::proto::error::ProtocolError;
use crate::proto::frame::Opcode;

fn failure(host: &mut Host, of: u32) -> ProtocolError {
    host.next("a violation", |seen| match seen {
        Seen::Notice {
            conn,
            notice: Notice::Failed(error),
        } if *conn == of => Some(error.clone()),
        _ => None,
    })
}

#[test]
fn pings_of_a_peer_that_never_reads_end_it() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut peer = Peer::narrow(address);
    let conn = host.accepted();
    let ping = peer.frame(true, Opcode::Ping, &[7; 125]);
    let flood = std::thread::spawn(move || {
        let many = ping.repeat(1000);
        for _ in 0..1000 {
            if peer.stream.write_all(&many).is_err() {
                return true;
            }
        }
        false
    });
    host.closed(conn);
    assert!(flood.join().unwrap(), "cut off before the millionth ping");
}

#[test]
fn fragments_without_end() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    for payload in [&b""[..], b"x"] {
        let mut peer = Peer::upgraded(address);
        let conn = host.accepted();
        let mut bytes = peer.frame(false, Opcode::Binary, payload);
        let more = peer.frame(false, Opcode::Continuation, payload);
        for _ in 0..16 * 1024 {
            bytes.extend_from_slice(&more);
        }
        peer.write(&bytes);
        assert_eq!(failure(&mut host, conn), ProtocolError::TooManyFragments);
        host.terminate(conn);
        host.closed(conn);
    }
}

#[test]
fn lengths_over_the_limit() {
    let mut host = Host::new();
    let connection = ConnectionOptions {
        max_payload: 1000,
        ..options()
    };
    let (_, address) = host.listen(ListenOptions {
        connection,
        ..Default::default()
    });
    let headers: [&[u8]; 3] = [
        &[0x82, 0xfe, 0x03, 0xe9],
        &[0x82, 0xff, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    for header in headers {
        let mut peer = Peer::upgraded(address);
        let conn = host.accepted();
        peer.write(header);
        assert_eq!(failure(&mut host, conn).close_code(), 1009);
        // and what follows is swallowed, however much it is
        peer.write(&vec![0; 3_000_000]);
        host.terminate(conn);
        host.closed(conn);
    }
}

#[test]
fn an_announced_gigabyte_costs_nothing_yet() {
    let mut host = Host::new();
    let connection = ConnectionOptions {
        max_payload: 0,
        ..options()
    };
    let (_, address) = host.listen(ListenOptions {
        connection,
        ..Default::default()
    });
    let mut peers = Vec::new();
    for _ in 0..20 {
        let mut peer = Peer::upgraded(address);
        peer.write(&[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]);
        peer.write(&[0; 20_000]);
        peers.push((host.accepted(), peer));
    }
    host.rest();
    for (conn, peer) in peers {
        let reserved = host.env.link(conn).expect("open").lock().proto.buffered();
        assert!(reserved <= 1024 * 1024, "{reserved}");
        drop(peer);
        host.closed(conn);
    }
}

#[test]
fn random_bytes_after_the_handshake() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut calm = Peer::upgraded(address);
    let steady = host.accepted();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..100 {
        let mut peer = Peer::upgraded(address);
        let conn = host.accepted();
        let bytes: Vec<u8> = (0..3000)
            .map(|_| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                seed as u8
            })
            .collect();
        let _ = peer.stream.write_all(&bytes);
        drop(peer);
        host.closed(conn);
        host.release(conn);
    }
    calm.send(Opcode::Text, b"here");
    assert_eq!(host.message(steady), b"here");
}
