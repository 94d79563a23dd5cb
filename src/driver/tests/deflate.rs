//! permessage-deflate over loopback: negotiation, order, turns, and what is held.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::events::Seen;
use super::host::{Host, KEY, ListenOptions, SERVER, options, until};
use super::peer::Peer;
use crate::driver::command::{Command, ConnectionOptions, SendFlags};
use crate::driver::deflate::Deflate;
use crate::driver::environment::conn_thread;
use crate::proto::Role;
use crate::proto::deflate::{CompressorOptions, DeflateOptions, DeflateParams, Deflater, Inflater};
use crate::proto::frame::Opcode;
use crate::proto::testing::{Rng, compressed, frame, json};

const DEFLATED: SendFlags = SendFlags(SERVER.0 | SendFlags::COMPRESS);
const ACKED: SendFlags = SendFlags(DEFLATED.0 | SendFlags::ACK);

/// A server that agrees to permessage-deflate.
fn listen(host: &mut Host, budget: Option<u64>, max_payload: u64) -> std::net::SocketAddr {
    let deflate = Deflate {
        options: DeflateOptions::default(),
        budget,
    };
    let connection = ConnectionOptions {
        deflate: Some(Arc::new(deflate)),
        max_payload,
        ..options()
    };
    let listen = ListenOptions {
        connection,
        ..ListenOptions::default()
    };
    host.listen(listen).1
}

/// A client that has agreed, and the answer's extensions.
fn upgraded(host: &mut Host, to: std::net::SocketAddr) -> (Peer, u32, String) {
    let mut peer = Peer::connect(to);
    let request = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    );
    peer.write(request.as_bytes());
    let head = peer.recv_head();
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    let extensions = line.expect("an agreement").to_owned();
    (peer, host.accepted(), extensions)
}

/// Two connections of the same thread.
fn neighbours(host: &mut Host, to: std::net::SocketAddr) -> [(Peer, u32); 2] {
    let all: Vec<_> = (0..3).map(|_| upgraded(host, to)).collect();
    let thread = |at: usize| conn_thread(all[at].1);
    let (a, b) = match (thread(0) == thread(1), thread(0) == thread(2)) {
        (true, _) => (0, 1),
        (_, true) => (0, 2),
        _ => (1, 2),
    };
    let mut all: Vec<_> = all
        .into_iter()
        .map(|(peer, conn, _)| (peer, conn))
        .collect();
    let second = all.remove(b);
    let first = all.remove(a);
    [first, second]
}

/// A large message as a client would send it.
fn deflated(data: &[u8]) -> Vec<u8> {
    let params = DeflateParams::default();
    let mut out = Vec::new();
    Deflater::new(&params, Role::Client, 0, CompressorOptions::default())
        .compress(data, true, &mut out);
    compressed(true, Opcode::Binary, &out, Some([1, 2, 3, 4]))
}

fn inflated(inflater: &mut Inflater, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    inflater.inflate(data, &mut out, usize::MAX).unwrap();
    inflater.finish(&mut out, usize::MAX).unwrap();
    out
}

#[test]
fn what_is_sent_behind_a_large_message_stays_behind_it() {
    let mut host = Host::new();
    let address = listen(&mut host, None, 0);
    let (mut peer, conn, extensions) = upgraded(&mut host, address);
    assert_eq!(extensions, "permessage-deflate");
    let mut rng = Rng::new(4);
    let messages = [
        json(&mut rng, 3 << 20),
        json(&mut rng, 200),
        json(&mut rng, 1 << 20),
    ];
    for message in &messages {
        host.send(conn, ACKED, message);
    }
    host.command(conn, |batch| Command::Ping {
        conn,
        flags: SERVER,
        range: batch.append(b"behind"),
        key: 0,
    });
    host.close(conn, SERVER, 1000);

    let mut inflater = Inflater::new(true, 15);
    for message in &messages {
        let (rsv1, opcode, payload) = peer.recv_frame(true);
        assert_eq!((rsv1, opcode), (true, Opcode::Binary));
        assert!(inflated(&mut inflater, &payload) == *message);
    }
    assert_eq!(peer.recv(), (Opcode::Ping, b"behind".to_vec()));
    assert_eq!(peer.recv(), (Opcode::Close, vec![3, 232]));
    host.written(conn, 3);
}

#[test]
fn others_are_written_to_while_a_large_message_is_compressed() {
    let mut host = Host::new();
    let address = listen(&mut host, None, 0);
    let [(mut large, a), (mut small, b)] = neighbours(&mut host, address);
    host.send(a, DEFLATED, &json(&mut Rng::new(5), 24 << 20));
    host.send(b, DEFLATED, b"a turn");
    let (_, _, payload) = small.recv_frame(true);
    assert_eq!(inflated(&mut Inflater::new(true, 15), &payload), b"a turn");
    assert!(is_silent(&mut large));
    assert_eq!(large.recv_frame(true).1, Opcode::Binary);
}

/// Nothing has come so far.
fn is_silent(peer: &mut Peer) -> bool {
    peer.stream.set_nonblocking(true).unwrap();
    let early = peer.stream.read(&mut [0; 1]).map_err(|e| e.kind());
    peer.stream.set_nonblocking(false).unwrap();
    early == Err(ErrorKind::WouldBlock)
}

#[test]
fn large_messages_do_not_wait_for_much_larger_ones() {
    let mut host = Host::new();
    let address = listen(&mut host, None, 0);
    let [(mut large, a), (mut small, b)] = neighbours(&mut host, address);
    let texts = [24 << 20, 100 << 10].map(|len| json(&mut Rng::new(10), len));
    host.send(a, DEFLATED, &texts[0]);
    host.send(b, DEFLATED, &texts[1]);
    let (_, _, payload) = small.recv_frame(true);
    assert!(is_silent(&mut large));
    assert!(inflated(&mut Inflater::new(true, 15), &payload) == texts[1]);
    let (_, _, payload) = large.recv_frame(true);
    assert!(inflated(&mut Inflater::new(true, 15), &payload) == texts[0]);
}

#[test]
fn a_large_fragment_is_compressed_in_turns_as_the_first_one_decided() {
    let mut host = Host::new();
    let address = listen(&mut host, None, 0);
    let [(mut large, a), (mut small, b)] = neighbours(&mut host, address);
    let text = json(&mut Rng::new(11), 24 << 20);
    let begins = SendFlags(SendFlags::BINARY | SendFlags::COMPRESS);
    host.send(a, begins, b"fragments");
    let (header, first) = large.recv_part(false, true);
    assert!(header.rsv1 && !header.fin);
    // without COMPRESS, which counts on the first fragment only
    host.send(a, SERVER, &text);
    host.send(b, DEFLATED, b"a turn");
    let (_, _, payload) = small.recv_frame(true);
    assert!(is_silent(&mut large));
    assert_eq!(inflated(&mut Inflater::new(true, 15), &payload), b"a turn");
    let (header, second) = large.recv_part(true, true);
    assert!(header.fin && !header.rsv1);
    let both = inflated(&mut Inflater::new(true, 15), &[first, second].concat());
    assert!(both.starts_with(b"fragments") && both.ends_with(&text));
}

#[test]
fn what_is_compressed_is_not_settled() {
    let mut host = Host::new();
    let address = listen(&mut host, None, 0);
    let (mut peer, conn, _) = upgraded(&mut host, address);
    let text = json(&mut Rng::new(12), 300 << 10);
    host.send(conn, DEFLATED, &text);
    host.send(conn, DEFLATED, &text);
    until("all is settled", || host.env.all_settled());
    assert!(!is_silent(&mut peer));
    host.send(conn, DEFLATED, &json(&mut Rng::new(13), 24 << 20));
    host.terminate(conn);
    host.closed(conn);
    until("what was given up is settled", || host.env.all_settled());
}

#[test]
fn others_are_heard_while_a_large_message_is_inflated() {
    let mut host = Host::new();
    let address = listen(&mut host, None, 0);
    let [(mut large, a), (mut small, b)] = neighbours(&mut host, address);
    let bomb = deflated(&vec![0; 512 << 20]);
    large.write(&bomb);
    small.write(&deflated(b"a turn"));
    let first = host.next("a message", |seen| match seen {
        Seen::Message { conn, data, .. } => Some((*conn, std::mem::take(data))),
        _ => None,
    });
    assert_eq!(first, (b, b"a turn".to_vec()));
    assert_eq!(host.message(a).len(), 512 << 20);
}

#[test]
fn many_middling_messages_of_one_batch_keep_their_order() {
    let mut host = Host::new();
    let address = listen(&mut host, None, 0);
    let mut pair = neighbours(&mut host, address);
    let mut rng = Rng::new(8);
    let messages: Vec<_> = (0..40)
        .map(|i| json(&mut rng, if i % 3 == 0 { 65_535 } else { 20 << 10 }))
        .collect();
    host.submit(conn_thread(pair[0].1), |batch| {
        for message in &messages {
            for (_, conn) in &pair {
                let range = batch.append(message);
                batch.commands.push(Command::Send {
                    conn: *conn,
                    flags: ACKED,
                    range,
                    key: 0,
                });
            }
        }
    });
    for (peer, conn) in &mut pair {
        let mut inflater = Inflater::new(true, 15);
        for message in &messages {
            let (_, _, payload) = peer.recv_frame(true);
            assert!(inflated(&mut inflater, &payload) == *message);
        }
        host.written(*conn, 40);
    }
}

#[test]
fn a_large_message_in_many_fragments_is_inflated_in_turns_too() {
    let mut host = Host::new();
    let address = listen(&mut host, None, 0);
    let [(mut large, a), (mut small, b)] = neighbours(&mut host, address);
    let params = DeflateParams::default();
    let mut deflater = Deflater::new(&params, Role::Client, 0, CompressorOptions::default());
    let (count, zeros) = (400, vec![0; 200 << 10]);
    let mut message = Vec::new();
    for i in 0..count {
        let mut out = Vec::new();
        let fin = i == count - 1;
        deflater.compress(&zeros, fin, &mut out);
        let mask = Some([1, 2, 3, 4]);
        message.extend(match i {
            0 => compressed(fin, Opcode::Binary, &out, mask),
            _ => frame(fin, Opcode::Continuation, &out, mask),
        });
    }
    large.write(&message);
    small.write(&deflated(b"a turn"));
    let first = host.next("a message", |seen| match seen {
        Seen::Message { conn, data, .. } => Some((*conn, std::mem::take(data))),
        _ => None,
    });
    assert_eq!(first, (b, b"a turn".to_vec()));
    assert_eq!(host.message(a).len(), count * zeros.len());
}

#[test]
fn automatic_pongs_do_not_wait_behind_a_large_message() {
    let mut host = Host::new();
    let address = listen(&mut host, None, 0);
    let (mut peer, conn, _) = upgraded(&mut host, address);
    host.send(conn, DEFLATED, &json(&mut Rng::new(9), 8 << 20));
    host.command(conn, |batch| Command::Pong {
        conn,
        flags: SendFlags(SERVER.0 | SendFlags::AUTO),
        range: batch.append(b"at once"),
        key: 0,
    });
    assert_eq!(peer.recv(), (Opcode::Pong, b"at once".to_vec()));
    assert_eq!(peer.recv_frame(true).1, Opcode::Binary);
}

#[test]
fn a_large_message_may_be_given_up() {
    struct Lent(Vec<u8>, Arc<AtomicBool>);
    impl AsRef<[u8]> for Lent {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Lent {
        fn drop(&mut self) {
            self.1.store(true, Ordering::SeqCst);
        }
    }
    let mut host = Host::new();
    let address = listen(&mut host, None, 0);
    let (mut peer, conn, _) = upgraded(&mut host, address);
    let released = Arc::new(AtomicBool::new(false));
    let data = json(&mut Rng::new(6), 24 << 20);
    let bytes = Box::new(Bytes::from_owner(Lent(data, released.clone())));
    host.command(conn, |_| Command::SendShared {
        conn,
        flags: ACKED,
        bytes,
        key: 0,
    });
    host.send(conn, ACKED, b"behind");
    host.terminate(conn);
    host.closed(conn);
    until("the memory is free", || released.load(Ordering::SeqCst));
    peer.drain();
}

/// How many hold a compressor.
fn held(host: &Host, peers: &[(Peer, u32, String)]) -> usize {
    let links = peers.iter().filter_map(|(_, conn, _)| host.env.link(*conn));
    links
        .filter(|link| link.lock().proto.compressor_held() > 0)
        .count()
}

#[test]
fn fragments_without_takeover_hold_no_more_compressors_than_others() {
    let mut host = Host::new();
    let address = listen(&mut host, Some(0), 0);
    let mut peers: Vec<_> = (0..8).map(|_| upgraded(&mut host, address)).collect();
    let text = json(&mut Rng::new(14), 2000);
    let begins = SendFlags(SendFlags::BINARY | SendFlags::COMPRESS);
    for flags in [DEFLATED, begins] {
        for (peer, conn, _) in &mut peers {
            host.send(*conn, flags, &text);
            assert!(peer.recv_part(false, true).0.rsv1);
        }
    }
    // two on each of two threads
    let count = held(&host, &peers);
    assert!(0 < count && count <= 4, "{count}");
    until("idle ones are gone", || held(&host, &peers) == 0);
}

#[test]
fn few_compressors_are_held_and_none_for_long() {
    let mut host = Host::new();
    let address = listen(&mut host, None, 0);
    let mut peers: Vec<_> = (0..8).map(|_| upgraded(&mut host, address)).collect();
    let text = json(&mut Rng::new(7), 500);
    let mut lengths = Vec::new();
    for round in 0..2 {
        for (peer, conn, _) in &mut peers {
            host.send(*conn, DEFLATED, &text);
            let (rsv1, _, payload) = peer.recv_frame(true);
            assert!(rsv1);
            lengths.push(payload.len());
        }
        // two on each of two threads
        assert!(held(&host, &peers) <= 4, "round {round}");
    }
    until("idle ones are gone", || held(&host, &peers) == 0);

    let (first, second) = lengths.split_at(8);
    for (len, again) in first.iter().zip(second) {
        assert!(*again < len / 4, "the history is of use: {lengths:?}");
    }
}

#[test]
fn beyond_the_budget_there_is_no_takeover() {
    const NONE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let mut host = Host::new();
    // of two, but not of three
    let address = listen(&mut host, Some(150_000), 0);
    let agreed = |host: &mut Host| upgraded(host, address);
    let (first, id, extensions) = agreed(&mut host);
    assert_eq!(extensions, "permessage-deflate");
    let second = agreed(&mut host);
    assert_eq!(second.2, "permessage-deflate");
    let third = agreed(&mut host);
    assert_eq!(third.2, NONE);
    drop(first);
    host.end(id);
    host.closed(id);
    assert_eq!(agreed(&mut host).2, "permessage-deflate");
}
