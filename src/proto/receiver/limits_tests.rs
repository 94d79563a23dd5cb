//! What a peer may make a receiver hold, and what it may not.

use super::tests::{SERVER, error_of, join};
use super::*;
use crate::proto::testing::*;

#[test]
fn limits_hold_at_the_header() {
    let limited = ReceiverConfig {
        max_payload: 100,
        ..SERVER
    };
    let at_limit = masked(true, Opcode::Binary, &[1; 100]);
    assert_eq!(
        receive_whole(&limited, &at_limit),
        [Seen::Binary(vec![1; 100])]
    );
    // 101 bytes are announced in the first two: neither the key nor the payload is waited for.
    assert_eq!(
        error_of(&limited, &[0x82, 0x80 | 101]),
        ProtocolError::UnsupportedMessageLength
    );
    // The frames of one message add up, the control frames between them do not.
    let running = join(&[
        masked(false, Opcode::Binary, &[1; 60]),
        masked(true, Opcode::Ping, &[2; 120]),
        masked(false, Opcode::Continuation, &[1; 40]),
        masked(false, Opcode::Continuation, &[]),
        vec![0x80, 0x81],
    ]);
    assert_eq!(
        receive_whole(&limited, &running),
        [
            Seen::Ping(vec![2; 120]),
            Seen::Error(ProtocolError::UnsupportedMessageLength)
        ]
    );
    // The next message counts from zero.
    let two = join(&[
        masked(false, Opcode::Binary, &[1; 60]),
        masked(true, Opcode::Continuation, &[1; 40]),
        at_limit,
    ]);
    assert_eq!(receive_whole(&limited, &two).len(), 2);

    let frames = ReceiverConfig {
        max_frame_size: 10,
        ..SERVER
    };
    let pieces = join(&[
        masked(false, Opcode::Binary, &[1; 10]),
        masked(true, Opcode::Continuation, &[1; 10]),
        masked(true, Opcode::Ping, &[1; 11]),
    ]);
    assert_eq!(receive_whole(&frames, &pieces).len(), 2);
    assert_eq!(
        error_of(&frames, &[0x82, 0x80 | 11]),
        ProtocolError::UnsupportedMessageLength
    );
}

#[test]
fn fragments_are_counted_empty_ones_included() {
    let limited = ReceiverConfig {
        max_fragments: 3,
        ..SERVER
    };
    let first = masked(false, Opcode::Text, b"");
    let more = masked(false, Opcode::Continuation, b"");
    let last = masked(true, Opcode::Continuation, b"");
    let ping = masked(true, Opcode::Ping, b"");
    let three = join(&[
        first.clone(),
        ping.clone(),
        more.clone(),
        ping.clone(),
        last.clone(),
    ]);
    assert_eq!(receive_whole(&limited, &three).last(), Some(&text("")));
    assert_eq!(
        receive_whole(&limited, &[&three[..], &three].concat()).len(),
        6
    );
    let four = join(&[first, more.clone(), more, last]);
    assert_eq!(error_of(&limited, &four), ProtocolError::TooManyFragments);
}

#[test]
fn the_ends_of_fragments_are_known() {
    let ends_of = |frames: &[Vec<u8>], size: usize| {
        let mut receiver = Receiver::new(SERVER);
        for piece in join(frames).chunks_mut(size) {
            let mut input = &mut piece[..];
            while let Some(event) = receiver.receive(&mut input).unwrap() {
                if let Event::Message { fragments, .. } = event {
                    return fragments.map(|f| f.ends().to_vec());
                }
            }
        }
        panic!("no message");
    };
    let frame = |fin, first, len| {
        let opcode = if first {
            Opcode::Binary
        } else {
            Opcode::Continuation
        };
        masked(fin, opcode, &vec![1; len])
    };
    let three = [
        frame(false, true, 3),
        frame(false, false, 0),
        masked(true, Opcode::Ping, b"between"),
        frame(false, false, 1),
        frame(true, false, 70_000),
    ];
    let open = [frame(false, true, 2), frame(true, false, 0)];
    for size in [1, 5, 1000, 1 << 20] {
        assert_eq!(ends_of(&three, size), Some(vec![3, 4, 70_004]));
        assert_eq!(ends_of(&open, size), Some(vec![2]));
        assert_eq!(ends_of(&[frame(true, true, 9)], size), None);
    }
}

#[test]
fn fragment_floods_hold_at_most_twice_their_bytes() {
    for size in [0, 1, 2, 100, 5000] {
        let mut receiver = Receiver::new(SERVER);
        let mut seen = Vec::new();
        let mut wire = 0;
        let mut opcode = Opcode::Binary;
        for _ in 0..3000 {
            let frame = masked(false, opcode, &vec![1; size]);
            wire += frame.len();
            feed(&mut receiver, &frame, &mut seen);
            opcode = Opcode::Continuation;
            assert!(
                receiver.buffered() <= 2 * wire + 64 * 1024,
                "{size}: after {wire} bytes"
            );
        }
        assert_eq!(seen, []);
    }
}

#[test]
fn a_header_that_promises_much_reserves_little() {
    let header = [&[0x82, 0xff][..], &(1_u64 << 40).to_be_bytes(), &KEY].concat();
    let mut receiver = Receiver::new(SERVER);
    let mut seen = Vec::new();
    feed(&mut receiver, &header, &mut seen);
    assert_eq!(receiver.buffered(), 0);
    feed(&mut receiver, &[1; 1000], &mut seen);
    assert!(receiver.buffered() <= 1 << 20);
    let room = receiver.payload_room().unwrap().len();
    assert!((DIRECT_MIN..=1 << 20).contains(&room));
    // Growth follows what arrives, up to the exact end.
    let limited = ReceiverConfig {
        max_payload: 3 << 20,
        ..SERVER
    };
    let whole = masked(true, Opcode::Binary, &vec![5; 3 << 20]);
    let mut receiver = Receiver::new(limited);
    for piece in whole.chunks(100_000) {
        feed(&mut receiver, piece, &mut seen);
        assert!(receiver.buffered() <= 3 << 20);
    }
    assert_eq!(seen, [Seen::Binary(vec![5; 3 << 20])]);
    assert_eq!(receiver.buffered(), 0);
}
