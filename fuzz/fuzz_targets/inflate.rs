//! Any bytes inflate to the same messages in one piece or in many, within the limit, or are refused;
//! and what was compressed inflates to what it was.

#![no_main]

use hawser::proto::deflate::{CompressorOptions, DeflateParams, Deflater, Inflater, Strategy};
use hawser::proto::{ProtocolError, Role};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    takeover: bool,
    window_bits: u8,
    max_payload: u16,
    slice: u16,
    level: i8,
    mem_level: u8,
    strategy: u8,
    /// Lengths of the pieces, used in turn.
    pieces: Vec<u16>,
    messages: Vec<&'a [u8]>,
}

fuzz_target!(|input: Input| {
    let bits = 8 + input.window_bits % 8;
    garbage(&input, bits);
    round_trip(&input, bits);
});

/// The messages are what a peer sends.
fn garbage(input: &Input, bits: u8) {
    let limit = usize::from(input.max_payload).max(1);
    let mut whole = Inflater::new(input.takeover, bits);
    let mut pieces = Inflater::new(input.takeover, bits);
    pieces.set_slice(input.slice.into());
    for message in &input.messages {
        let in_one = inflate(&mut whole, message, limit, &[]);
        let in_many = inflate(&mut pieces, message, limit, &input.pieces);
        match (in_one, in_many) {
            (Ok(in_one), Ok(in_many)) => assert_eq!(in_one, in_many),
            // Of two faults either may be found first.
            (Err(_), Err(_)) => return,
            other => panic!("{other:?}"),
        }
        assert!(whole.held() <= 1 << bits);
    }
}

/// The messages are what this end sends.
fn round_trip(input: &Input, bits: u8) {
    let params = DeflateParams {
        server_no_context_takeover: !input.takeover,
        server_max_window_bits: Some(bits),
        ..DeflateParams::default()
    };
    let options = CompressorOptions {
        level: input.level,
        mem_level: input.mem_level,
        strategy: match input.strategy % 5 {
            0 => Strategy::Default,
            1 => Strategy::Filtered,
            2 => Strategy::HuffmanOnly,
            3 => Strategy::Rle,
            _ => Strategy::Fixed,
        },
    };
    let mut deflater = Deflater::new(&params, Role::Server, 0, options);
    let mut inflater = Inflater::new(input.takeover, bits);
    for message in &input.messages {
        let mut compressed = Vec::new();
        deflater.compress(message, true, &mut compressed);
        let back = inflate(&mut inflater, &compressed, usize::MAX, &input.pieces);
        assert_eq!(back.as_deref(), Ok(*message));
    }
}

fn inflate(
    inflater: &mut Inflater,
    mut message: &[u8],
    limit: usize,
    pieces: &[u16],
) -> Result<Vec<u8>, ProtocolError> {
    let mut out = Vec::new();
    let mut pieces = pieces.iter().cycle();
    while !message.is_empty() {
        let len = pieces.next().map_or(usize::MAX, |&n| usize::from(n).max(1));
        inflater.begin_turn();
        let taken = inflater.inflate(&message[..len.min(message.len())], &mut out, limit)?;
        assert!(taken > 0 && out.capacity() <= limit);
        message = &message[taken..];
    }
    inflater.finish(&mut out, limit)?;
    Ok(out)
}
