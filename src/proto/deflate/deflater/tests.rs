use super::*;
use crate::proto::deflate::{CompressJob, Inflater};
use crate::proto::frame::Opcode;
use crate::proto::sender::NextFrame;
use crate::proto::testing::*;

fn params(takeover: bool, bits: u8) -> DeflateParams {
    DeflateParams {
        server_no_context_takeover: !takeover,
        server_max_window_bits: Some(bits),
        ..DeflateParams::default()
    }
}

fn deflater_with(takeover: bool, bits: u8, options: CompressorOptions) -> Deflater {
    Deflater::new(&params(takeover, bits), Role::Server, 0, options)
}

fn deflater(takeover: bool, bits: u8) -> Deflater {
    deflater_with(takeover, bits, CompressorOptions::default())
}

fn compressed(deflater: &mut Deflater, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    deflater.compress(data, true, &mut out);
    out
}

fn inflated(inflater: &mut Inflater, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let taken = inflater.inflate(input, &mut out, usize::MAX).unwrap();
    assert_eq!(taken, input.len());
    inflater.finish(&mut out, usize::MAX).unwrap();
    out
}

#[test]
fn every_window_takeover_and_size_goes_there_and_back() {
    let mut rng = Rng::new(30);
    for bits in 8..=15 {
        for takeover in [false, true] {
            let mut deflater = deflater(takeover, bits);
            let mut inflater = Inflater::new(takeover, bits);
            for len in [0, 1, 0, 2, 125, 126, 1000, 0, 5000, 70_000, 3] {
                for data in [vec![7; len], json(&mut rng, len), noise(&mut rng, len)] {
                    let input = compressed(&mut deflater, &data);
                    assert!(
                        inflated(&mut inflater, &input) == data,
                        "{bits} {takeover} {len}"
                    );
                    assert_eq!(deflater.is_holding(), takeover);
                }
            }
        }
    }
}

#[test]
fn ten_mebibytes_go_there_and_back() {
    let mut rng = Rng::new(31);
    let block = json(&mut rng, 1 << 20);
    let mut inflater = Inflater::new(true, 15);
    let mut deflater = deflater(true, 15);
    let data = block.repeat(10);
    let input = compressed(&mut deflater, &data);
    assert!(input.len() < data.len() / 3, "{}", input.len());
    assert!(inflated(&mut inflater, &input) == data);
    let data = noise(&mut rng, 10 << 20);
    let input = compressed(&mut deflater, &data);
    assert!(input.len() < data.len() + data.len() / 1000);
    assert!(inflated(&mut inflater, &input) == data);
}

#[test]
fn empty_messages_are_one_byte() {
    // 7.2.3.6
    for takeover in [false, true] {
        let mut deflater = deflater(takeover, 15);
        for _ in 0..3 {
            assert_eq!(compressed(&mut deflater, b""), [0x00]);
        }
        compressed(&mut deflater, b"something");
        assert_eq!(compressed(&mut deflater, b""), [0x00]);
    }
}

#[test]
fn fragments_are_flushed_each() {
    let mut rng = Rng::new(32);
    for takeover in [false, true] {
        let mut deflater = deflater(takeover, 15);
        let mut inflater = Inflater::new(takeover, 15);
        for _ in 0..200 {
            let parts: Vec<_> = (0..1 + rng.below(5))
                .map(|_| {
                    let len = rng.below(3) * rng.below(2000);
                    json(&mut rng, len)
                })
                .collect();
            let mut out = Vec::new();
            for (i, part) in parts.iter().enumerate() {
                let fin = i + 1 == parts.len();
                let mut input = Vec::new();
                deflater.compress(part, fin, &mut input);
                let before = out.len();
                inflater.inflate(&input, &mut out, usize::MAX).unwrap();
                assert!(
                    out[before..] == part[..],
                    "it is all there before the next comes"
                );
            }
            inflater.finish(&mut out, usize::MAX).unwrap();
            assert!(out == parts.concat());
            assert_eq!(deflater.is_holding(), takeover);
        }
    }
}

#[test]
fn output_that_fills_its_room_exactly_is_not_the_end() {
    let mut rng = Rng::new(33);
    let data = noise(&mut rng, 600);
    let expected = compressed(&mut deflater(false, 15), &data);
    for capacity in 0..800 {
        let mut out = Vec::with_capacity(capacity);
        // `compress` reserves by the length of its input: here the room is what was given
        let mut deflater = deflater(false, 15);
        deflater.run(&data, DeflateFlush::SyncFlush, &mut out);
        deflater.end_message(0, &mut out);
        let back = inflated(&mut Inflater::new(false, 15), &out);
        assert!(back == data, "{capacity}");
        assert!(
            out.len() <= expected.len() + 5,
            "one flush marker too many at most"
        );
    }
}

#[test]
fn history_is_used_under_takeover_whoever_has_the_compressor() {
    let mut rng = Rng::new(34);
    let data = noise(&mut rng, 400);
    let mut with = deflater(true, 15);
    let mut inflater = Inflater::new(true, 15);
    let mut lens = Vec::new();
    for release in [false, false, true, false] {
        let input = compressed(&mut with, &data);
        assert_eq!(inflated(&mut inflater, &input), data);
        lens.push(input.len());
        if release {
            with.release();
            assert!(!with.is_holding());
        }
    }
    assert!(
        lens[0] > 400 && lens[1..].iter().all(|&len| len < 20),
        "{lens:?}"
    );
    let mut without = deflater(false, 15);
    let first = compressed(&mut without, &data);
    assert_eq!(compressed(&mut without, &data), first);
    assert_eq!(without.held(), 0);
}

#[test]
fn what_is_compressed_after_a_release_fits_the_window() {
    let mut rng = Rng::new(36);
    for bits in 9..=15 {
        let mut with = deflater(true, bits);
        let mut inflater = Inflater::new(true, bits);
        let once = json(&mut rng, 50_000);
        for _ in 0..60 {
            let start = rng.below(once.len());
            let most = if rng.below(4) == 0 { 40_000 } else { 3000 };
            let len = rng.below(most);
            let data = &once[start..once.len().min(start + len)];
            let input = compressed(&mut with, data);
            assert_eq!(inflated(&mut inflater, &input), data, "{bits}");
            if rng.below(2) == 0 {
                with.release();
            }
            assert!(with.held() <= 1 << bits);
        }
    }
}

#[test]
fn distances_stay_within_the_window_and_make_use_of_it() {
    let mut rng = Rng::new(35);
    for bits in 8..=15_u8 {
        // zlib leaves 262 bytes of its window alone, so that its 9 bits do for a peer with 8
        let window = (1 << bits.max(9)) - 262;
        for distance in [window, window + 1] {
            let mut deflater = deflater(true, bits);
            let phrase = noise(&mut rng, 100);
            compressed(&mut deflater, &phrase);
            compressed(&mut deflater, &noise(&mut rng, distance - 100));
            let is_found = compressed(&mut deflater, &phrase).len() < 100;
            assert_eq!(is_found, distance == window, "{bits}: {distance}");
        }
        // short messages refer to earlier ones, of which the inflater has the window only
        for level in [1, 3, 6, 9] {
            let options = CompressorOptions {
                level,
                ..CompressorOptions::default()
            };
            let mut deflater = deflater_with(true, bits, options);
            let mut inflater = Inflater::new(true, bits);
            let text = json(&mut rng, 50_000);
            let mut rest = &text[..];
            while !rest.is_empty() {
                let (data, after) = rest.split_at((1 + rng.below(60)).min(rest.len()));
                let input = compressed(&mut deflater, data);
                assert_eq!(inflated(&mut inflater, &input), data);
                rest = after;
            }
        }
    }
}

#[test]
fn levels_memory_and_strategies_are_those_asked_for() {
    let mut rng = Rng::new(36);
    let data = json(&mut rng, 20_000);
    let size = |options: CompressorOptions| {
        let input = compressed(&mut deflater_with(false, 15, options), &data);
        assert_eq!(inflated(&mut Inflater::new(false, 15), &input), data);
        input.len()
    };
    let default = CompressorOptions::default();
    let level = |level| CompressorOptions { level, ..default };
    let strategy = |strategy| CompressorOptions {
        strategy,
        ..default
    };
    assert_eq!(size(level(-1)), size(level(6)));
    assert!(size(level(0)) > data.len());
    assert!(size(level(8)) < size(level(1)));
    assert_eq!(size(level(1)), size(level(2)), "see `Deflater::new`");
    assert!(size(strategy(Strategy::HuffmanOnly)) > 2 * size(default));
    assert!(size(strategy(Strategy::Fixed)) > size(default));
    for strategy_of in [Strategy::Filtered, Strategy::Rle] {
        size(strategy(strategy_of));
    }
    for mem_level in 1..=9 {
        size(CompressorOptions {
            mem_level,
            ..default
        });
    }
    // out of range is the nearest
    assert_eq!(size(level(100)), size(level(9)));
    size(CompressorOptions {
        mem_level: 0,
        ..default
    });
}

#[test]
fn a_job_compresses_in_slices_to_the_same_message() {
    let mut rng = Rng::new(37);
    for len in [0, 1, 1000, 300_000] {
        let data = json(&mut rng, len);
        for slice in [0, 1000, 65_536, usize::MAX] {
            if slice == 0 && len > 1000 {
                continue;
            }
            let frame = NextFrame {
                opcode: Opcode::Text,
                compressed: true,
            };
            let deflater = Box::new(deflater(true, 15));
            let mut job = CompressJob::new(deflater, data.clone().into(), true, frame);
            let mut steps = 1;
            while !job.step(slice) {
                steps += 1;
            }
            assert!(job.step(slice), "done is done");
            assert_eq!(steps, len.div_ceil(slice.max(1)).max(1));
            let (mut deflater, input, out) = job.finish();
            assert_eq!(input, data);
            let mut inflater = Inflater::new(true, 15);
            assert!(inflated(&mut inflater, &out) == data);
            // the history is there for the next message
            let next = compressed(&mut deflater, &data[..len.min(200)]);
            assert_eq!(inflated(&mut inflater, &next), data[..len.min(200)]);
        }
    }
}

#[test]
fn a_job_that_was_given_up_leaves_nothing_to_others() {
    let mut rng = Rng::new(38);
    let data = json(&mut rng, 50_000);
    for level in -1..=9 {
        let options = CompressorOptions {
            level,
            ..CompressorOptions::default()
        };
        let expected = compressed(&mut deflater_with(false, 14, options), &data);
        let frame = NextFrame {
            opcode: Opcode::Text,
            compressed: true,
        };
        let deflater = Box::new(deflater_with(false, 14, options));
        let mut job = CompressJob::new(deflater, data.clone().into(), true, frame);
        assert!(!job.step(20_000));
        drop(job);
        let after = compressed(&mut deflater_with(false, 14, options), &data);
        assert!(after == expected, "level {level}");
    }
}

#[test]
fn jobs_and_their_compressors_may_change_threads() {
    fn is_send<T: Send>() {}
    is_send::<CompressJob>();
    is_send::<Deflater>();
    is_send::<Inflater>();
}

#[test]
fn the_memory_of_a_compressor_is_known() {
    let len = |bits, mem_level| {
        let options = CompressorOptions {
            mem_level,
            ..CompressorOptions::default()
        };
        deflater_with(true, bits, options).compressor_len() / 1024
    };
    assert_eq!((len(15, 8), len(12, 4), len(9, 1)), (376, 159, 138));
    assert!(size_of::<Deflater>() <= 200, "{}", size_of::<Deflater>());
}
