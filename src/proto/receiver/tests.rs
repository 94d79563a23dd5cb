use super::*;
use crate::proto::testing::*;

pub(super) const SERVER: ReceiverConfig = ReceiverConfig {
    role: Role::Server,
    max_payload: 0,
    max_frame_size: 0,
    max_fragments: 0,
    skip_utf8_validation: false,
};

pub(super) fn join(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.concat()
}

pub(super) fn error_of(config: &ReceiverConfig, bytes: &[u8]) -> ProtocolError {
    match receive_whole(config, bytes).last() {
        Some(Seen::Error(error)) => error.clone(),
        other => panic!("no error but {other:?}"),
    }
}

/// Streams that exercise every state, with what comes out of them.
fn conversations() -> Vec<(Vec<u8>, Vec<Seen>)> {
    use Opcode::*;
    vec![
        (masked(true, Text, b"Hello"), vec![text("Hello")]),
        (masked(true, Binary, b""), vec![Seen::Binary(vec![])]),
        (
            masked(true, Binary, &[7; 126]),
            vec![Seen::Binary(vec![7; 126])],
        ),
        (
            masked(true, Text, "€".repeat(100).as_bytes()),
            vec![text(&"€".repeat(100))],
        ),
        (
            join(&[
                masked(false, Text, "gr\u{fc}".as_bytes()),
                masked(true, Ping, b"p1"),
                masked(false, Continuation, b""),
                masked(true, Pong, b""),
                masked(true, Continuation, "\u{df}e".as_bytes()),
                masked(true, Binary, &[0, 255]),
                masked(true, Close, b"\x03\xe8bye"),
                masked(true, Text, b"after"),
            ]),
            vec![
                Seen::Ping(b"p1".to_vec()),
                Seen::Pong(vec![]),
                text("gr\u{fc}\u{df}e"),
                Seen::Binary(vec![0, 255]),
                Seen::Close(Some(1000), b"bye".to_vec()),
            ],
        ),
        (
            // A character cut by the fragments, and an empty start and end.
            join(&[
                masked(false, Text, b""),
                masked(false, Continuation, b"\xf0\x9f"),
                masked(false, Continuation, b"\xa6"),
                masked(false, Continuation, b"\x80"),
                masked(true, Continuation, b""),
                masked(true, Close, b""),
            ]),
            vec![text("\u{1f980}"), Seen::Close(None, vec![])],
        ),
        (
            join(&[
                masked(true, Text, b"before"),
                vec![0x83, 0x80],
                masked(true, Text, b"after"),
            ]),
            vec![text("before"), Seen::Error(ProtocolError::InvalidOpcode(3))],
        ),
        (
            join(&[
                masked(false, Text, b"ok\xed"),
                masked(true, Continuation, b"\xa0\x80"),
            ]),
            vec![Seen::Error(ProtocolError::InvalidUtf8)],
        ),
        (
            masked(true, Close, b"\x03\xe8\xff"),
            vec![Seen::Error(ProtocolError::InvalidUtf8)],
        ),
        (
            join(&[
                masked(true, Ping, &[9; 125]),
                masked(true, Close, b"\x03\xee"),
            ]),
            vec![
                Seen::Ping(vec![9; 125]),
                Seen::Error(ProtocolError::InvalidCloseCode(1006)),
            ],
        ),
    ]
}

#[test]
fn conversations_give_the_same_events_however_they_are_cut() {
    let mut rng = Rng::new(1);
    for (bytes, expected) in conversations() {
        assert_eq!(receive_whole(&SERVER, &bytes), expected);
        for size in 1..bytes.len() {
            assert_eq!(
                receive_in_pieces(&SERVER, &bytes, || size),
                expected,
                "pieces of {size}"
            );
            let mut first = Some(size);
            let cut = || first.take().unwrap_or(usize::MAX);
            assert_eq!(
                receive_in_pieces(&SERVER, &bytes, cut),
                expected,
                "cut at {size}"
            );
        }
        for _ in 0..50 {
            let random = || 1 + rng.below(9);
            assert_eq!(receive_in_pieces(&SERVER, &bytes, random), expected);
        }
    }
}

#[test]
fn a_client_takes_the_frames_of_a_server() {
    let bytes = join(&[
        unmasked(true, Opcode::Text, b"hi"),
        unmasked(true, Opcode::Binary, &[1; 70_000]),
        unmasked(true, Opcode::Close, b"\x03\xe9"),
    ]);
    let expected = vec![
        text("hi"),
        Seen::Binary(vec![1; 70_000]),
        Seen::Close(Some(1001), vec![]),
    ];
    assert_eq!(receive_whole(&config(Role::Client), &bytes), expected);
    assert_eq!(
        receive_in_pieces(&config(Role::Client), &bytes, || 1000),
        expected
    );
}

#[test]
fn a_message_whole_in_the_input_is_borrowed_and_nothing_is_held() {
    let mut bytes = masked(true, Opcode::Text, b"borrowed");
    let range = bytes.as_ptr_range();
    let mut receiver = Receiver::new(SERVER);
    let mut input = &mut bytes[..];
    match receiver.receive(&mut input) {
        Ok(Some(Event::Message {
            binary: false,
            data: Payload::Borrowed(data),
            fragments: None,
        })) => {
            assert_eq!(data, b"borrowed");
            assert!(range.contains(&data.as_ptr()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(receiver.buffered(), 0);
    assert!(size_of::<Receiver>() <= 160, "{}", size_of::<Receiver>());
}

#[test]
fn every_violation_has_its_error() {
    use ProtocolError::*;
    let long_length = [&[0x82, 0xff][..], &(1_u64 << 53).to_be_bytes()].concat();
    let table: Vec<(Vec<u8>, ProtocolError)> = vec![
        (vec![0x09, 0x80], ExpectedFin),
        (vec![0x81, 0x00], ExpectedMask),
        (vec![0x80, 0x80], InvalidOpcode(0)),
        (
            join(&[masked(false, Opcode::Text, b"a"), vec![0x81, 0x80]]),
            InvalidOpcode(1),
        ),
        (
            join(&[masked(false, Opcode::Binary, b""), vec![0x82, 0x80]]),
            InvalidOpcode(2),
        ),
        (vec![0xc1, 0x80], UnexpectedRsv1),
        (
            join(&[masked(false, Opcode::Text, b"a"), vec![0xc0, 0x80]]),
            UnexpectedRsv1,
        ),
        (vec![0xa1, 0x80], UnexpectedRsv23),
        (vec![0x89, 0xfe], InvalidControlPayloadLength(126)),
        (vec![0x88, 0x81], InvalidControlPayloadLength(1)),
        (
            masked(true, Opcode::Close, &999_u16.to_be_bytes()),
            InvalidCloseCode(999),
        ),
        (masked(true, Opcode::Text, b"\xff"), InvalidUtf8),
        (masked(true, Opcode::Text, b"\xe2\x82"), InvalidUtf8),
        (long_length, UnsupportedDataPayloadLength),
    ];
    for (bytes, error) in table {
        assert_eq!(error_of(&SERVER, &bytes), error);
        let pieces = receive_in_pieces(&SERVER, &bytes, || 1);
        assert_eq!(pieces.last(), Some(&Seen::Error(error)));
    }
    assert_eq!(
        error_of(&config(Role::Client), &[0x81, 0x80]),
        UnexpectedMask
    );
}

#[test]
fn after_an_error_or_a_close_frame_all_input_is_swallowed() {
    for stop in [vec![0xf0, 0x80], masked(true, Opcode::Close, b"")] {
        let mut receiver = Receiver::new(SERVER);
        let mut seen = Vec::new();
        feed(&mut receiver, &stop, &mut seen);
        assert_eq!(seen.len(), 1);
        feed(&mut receiver, &[0xff; 1000], &mut seen);
        feed(
            &mut receiver,
            &masked(true, Opcode::Text, b"late"),
            &mut seen,
        );
        assert_eq!(seen.len(), 1);
        assert!(receiver.payload_room().is_none());
        assert_eq!(receiver.buffered(), 0);
    }
}

#[test]
fn invalid_text_is_refused_in_the_middle_of_a_frame() {
    let bytes = masked(
        true,
        Opcode::Text,
        b"some text \xed\xa0 and much more that never comes",
    );
    let header = 6;
    let mut receiver = Receiver::new(SERVER);
    let mut seen = Vec::new();
    feed(&mut receiver, &bytes[..header + 11], &mut seen);
    assert_eq!(seen, [], "a surrogate's first byte may still be good");
    feed(&mut receiver, &bytes[header + 11..header + 12], &mut seen);
    assert_eq!(seen, [Seen::Error(ProtocolError::InvalidUtf8)]);
}

#[test]
fn without_validation_text_and_reasons_pass_as_they_are() {
    let config = ReceiverConfig {
        skip_utf8_validation: true,
        ..SERVER
    };
    let bytes = join(&[
        masked(true, Opcode::Text, b"\xff"),
        masked(false, Opcode::Text, b"\xc3"),
        masked(true, Opcode::Continuation, b"\xc3"),
        masked(true, Opcode::Close, b"\x03\xe8\xff"),
    ]);
    let expected = vec![
        Seen::Text(vec![0xff]),
        Seen::Text(vec![0xc3, 0xc3]),
        Seen::Close(Some(1000), vec![0xff]),
    ];
    assert_eq!(receive_whole(&config, &bytes), expected);
    assert_eq!(receive_in_pieces(&config, &bytes, || 1), expected);
}

#[test]
fn the_room_gives_the_same_messages_as_the_input() {
    let long_text = "na\u{ef}ve \u{1f980} ".repeat(9000);
    let (head, tail) = long_text.as_bytes().split_at(40_003);
    let bytes = join(&[
        masked(
            true,
            Opcode::Binary,
            &(0..200_000).map(|i| i as u8).collect::<Vec<_>>(),
        ),
        masked(true, Opcode::Ping, b"between"),
        masked(true, Opcode::Text, long_text.as_bytes()),
        masked(false, Opcode::Text, head),
        masked(true, Opcode::Pong, b"within"),
        masked(true, Opcode::Continuation, tail),
        masked(true, Opcode::Close, b"\x03\xe8"),
    ]);
    let expected = receive_whole(&SERVER, &bytes);
    assert_eq!(expected.len(), 6);
    let mut rng = Rng::new(2);
    for most in [1, 100, 5000, 70_000, 300_000] {
        let random = || 1 + rng.below(most);
        assert_eq!(receive_through_room(&SERVER, &bytes, random), expected);
    }
    let bad = [&vec![b'x'; 50_000][..], b"\xff", &vec![b'x'; 50_000]].concat();
    let bad = masked(true, Opcode::Text, &bad);
    assert_eq!(
        receive_through_room(&SERVER, &bad[..60_000], || 7000),
        [Seen::Error(ProtocolError::InvalidUtf8)]
    );
}

#[test]
fn the_room_is_offered_for_large_data_only() {
    let mut receiver = Receiver::new(SERVER);
    let mut seen = Vec::new();
    assert!(receiver.payload_room().is_none());
    let frame = masked(true, Opcode::Binary, &[3; DIRECT_MIN + 10]);
    feed(&mut receiver, &frame[..8], &mut seen);
    assert!(receiver.payload_room().is_some());
    feed(&mut receiver, &frame[8..8 + 10], &mut seen);
    assert_eq!(
        receiver.payload_room().map(|room| room.len()),
        Some(DIRECT_MIN)
    );
    feed(&mut receiver, &frame[18..19], &mut seen);
    assert!(receiver.payload_room().is_none(), "the rest is short");
    feed(&mut receiver, &frame[19..], &mut seen);
    assert_eq!(seen, [Seen::Binary(vec![3; DIRECT_MIN + 10])]);
}

#[test]
fn mutated_streams_never_panic_and_do_not_depend_on_the_cuts() {
    let seeds: Vec<Vec<u8>> = conversations()
        .into_iter()
        .map(|(bytes, _)| bytes)
        .collect();
    let limited = ReceiverConfig {
        max_payload: 1 << 20,
        max_fragments: 100,
        ..SERVER
    };
    let mut rng = Rng::new(3);
    for _ in 0..20_000 {
        let mut bytes = seeds[rng.below(seeds.len())].clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len());
            match rng.below(4) {
                0 => bytes[at] ^= 1 << rng.below(8),
                1 => bytes[at] = rng.next() as u8,
                2 => bytes.insert(at, rng.next() as u8),
                _ if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => {}
            }
        }
        let whole = receive_whole(&limited, &bytes);
        let errors = whole
            .iter()
            .filter(|seen| matches!(seen, Seen::Error(_)))
            .count();
        assert!(errors == 0 || (errors == 1 && matches!(whole.last(), Some(Seen::Error(_)))));
        let pieces = receive_in_pieces(&limited, &bytes, || 1 + rng.below(20));
        assert_eq!(pieces, whole, "{bytes:x?}");
    }
}
