//! Compressed frames, as they stand on the wire (RFC 7692 section 6).

use super::*;
use crate::proto::deflate::{CompressorOptions, DeflateParams, Deflater};
use crate::proto::testing::*;

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

fn receiver(max_payload: u64) -> Receiver {
    let mut receiver = Receiver::new(ReceiverConfig {
        max_payload,
        ..config(Role::Server)
    });
    receiver.enable_deflate(Inflater::new(true, 15));
    receiver
}

fn first(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    compressed(fin, opcode, payload, Some(KEY))
}

/// What a receiver makes of the frames, in pieces of `size`.
fn receive(max_payload: u64, frames: &[Vec<u8>], size: usize) -> Vec<Seen> {
    let mut receiver = receiver(max_payload);
    let mut seen = Vec::new();
    for piece in frames.concat().chunks(size) {
        feed(&mut receiver, piece, &mut seen);
    }
    seen
}

fn deflated(data: &[u8]) -> Vec<u8> {
    let options = CompressorOptions::default();
    let mut out = Vec::new();
    Deflater::new(&DeflateParams::default(), Role::Server, 0, options)
        .compress(data, true, &mut out);
    out
}

#[test]
fn messages_compressed_and_not_come_in_frames_and_pieces() {
    use Opcode::*;
    let frames = [
        first(true, Text, HELLO),
        masked(true, Text, b"plain"),
        first(false, Binary, &HELLO[..3]),
        masked(true, Ping, b"p"),
        masked(false, Continuation, b""),
        masked(true, Continuation, &HELLO[3..]),
        first(true, Text, b""),
        // refers to the messages before
        first(false, Text, b"\xf2\x00\x11"),
        masked(true, Continuation, b"\x00\x00"),
        first(true, Text, b"\x00"),
    ];
    let expected = [
        text("Hello"),
        text("plain"),
        Seen::Ping(b"p".to_vec()),
        Seen::Binary(b"Hello".to_vec()),
        text(""),
        text("Hello"),
        text(""),
    ];
    for size in 1..frames.concat().len() {
        assert_eq!(receive(0, &frames, size), expected, "pieces of {size}");
    }
}

#[test]
fn rsv1_is_for_the_first_frame_of_a_message() {
    use Opcode::*;
    let refused = |frames: &[Vec<u8>]| {
        for size in [1, usize::MAX] {
            let seen = receive(0, frames, size);
            assert_eq!(seen, [Seen::Error(ProtocolError::UnexpectedRsv1)]);
        }
    };
    refused(&[first(false, Text, HELLO), first(true, Continuation, b"")]);
    refused(&[masked(false, Text, b""), first(true, Continuation, b"")]);
    for control in [Ping, Pong, Close] {
        refused(&[first(true, control, b"")]);
    }
    // which has to be negotiated
    assert_eq!(
        receive_whole(&config(Role::Server), &first(true, Text, HELLO)),
        [Seen::Error(ProtocolError::UnexpectedRsv1)]
    );
}

#[test]
fn the_limit_is_for_the_message_compressed_and_inflated() {
    use Opcode::*;
    let too_long = [Seen::Error(ProtocolError::UnsupportedMessageLength)];
    let frames = [first(true, Binary, HELLO)];
    assert_eq!(receive(7, &frames, 1), [Seen::Binary(b"Hello".to_vec())]);
    // as in ws: seven bytes of frame
    assert_eq!(receive(6, &frames, 1), too_long);
    let zeros = deflated(&[0; 1000]);
    assert!(zeros.len() < 20);
    for size in [1, 5, usize::MAX] {
        let whole = [first(true, Binary, &zeros)];
        assert_eq!(receive(1000, &whole, size), [Seen::Binary(vec![0; 1000])]);
        assert_eq!(receive(999, &whole, size), too_long);
        let (head, tail) = zeros.split_at(4);
        let frames = [first(false, Binary, head), masked(true, Continuation, tail)];
        assert_eq!(receive(1000, &frames, size), [Seen::Binary(vec![0; 1000])]);
        assert_eq!(receive(999, &frames, size), too_long);
    }
}

#[test]
fn a_fragment_too_many_is_refused_when_it_is_whole_and_not_inflated() {
    let mut receiver = receiver(0);
    receiver.config.max_fragments = 1;
    let mut seen = Vec::new();
    feed(&mut receiver, &first(false, Opcode::Text, HELLO), &mut seen);
    let last = masked(true, Opcode::Continuation, b"\x06no deflate stream");
    feed(&mut receiver, &last[..last.len() - 1], &mut seen);
    assert_eq!(seen, []);
    feed(&mut receiver, &last[last.len() - 1..], &mut seen);
    assert_eq!(seen, [Seen::Error(ProtocolError::TooManyFragments)]);
}

#[test]
fn text_is_validated_as_it_is_inflated() {
    use Opcode::*;
    let text = "na\u{ef}ve \u{1f980} ".repeat(1000);
    let frames = [first(true, Text, &deflated(text.as_bytes()))];
    for size in [1, 10, usize::MAX] {
        assert_eq!(
            receive(0, &frames, size),
            [super::compressed_tests::text(&text)]
        );
        for bad in [&b"abc\xff"[..], b"\xc3", b"\xed\xa0\x80"] {
            let frames = [first(true, Text, &deflated(bad))];
            let invalid = [Seen::Error(ProtocolError::InvalidUtf8)];
            assert_eq!(receive(0, &frames, size), invalid);
        }
    }
}

#[test]
fn what_is_not_a_deflate_stream_ends_the_connection() {
    use Opcode::*;
    for size in [1, usize::MAX] {
        let frames = [
            first(true, Text, HELLO),
            first(true, Text, b"\x06\x00"),
            first(true, Text, HELLO),
        ];
        let invalid = ProtocolError::InvalidCompressedData("invalid block type");
        let seen = receive(0, &frames, size);
        assert_eq!(seen, [text("Hello"), Seen::Error(invalid)]);
        let frames = [first(true, Text, &HELLO[..4])];
        let truncated = Seen::Error(ProtocolError::TruncatedCompressedData);
        assert_eq!(receive(0, &frames, size), [truncated]);
    }
}

#[test]
fn the_ends_of_compressed_fragments_are_those_of_what_they_inflate_to() {
    let mut receiver = receiver(0);
    let mut bytes = [
        first(false, Opcode::Binary, &HELLO[..3]),
        masked(false, Opcode::Continuation, b""),
        masked(true, Opcode::Continuation, &HELLO[3..]),
    ]
    .concat();
    match receiver.receive(&mut &mut bytes[..]) {
        Ok(Some(Event::Message {
            fragments: Some(fragments),
            data,
            ..
        })) => {
            assert_eq!(&*data, b"Hello");
            let ends = fragments.ends();
            assert!(ends.len() == 2 && ends[0] < 5 && ends[1] == 5, "{ends:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_slice_leaves_input_that_goes_on_where_it_ended() {
    let mut rng = Rng::new(50);
    let data = json(&mut rng, 3 << 20);
    let mut bytes = [
        first(false, Opcode::Binary, &deflated(&data)[..100_000]),
        masked(true, Opcode::Ping, b"between"),
        masked(true, Opcode::Continuation, &deflated(&data)[100_000..]),
        masked(true, Opcode::Text, b"after"),
    ]
    .concat();
    let mut receiver = receiver(0);
    receiver.set_inflate_slice(300_000);
    let mut input = &mut bytes[..];
    let mut seen = Vec::new();
    let mut slices = 0;
    while !input.is_empty() {
        // What is left may have moved.
        let mut moved = input.to_vec();
        let mut rest = &mut moved[..];
        while let Some(event) = receiver.receive(&mut rest).unwrap() {
            seen.push(Seen::from(event));
        }
        let left = rest.len();
        slices += usize::from(left > 0);
        let taken = input.len() - left;
        input = &mut input[taken..];
        input.copy_from_slice(&moved[taken..]);
    }
    let expected = [
        Seen::Ping(b"between".to_vec()),
        Seen::Binary(data),
        text("after"),
    ];
    assert!(seen == expected, "the same as in one");
    assert!((5..15).contains(&slices), "{slices}");
}

#[test]
fn compressed_payload_is_not_read_into_the_message() {
    let mut receiver = receiver(0);
    let mut seen = Vec::new();
    let mut bytes = first(true, Opcode::Binary, &vec![0; 100_000]);
    bytes.truncate(20);
    feed(&mut receiver, &bytes, &mut seen);
    assert!(receiver.payload_room().is_none());
    assert!(size_of::<Receiver>() <= 160, "{}", size_of::<Receiver>());
}

#[test]
fn mutated_streams_never_panic_and_do_not_depend_on_the_cuts() {
    let mut rng = Rng::new(51);
    let frames = [
        first(true, Opcode::Text, &deflated(&json(&mut rng, 500))),
        masked(true, Opcode::Ping, b"p"),
        first(false, Opcode::Binary, &deflated(&json(&mut rng, 300))[..50]),
        masked(
            true,
            Opcode::Continuation,
            &deflated(&json(&mut rng, 300))[50..],
        ),
        first(true, Opcode::Text, HELLO),
    ];
    for _ in 0..5000 {
        let mut bytes = frames.concat();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(bytes.len());
            match rng.below(3) {
                0 => bytes[at] ^= 1 << rng.below(8),
                1 => bytes.insert(at, rng.next() as u8),
                _ => drop(bytes.remove(at)),
            }
        }
        let whole = receive(1000, &[bytes.clone()], usize::MAX);
        let pieces = receive(1000, &[bytes], 1 + rng.below(40));
        // Of two faults either may be found first.
        let is_error = |seen: &&Seen| matches!(seen, Seen::Error(_));
        assert_eq!(
            whole.iter().any(|s| is_error(&s)),
            pieces.iter().any(|s| is_error(&s))
        );
        let events = |seen: Vec<Seen>| {
            seen.into_iter()
                .filter(|s| !is_error(&s))
                .collect::<Vec<_>>()
        };
        assert_eq!(events(whole), events(pieces));
    }
}
