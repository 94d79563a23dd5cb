use super::*;
use crate::proto::deflate::{CompressorOptions, DeflateParams, Deflater};
use crate::proto::testing::*;
use crate::proto::{ProtocolError::*, Role};

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

fn inflater() -> Inflater {
    Inflater::new(true, 15)
}

/// One message in pieces of the lengths that `piece_len` gives.
fn message(
    inflater: &mut Inflater,
    input: &[u8],
    limit: usize,
    mut piece_len: impl FnMut() -> usize,
) -> Result<Vec<u8>, ProtocolError> {
    let mut out = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let piece = &rest[..piece_len().clamp(1, rest.len())];
        let taken = inflater.inflate(piece, &mut out, limit)?;
        assert!(taken > 0, "it gets on");
        assert!(out.capacity() <= limit, "{} of {limit}", out.capacity());
        rest = &rest[taken..];
    }
    inflater.finish(&mut out, limit)?;
    Ok(out)
}

fn whole(inflater: &mut Inflater, input: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    message(inflater, input, usize::MAX, || usize::MAX)
}

fn deflated(data: &[u8], level: i8) -> Vec<u8> {
    let options = CompressorOptions {
        level,
        ..CompressorOptions::default()
    };
    let mut out = Vec::new();
    Deflater::new(&DeflateParams::default(), Role::Server, 0, options)
        .compress(data, true, &mut out);
    out
}

#[test]
fn the_examples_of_the_rfc() {
    let examples: [(&str, &[u8], &[u8]); 6] = [
        ("7.2.3.1", HELLO, b"Hello"),
        ("7.2.3.2", b"\xf2\x00\x11\x00\x00", b"Hello"),
        ("7.2.3.3", b"\x00\x05\x00\xfa\xffHello\x00", b"Hello"),
        ("7.2.3.4", b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", b"Hello"),
        (
            "7.2.3.5",
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
            b"Hello",
        ),
        ("7.2.3.6", b"\x00", b""),
    ];
    for size in 1..14 {
        let mut inflater = inflater();
        for (section, input, expected) in examples {
            let result = message(&mut inflater, input, usize::MAX, || size);
            assert_eq!(result.as_deref(), Ok(expected), "{section}");
        }
    }
}

#[test]
fn a_message_without_a_byte_is_empty() {
    let mut inflater = inflater();
    for input in [&b""[..], HELLO, b"", b"\xf2\x00\x11\x00\x00"] {
        let expected: &[u8] = if input.is_empty() { b"" } else { b"Hello" };
        assert_eq!(whole(&mut inflater, input).as_deref(), Ok(expected));
    }
}

#[test]
fn blocks_with_bfinal_end_a_stream_and_another_may_follow() {
    let last = b"\xf3\x48\xcd\xc9\xc9\x07\x00";
    let table: [(&str, Vec<u8>, &[u8]); 4] = [
        ("without the padding", last.to_vec(), b"Hello"),
        ("with it", [&last[..], b"\x00"].concat(), b"Hello"),
        ("twice", [&last[..], last, b"\x00"].concat(), b"HelloHello"),
        (
            "before one without",
            [&last[..], HELLO].concat(),
            b"HelloHello",
        ),
    ];
    let stored_last = b"\x01\x05\x00\xfa\xffHello";
    for size in 1..16 {
        let mut inflater = inflater();
        for (case, input, expected) in &table {
            let result = message(&mut inflater, input, usize::MAX, || size);
            assert_eq!(result.as_deref(), Ok(*expected), "{case}");
        }
        // the stream that follows is none of the stream before
        let referring = [&last[..], b"\xf2\x00\x11\x00\x00"].concat();
        assert!(message(&mut inflater, &referring, usize::MAX, || size).is_err());
        inflater.stop();
        let result = message(&mut inflater, stored_last, usize::MAX, || size);
        assert_eq!(result.as_deref(), Ok(&b"Hello"[..]), "stored");
        // the block that the tail completes has BFINAL
        let tail = [HELLO.split_last().unwrap().1, b"\x04"].concat();
        let result = message(&mut inflater, &tail, usize::MAX, || size);
        assert_eq!(result.as_deref(), Ok(&b"Hello"[..]), "in the tail");
        assert_eq!(whole(&mut inflater, HELLO).as_deref(), Ok(&b"Hello"[..]));
    }
}

#[test]
fn garbage_has_the_words_of_zlib() {
    let table: [(&[u8], &str); 5] = [
        (b"\x06", "invalid block type"),
        (b"\x00\x05\x00\x00\x00Hello", "invalid stored block lengths"),
        (b"\xf2\x00\x11\x00\x00", "invalid distance too far back"),
        (
            b"\xfc\xff\xff\xff\xff",
            "too many length or distance symbols",
        ),
        (
            b"\x04\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            "invalid code lengths set",
        ),
    ];
    for (input, message) in table {
        assert_eq!(
            whole(&mut inflater(), input),
            Err(InvalidCompressedData(message))
        );
    }
    // without takeover nothing is left of the message before
    let mut without = Inflater::new(false, 15);
    assert_eq!(whole(&mut without, HELLO).as_deref(), Ok(&b"Hello"[..]));
    assert_eq!(without.held(), 0);
    assert_eq!(
        whole(&mut without, b"\xf2\x00\x11\x00\x00"),
        Err(InvalidCompressedData("invalid distance too far back"))
    );
}

#[test]
fn a_message_that_is_cut_short_is_refused() {
    let mut rng = Rng::new(20);
    for level in [0, 1, 6] {
        for data in [&b"Hello"[..], &json(&mut rng, 3000), &noise(&mut rng, 300)] {
            let input = deflated(data, level);
            assert_eq!(whole(&mut inflater(), &input).as_deref(), Ok(data));
            for len in 1..input.len() {
                let result = whole(&mut inflater(), &input[..len]);
                // The header of a stored block alone is an empty one.
                let is_header = len == 1 && result == Ok(Vec::new());
                assert!(result.is_err() || is_header, "{len} of {}", input.len());
            }
        }
    }
    assert_eq!(
        whole(&mut inflater(), &HELLO[..4]),
        Err(TruncatedCompressedData)
    );
}

#[test]
fn the_limit_is_exact_and_holds_while_inflating() {
    let mut rng = Rng::new(21);
    for len in [1, 255, 256, 257, 1000, 65_536, 65_537, 300_000] {
        for data in [vec![b'a'; len], json(&mut rng, len), noise(&mut rng, len)] {
            let input = deflated(&data, 6);
            for piece in [7, 1000, usize::MAX] {
                let mut inflater = inflater();
                for limit in [len, len + 1, 2 * len] {
                    let result = message(&mut inflater, &input, limit, || piece);
                    assert!(result == Ok(data.clone()), "{len} within {limit}");
                }
                let mut inflater = super::Inflater::new(false, 15);
                for limit in [len - 1, len / 2].into_iter().filter(|&limit| limit > 0) {
                    let result = message(&mut inflater, &input, limit, || piece);
                    assert_eq!(
                        result,
                        Err(UnsupportedMessageLength),
                        "{len} within {limit}"
                    );
                    inflater.stop();
                }
            }
        }
    }
}

#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    let input = deflated(&vec![0; 64 << 20], 9);
    assert!(input.len() < 70_000);
    let limit = 1 << 20;
    let mut inflater = inflater();
    let mut out = Vec::new();
    let result = inflater.inflate(&input, &mut out, limit);
    assert_eq!(result, Err(UnsupportedMessageLength));
    assert!(out.len() <= limit && out.capacity() <= limit);
    inflater.stop();
    assert_eq!(inflater.held(), 0);
}

#[test]
fn slices_end_soon_after_their_length_and_lose_nothing() {
    let data = vec![b'x'; 4 << 20];
    let input = deflated(&data, 6);
    let mut inflater = inflater();
    inflater.set_slice(100_000);
    let mut out = Vec::new();
    let mut rest = &input[..];
    let mut slices = 0;
    while !rest.is_empty() {
        let before = out.len();
        inflater.begin_turn();
        let taken = inflater.inflate(rest, &mut out, usize::MAX).unwrap();
        assert!(out.len() - before <= 100_000 + MAX_STEP);
        rest = &rest[taken..];
        slices += 1;
    }
    inflater.finish(&mut out, usize::MAX).unwrap();
    assert!(out == data && slices >= 12, "{slices} slices");
    // a turn that is used up gives nothing more, and one of nothing still gets on
    inflater.set_slice(0);
    let mut out = Vec::new();
    let taken = inflater.inflate(&input, &mut out, usize::MAX).unwrap();
    assert!(taken > 0 && !out.is_empty());
    let again = inflater.inflate(&input[taken..], &mut out, usize::MAX);
    assert_eq!(again, Ok(0));
}

#[test]
fn what_is_held_from_message_to_message_is_the_window_that_was_filled() {
    let mut rng = Rng::new(22);
    for bits in 8..=15 {
        let mut inflater = Inflater::new(true, bits);
        let first = deflated(&json(&mut rng, 100), 6);
        whole(&mut inflater, &first).unwrap();
        assert_eq!(inflater.held(), 100);
        whole(&mut inflater, &deflated(&json(&mut rng, 100_000), 6)).unwrap();
        assert_eq!(inflater.held(), 1 << bits);
        assert!(inflater.stream.is_none());
        inflater.stop();
        assert_eq!(inflater.held(), 0);
    }
    assert!(size_of::<Inflater>() <= 200, "{}", size_of::<Inflater>());
}

#[test]
fn long_output_is_cut_to_its_length() {
    let mut inflater = inflater();
    for len in (40_000..200_000).step_by(10_000) {
        let data = vec![1; len];
        let out = whole(&mut inflater, &deflated(&data, 6)).unwrap();
        assert!(out == data && out.capacity() <= len + len / 4);
    }
}

#[test]
fn mutated_streams_never_panic_and_do_not_depend_on_the_cuts() {
    let mut rng = Rng::new(23);
    let seeds = [
        deflated(&json(&mut rng, 2000), 6),
        deflated(&json(&mut rng, 400), 1),
        deflated(&noise(&mut rng, 50), 0),
        HELLO.to_vec(),
    ];
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut input = seeds[rng.below(seeds.len())].clone();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(input.len());
            match rng.below(4) {
                0 => input[at] ^= 1 << rng.below(8),
                1 => input[at] = rng.next() as u8,
                2 => input.insert(at, rng.next() as u8),
                _ if input.len() > 1 => drop(input.remove(at)),
                _ => {}
            }
        }
        let limit = 1 + rng.below(5000);
        let in_one = message(&mut inflater(), &input, limit, || usize::MAX);
        let in_many = message(&mut inflater(), &input, limit, || 1 + rng.below(50));
        refused += usize::from(in_one.is_err());
        match (&in_one, &in_many) {
            // Of two faults either may be found first.
            (Err(_), Err(_)) => {}
            _ => assert_eq!(in_one, in_many),
        }
    }
    assert!((1000..19_000).contains(&refused), "{refused}");
}
