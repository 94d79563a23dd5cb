use std::io::IoSlice;

use super::*;
use crate::proto::close;
use crate::proto::testing::*;

/// A client and a server, back to back.
pub(super) struct Pair {
    pub client: Connection,
    pub server: Connection,
    pub now: Instant,
}

impl Pair {
    pub fn new() -> Self {
        let end = |role| Connection::new(ConnectionConfig::new(config(role)));
        Self {
            client: end(Role::Client),
            server: end(Role::Server),
            now: Instant::now(),
        }
    }

    /// What the server sees of what the client has queued, delivered in pieces of `size`.
    pub fn deliver_to_server(&mut self, size: usize) -> Vec<Seen> {
        deliver(&mut self.client, &mut self.server, size)
    }

    pub fn deliver_to_client(&mut self, size: usize) -> Vec<Seen> {
        deliver(&mut self.server, &mut self.client, size)
    }
}

pub(super) fn take_all(connection: &mut Connection) -> Vec<u8> {
    let queue = connection.transmit();
    let mut bytes = Vec::new();
    while !queue.is_empty() {
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = queue.io_slices(&mut slices);
        let before = bytes.len();
        slices[..filled]
            .iter()
            .for_each(|slice| bytes.extend_from_slice(slice));
        queue.advance(bytes.len() - before);
    }
    bytes
}

fn deliver(from: &mut Connection, to: &mut Connection, size: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    for piece in take_all(from).chunks_mut(size) {
        let mut input = piece;
        loop {
            match to.receive_data(&mut input) {
                Ok(Some(event)) => seen.push(event.into()),
                Ok(None) => break,
                Err(error) => seen.push(Seen::Error(error)),
            }
        }
    }
    seen
}

#[test]
fn messages_go_both_ways() {
    for size in [1, 2, 7, 1000, usize::MAX] {
        let mut pair = Pair::new();
        assert_eq!(
            pair.client
                .send_message(false, true, false, SendPayload::Copied(b"hi"), Some(KEY)),
            8
        );
        let big = Bytes::from(vec![4; 70_000]);
        let queued = pair.client.send_message(
            true,
            true,
            false,
            SendPayload::Shared(big.clone()),
            Some(KEY),
        );
        assert_eq!(queued, 14 + 70_000);
        assert_eq!(pair.client.transmit().len(), 8 + queued);
        assert_eq!(
            pair.deliver_to_server(size),
            [text("hi"), Seen::Binary(big.to_vec())]
        );
        assert!(
            big.iter().all(|&byte| byte == 4),
            "the caller's memory is never masked"
        );

        assert_eq!(
            pair.server
                .send_message(true, true, false, SendPayload::Shared(big.clone()), None),
            70_010
        );
        assert_eq!(
            pair.server
                .send_message(false, true, false, SendPayload::Copied(b""), None),
            2
        );
        let small = Bytes::from_static(b"small");
        assert_eq!(
            pair.server
                .send_message(false, true, false, SendPayload::Shared(small), None),
            7
        );
        assert_eq!(
            pair.deliver_to_client(size),
            [Seen::Binary(big.to_vec()), text(""), text("small")]
        );
    }
}

#[test]
fn fragments_are_joined_and_control_frames_pass_between_them() {
    for size in [1, 3, usize::MAX] {
        let mut pair = Pair::new();
        let client = &mut pair.client;
        client.send_message(false, false, false, SendPayload::Copied(b"one "), Some(KEY));
        client.send_ping(b"?", Some(KEY));
        client.send_message(true, false, false, SendPayload::Copied(b"two "), Some(KEY));
        client.send_pong(b"", Some(KEY));
        client.send_message(true, true, false, SendPayload::Copied(b"three"), Some(KEY));
        client.send_message(true, true, false, SendPayload::Copied(b"four"), Some(KEY));
        assert_eq!(
            pair.deliver_to_server(size),
            [
                Seen::Ping(b"?".to_vec()),
                Seen::Pong(vec![]),
                text("one two three"),
                Seen::Binary(b"four".to_vec())
            ]
        );
    }
}

#[test]
fn the_closing_handshake_ends_both_ways() {
    // The client starts, the server echoes.
    let mut pair = Pair::new();
    let now = pair.now;
    assert_eq!(
        pair.client.send_close(Some(1000), b"done", Some(KEY), now),
        12
    );
    assert!(pair.client.is_close_sent() && !pair.client.should_shutdown());
    assert_eq!(
        pair.deliver_to_server(1),
        [Seen::Close(Some(1000), b"done".to_vec())]
    );
    assert!(pair.server.is_close_received() && !pair.server.should_shutdown());
    assert_eq!(pair.server.send_close(Some(1000), b"", None, now), 4);
    assert!(
        !pair.server.should_shutdown(),
        "the echo is not written yet"
    );
    assert_eq!(pair.deliver_to_client(1), [Seen::Close(Some(1000), vec![])]);
    assert!(pair.server.should_shutdown() && pair.client.should_shutdown());
    pair.server.set_shutdown_done();
    assert!(!pair.server.should_shutdown());
    pair.client.receive_eof();
    assert!(pair.client.is_eof());
}

#[test]
fn both_ends_may_close_at_once() {
    let mut pair = Pair::new();
    let now = pair.now;
    pair.server
        .send_message(false, true, false, SendPayload::Copied(b"last"), None);
    assert_eq!(pair.client.send_close(None, b"not sent", Some(KEY), now), 6);
    assert_eq!(pair.server.send_close(Some(1001), b"", None, now), 4);
    assert_eq!(pair.deliver_to_server(1), [Seen::Close(None, vec![])]);
    assert_eq!(
        pair.deliver_to_client(1),
        [text("last"), Seen::Close(Some(1001), vec![])]
    );
    assert!(pair.server.should_shutdown() && pair.client.should_shutdown());
}

#[test]
fn after_the_close_frame_nothing_is_sent_and_a_second_one_is_ignored() {
    let mut pair = Pair::new();
    let now = pair.now;
    pair.server
        .send_close(Some(close::GOING_AWAY), b"", None, now);
    assert_eq!(
        pair.server
            .send_message(false, true, false, SendPayload::Copied(b"x"), None),
        0
    );
    assert_eq!(pair.server.send_ping(b"", None), 0);
    assert_eq!(pair.server.send_pong(b"", None), 0);
    assert_eq!(pair.server.send_auto_pong(b"", None), Ok(0));
    assert_eq!(pair.server.send_close(Some(1000), b"", None, now), 0);
    assert_eq!(take_all(&mut pair.server), [0x88, 2, 0x03, 0xe9]);
    // While closing, what the peer had under way is still delivered.
    pair.client
        .send_message(false, true, false, SendPayload::Copied(b"late"), Some(KEY));
    assert_eq!(pair.deliver_to_server(usize::MAX), [text("late")]);
}

#[test]
fn a_violation_is_answered_and_the_rest_swallowed() {
    let mut pair = Pair::new();
    let now = pair.now;
    let mut bytes = [masked(true, Opcode::Text, b"ok"), vec![0x81, 0x01, b'x']].concat();
    let mut input = &mut bytes[..];
    assert!(matches!(
        pair.server.receive_data(&mut input),
        Ok(Some(Event::Message { .. }))
    ));
    let error = pair.server.receive_data(&mut input).unwrap_err();
    assert_eq!(error, ProtocolError::ExpectedMask);
    assert_eq!(pair.server.receive_data(&mut input), Ok(None));
    assert!(pair.server.is_failed() && !pair.server.should_shutdown());
    pair.server
        .send_close(Some(error.close_code()), b"", None, now);
    assert_eq!(
        pair.deliver_to_client(usize::MAX),
        [Seen::Close(Some(1002), vec![])]
    );
    assert!(pair.server.should_shutdown());
    pair.client.send_close(Some(1002), b"", Some(KEY), now);
    assert_eq!(pair.deliver_to_server(usize::MAX), []);
    assert!(!pair.server.is_close_received());
}

#[test]
fn the_end_of_input_shuts_down_once_all_is_written() {
    let mut pair = Pair::new();
    pair.server
        .send_message(false, true, false, SendPayload::Copied(b"x"), None);
    pair.server.receive_eof();
    pair.server.end();
    assert!(!pair.server.should_shutdown());
    take_all(&mut pair.server);
    assert!(pair.server.should_shutdown());
}

#[test]
fn the_close_timer_runs_from_the_first_close_frame() {
    let mut pair = Pair::new();
    let now = pair.now;
    let second = Duration::from_secs(1);
    assert_eq!(pair.client.poll_timeout(), None);
    assert!(!pair.client.handle_timeout(now + 100 * second));
    pair.client.send_close(Some(1000), b"", Some(KEY), now);
    assert_eq!(pair.client.poll_timeout(), Some(now + 30 * second));
    pair.client.arm_close_timer(now + 10 * second);
    pair.client
        .send_close(Some(1000), b"", Some(KEY), now + 10 * second);
    assert_eq!(pair.client.poll_timeout(), Some(now + 30 * second));
    assert!(!pair.client.handle_timeout(now + 29 * second));
    assert!(pair.client.handle_timeout(now + 30 * second));
    assert_eq!(pair.client.poll_timeout(), None, "it fires once");
    pair.server.close_timeout = Duration::MAX;
    pair.server.arm_close_timer(now);
    assert_eq!(pair.server.poll_timeout(), None);
}

#[test]
fn pongs_that_wait_to_be_written_are_limited() {
    let mut pair = Pair::new();
    for round in 0..3 {
        for _ in 0..60 {
            assert_eq!(pair.server.send_auto_pong(b"abc", None), Ok(5));
        }
        // Half a pong on the wire still counts; a whole one does not.
        pair.server.transmit().advance(4);
        assert_eq!(pair.server.pending_pongs.len(), 60);
        pair.server.transmit().advance(1);
        assert_eq!(pair.server.send_auto_pong(b"abc", None), Ok(5));
        assert_eq!(take_all(&mut pair.server).len(), 300, "round {round}");
    }
    for _ in 0..60 {
        pair.server.send_auto_pong(b"", None).unwrap();
    }
    let error = pair.server.send_auto_pong(b"", None).unwrap_err();
    assert_eq!(
        (error.clone(), error.close_code()),
        (ProtocolError::TooManyPendingPongs, 1008)
    );
    assert!(pair.server.is_failed());

    let mut unlimited = Pair::new().server;
    unlimited.max_pending_pongs = 0;
    for _ in 0..1000 {
        assert_eq!(unlimited.send_auto_pong(b"", None), Ok(2));
    }
}

#[test]
fn an_idle_connection_holds_no_memory_beyond_itself() {
    let connection = Pair::new().server;
    assert_eq!(connection.buffered(), 0);
    assert!(
        size_of::<Connection>() <= 384,
        "{}",
        size_of::<Connection>()
    );
}

#[test]
fn random_conversations_arrive_as_they_were_sent() {
    let mut rng = Rng::new(5);
    for _ in 0..200 {
        let mut pair = Pair::new();
        let mut expected = Vec::new();
        let mut message: Option<(bool, Vec<u8>)> = None;
        for _ in 0..rng.below(30) {
            let payload = vec![b'a' + rng.below(26) as u8; rng.below(300)];
            let key = Some((rng.next() as u32).to_ne_bytes());
            match rng.below(4) {
                0 => {
                    let data = &payload[..payload.len().min(125)];
                    pair.client.send_ping(data, key);
                    expected.push(Seen::Ping(data.to_vec()));
                }
                _ => {
                    let (binary, fin) = (rng.below(2) == 0, rng.below(2) == 0);
                    pair.client.send_message(
                        binary,
                        fin,
                        false,
                        SendPayload::Copied(&payload),
                        key,
                    );
                    let (binary, mut data) = message.take().unwrap_or((binary, Vec::new()));
                    data.extend_from_slice(&payload);
                    match fin {
                        false => message = Some((binary, data)),
                        true if binary => expected.push(Seen::Binary(data)),
                        true => expected.push(Seen::Text(data)),
                    }
                }
            }
        }
        assert_eq!(pair.deliver_to_server(1 + rng.below(400)), expected);
    }
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    // Debug builds assert on it; this is what a release build sends.
    assert_eq!(cut_reason(&[b'x'; 123]).len(), 123);
    if !cfg!(debug_assertions) {
        assert_eq!(cut_reason(&[b'x'; 200]).len(), 123);
        assert_eq!(cut_reason("\u{20ac}".repeat(60).as_bytes()).len(), 123);
        assert_eq!(cut_reason("\u{1f980}".repeat(60).as_bytes()).len(), 120);
    }
}
