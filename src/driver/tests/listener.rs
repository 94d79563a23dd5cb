//! Listening sockets: their end, and what they survive.

use std::time::Duration;

use super::events::Seen;
use super::host::{A_WHILE, Host, ListenOptions, PATIENCE, request};
use super::peer::Peer;
use crate::driver::notice::Notice;
use crate::proto::frame::Opcode;

fn ends(host: &Host) -> usize {
    let is_end = |s: &&Seen| {
        matches!(
            s,
            Seen::Notice {
                notice: Notice::ListenerClosed { .. },
                ..
            }
        )
    };
    host.seen.iter().filter(is_end).count()
}

#[test]
fn closes_without_connections() {
    let mut host = Host::new();
    let (listener, address) = host.listen(ListenOptions::default());
    host.close_listener(listener.id);
    host.close_listener(listener.id);
    assert_eq!(host.listener_closed(), listener.id);
    host.rest();
    assert_eq!(ends(&host), 0, "once");
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn waits_for_its_connections() {
    let mut host = Host::new();
    let (listener, address) = host.listen(ListenOptions::default());
    let mut peers: Vec<_> = (0..4).map(|_| Peer::upgraded(address)).collect();
    let conns: Vec<_> = (0..4).map(|_| host.accepted()).collect();
    host.close_listener(listener.id);
    host.rest();
    assert_eq!(ends(&host), 0);
    peers[2].send(Opcode::Text, b"alive");
    let found = host.next("a message", |seen| match seen {
        Seen::Message { data, .. } => Some(data.clone()),
        _ => None,
    });
    assert_eq!(found, b"alive");
    peers.truncate(1);
    host.rest();
    assert_eq!(ends(&host), 0);
    peers.clear();
    assert_eq!(host.listener_closed(), listener.id);
    for conn in conns {
        host.closed(conn);
    }
    host.rest();
    assert_eq!(ends(&host), 0, "once");
}

/// Connections that have not asked for anything do not hold it up, whichever thread they are on.
#[test]
fn does_not_wait_for_the_silent() {
    let mut host = Host::new();
    let (listener, address) = host.listen(ListenOptions::default());
    let silent: Vec<_> = (0..5).map(|_| Peer::connect(address)).collect();
    std::thread::sleep(A_WHILE);
    host.close_listener(listener.id);
    assert_eq!(host.listener_closed(), listener.id);
    drop(silent);
}

#[test]
fn a_request_that_is_under_way_is_not_taken_after_the_end() {
    let mut host = Host::new();
    let (listener, address) = host.listen(ListenOptions::default());
    let mut peer = Peer::connect(address);
    peer.write(b"GET /");
    std::thread::sleep(A_WHILE);
    host.close_listener(listener.id);
    host.rest();
    peer.write(&request("/")[5..]);
    assert!(peer.recv_head().starts_with("HTTP/1.1 503"));
    drop(peer);
    assert_eq!(host.listener_closed(), listener.id);
}

#[test]
fn two_on_different_ports() {
    let mut host = Host::new();
    let (first, one) = host.listen(ListenOptions::default());
    let (second, two) = host.listen(ListenOptions::default());
    let of = |host: &mut Host| {
        host.notice("a connection", |notice| match notice {
            Notice::Connection { listener, .. } => Some(*listener),
            _ => None,
        })
        .1
    };
    let _a = Peer::upgraded(two);
    assert_eq!(of(&mut host), second.id);
    let _b = Peer::upgraded(one);
    assert_eq!(of(&mut host), first.id);
    host.close_listener(first.id);
    let _c = Peer::upgraded(two);
    assert_eq!(of(&mut host), second.id);
}

/// In a process of its own, since the limit is the process's.
#[test]
#[cfg(target_os = "linux")]
fn survives_a_full_descriptor_table() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .arg("driver::tests::listener::full_descriptor_table")
        .output()
        .expect("the test binary starts");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && said.contains("1 passed"),
        "{child:?}"
    );
}

#[test]
#[ignore = "run by survives_a_full_descriptor_table"]
#[cfg(target_os = "linux")]
fn full_descriptor_table() {
    let mut host = Host::new();
    let (_, address) = host.listen(ListenOptions::default());
    let mut first = Peer::upgraded(address);
    let conn = host.accepted();
    // so that the other thread runs too
    let _second = Peer::upgraded(address);
    host.accepted();
    // a socket that is connected, but for which there will be no descriptor on our side
    let limit = libc::rlimit {
        rlim_cur: 64,
        rlim_max: 64,
    };
    // SAFETY: a plain system call with a valid pointer.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    let mut hoard = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    hoard.pop();
    let mut late = Peer::connect(address);
    late.write(&request("/"));
    let before = cpu_time();
    host.rest();
    std::thread::sleep(Duration::from_millis(500));
    host.drain();
    assert!(host.seen.is_empty(), "{:?}", host.seen);
    let spent = cpu_time() - before;
    assert!(spent < Duration::from_millis(250), "spins: {spent:?}");
    first.send(Opcode::Text, b"meanwhile");
    assert_eq!(host.message(conn), b"meanwhile");
    hoard.clear();
    let start = std::time::Instant::now();
    late.expect_101();
    assert!(start.elapsed() < PATIENCE / 10);
    host.accepted();
}

#[cfg(target_os = "linux")]
fn cpu_time() -> Duration {
    // SAFETY: all-zero is a valid value of the plain struct.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: a plain system call with a valid pointer.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let of = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    of(usage.ru_utime) + of(usage.ru_stime)
}
