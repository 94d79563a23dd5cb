//! Connections whose handshake others have done: on a descriptor of theirs, or relayed by them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use super::events::Seen;
use super::host::{CLIENT, Host, SERVER, options};
use crate::driver::adopt::{Adoption, Source};
use crate::driver::command::{Command, SendFlags};
use crate::proto::Role;
use crate::proto::frame::Opcode;
use crate::proto::testing::{masked, unmasked};
use crate::transport::relay::{CONSUMED_STEP, WINDOW};

fn adopt(host: &Host, source: Source, role: Role, response: &[u8], head: &[u8]) -> u32 {
    let conn = host.env.allocate(1).expect("a free id");
    let adoption = Box::new(Adoption {
        source,
        role,
        options: options(),
        response: response.to_vec(),
        head: head.to_vec(),
        agreed: None,
    });
    host.command(conn, |_| Command::Adopt { conn, adoption });
    conn
}

fn relay(host: &Host) -> u32 {
    adopt(host, Source::Relay, Role::Server, b"", b"")
}

fn feed(host: &Host, conn: u32, bytes: &[u8]) {
    host.command(conn, |b| {
        let range = b.append(bytes);
        Command::Feed { conn, range }
    });
}

fn feed_end(host: &Host, conn: u32, gone: bool) {
    host.command(conn, |_| Command::FeedEnd { conn, gone });
}

/// At least `len` bytes of output.
fn output(host: &mut Host, of: u32, len: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < len {
        all.extend(host.next("output", |seen| match seen {
            Seen::Output { conn, data } if *conn == of => Some(std::mem::take(data)),
            _ => None,
        }));
    }
    all
}

fn output_end(host: &mut Host, of: u32) {
    host.next("the end of the output", |seen| {
        matches!(seen, Seen::OutputEnd { conn } if *conn == of).then_some(())
    });
}

fn socket_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, peer)
}

#[test]
fn an_adopted_socket_is_upgraded_and_its_early_bytes_come_first() {
    let mut host = Host::new();
    let (owned, mut peer) = socket_pair();
    // SAFETY: `owned` is open.
    let source = unsafe { Source::duplicate(owned.as_raw_fd()) }.unwrap();
    let first = masked(true, Opcode::Text, b"early");
    let second = masked(true, Opcode::Text, b"in the kernel");
    peer.write_all(&second).unwrap();
    let conn = adopt(&host, source, Role::Server, b"HTTP/1.1 101\r\n\r\n", &first);
    assert_eq!(host.message(conn), b"early");
    assert_eq!(host.message(conn), b"in the kernel");
    host.send(conn, SERVER, b"hi");
    let mut answer = [0; 16 + 4];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101\r\n\r\n\x82\x02hi");
    drop(peer);
    host.closed(conn);
    // what we were given is its owner's still
    assert!(owned.peer_addr().is_ok() || owned.local_addr().is_ok());
}

#[test]
fn what_was_sent_goes_out_before_a_terminate_in_the_same_batch() {
    let host = Host::new();
    let (owned, mut peer) = socket_pair();
    // SAFETY: `owned` is open.
    let source = unsafe { Source::duplicate(owned.as_raw_fd()) }.unwrap();
    drop(owned);
    let conn = host.env.allocate(1).expect("a free id");
    let adoption = Box::new(Adoption {
        source,
        role: Role::Server,
        options: options(),
        response: b"HTTP/1.1 101\r\n\r\n".to_vec(),
        head: Vec::new(),
        agreed: None,
    });
    host.submit(1, |b| {
        let range = b.append(b"bye");
        b.commands.push(Command::Adopt { conn, adoption });
        b.commands.push(Command::Send {
            conn,
            flags: SERVER,
            range,
            key: 0,
        });
        b.commands.push(Command::Terminate { conn });
    });
    let mut all = Vec::new();
    peer.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"HTTP/1.1 101\r\n\r\n\x82\x03bye");
}

#[test]
fn what_is_no_stream_socket_is_not_adopted() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for fd in [-1, file.as_raw_fd(), udp.as_raw_fd()] {
        // SAFETY: open, or refused.
        assert!(unsafe { Source::duplicate(fd) }.is_err(), "{fd}");
    }
}

#[test]
fn a_client_is_adopted_too() {
    let mut host = Host::new();
    let (owned, mut peer) = socket_pair();
    // SAFETY: `owned` is open.
    let source = unsafe { Source::duplicate(owned.as_raw_fd()) }.unwrap();
    let conn = adopt(&host, source, Role::Client, b"", b"");
    peer.write_all(&unmasked(true, Opcode::Text, b"from a server"))
        .unwrap();
    assert_eq!(host.message(conn), b"from a server");
    host.send(conn, CLIENT, b"");
    let mut frame = [0; 6];
    peer.read_exact(&mut frame).unwrap();
    assert_eq!(frame[..2], [0x82, 0x80]);
    host.terminate(conn);
    host.closed(conn);
}

#[test]
fn a_relayed_conversation() {
    let mut host = Host::new();
    let conn = relay(&host);
    let message = masked(true, Opcode::Text, b"relayed");
    feed(&host, conn, &message[..3]);
    feed(&host, conn, &message[3..]);
    assert_eq!(host.message(conn), b"relayed");
    host.send(conn, SERVER, b"answer");
    assert_eq!(output(&mut host, conn, 8), b"\x82\x06answer");
    feed(&host, conn, &masked(true, Opcode::Close, b"\x03\xe8"));
    assert_eq!(host.close_frame(conn), Some(1000));
    host.close(conn, SERVER, 1000);
    assert_eq!(output(&mut host, conn, 4), b"\x88\x02\x03\xe8");
    output_end(&mut host, conn);
    feed_end(&host, conn, false);
    host.rest();
    assert_eq!(
        host.about(conn),
        0,
        "open until the output is known to have ended"
    );
    host.command(conn, |_| Command::Ended { conn });
    host.closed(conn);
}

#[test]
fn output_waits_for_confirmation_and_so_do_callbacks() {
    let mut host = Host::new();
    let conn = relay(&host);
    let big = vec![7; WINDOW];
    host.send(conn, SendFlags(SERVER.0 | SendFlags::ACK), &big);
    let header = 10;
    assert_eq!(output(&mut host, conn, WINDOW).len(), WINDOW);
    host.rest();
    assert_eq!(
        host.about(conn),
        0,
        "the window is full, and nothing is written"
    );
    let bytes = WINDOW as u32;
    host.command(conn, |_| Command::Confirm { conn, bytes });
    assert_eq!(output(&mut host, conn, header).len(), header);
    host.rest();
    assert_eq!(host.about(conn), 0);
    let bytes = header as u32;
    host.command(conn, |_| Command::Confirm { conn, bytes });
    host.written(conn, 1);
}

#[test]
fn consumption_is_reported() {
    let mut host = Host::new();
    let conn = relay(&host);
    host.pause(conn, true);
    let message = masked(true, Opcode::Binary, &vec![1; CONSUMED_STEP]);
    feed(&host, conn, &message);
    host.rest();
    assert_eq!(host.about(conn), 0);
    host.pause(conn, false);
    assert_eq!(host.message(conn).len(), CONSUMED_STEP);
    let bytes = host.next("a report", |seen| match seen {
        Seen::Consumed { conn: of, bytes } if *of == conn => Some(*bytes),
        _ => None,
    });
    assert!((CONSUMED_STEP..=message.len()).contains(&bytes), "{bytes}");
}

#[test]
fn what_was_fed_is_delivered_when_the_stream_is_gone_even_paused() {
    let mut host = Host::new();
    let conn = relay(&host);
    host.pause(conn, true);
    feed(&host, conn, &masked(true, Opcode::Text, b"last words"));
    feed_end(&host, conn, true);
    assert_eq!(host.message(conn), b"last words");
    host.closed(conn);
}

#[test]
fn a_stream_that_is_gone_is_not_waited_for() {
    let mut host = Host::new();
    let conn = relay(&host);
    host.send(conn, SERVER, b"never written");
    output(&mut host, conn, 2 + 13);
    feed_end(&host, conn, false);
    output_end(&mut host, conn);
    feed_end(&host, conn, true);
    host.closed(conn);
}

#[test]
fn the_ends_of_fragments_come_before_their_message() {
    let mut host = Host::new();
    let conn = relay(&host);
    let frames = [
        masked(false, Opcode::Binary, b"ab"),
        masked(true, Opcode::Continuation, b"c"),
    ];
    feed(&host, conn, &frames.concat());
    let ends = host.next("fragments", |seen| match seen {
        Seen::Fragments { conn: of, ends } if *of == conn => Some(std::mem::take(ends)),
        _ => None,
    });
    assert_eq!(ends, [2, 3]);
    assert_eq!(host.message(conn), b"abc");
}
