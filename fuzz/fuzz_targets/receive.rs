//! Any bytes, received in one piece or in many, into the input or into the room for the payload,
//! give the same events and the same error.

#![no_main]

use hawser::proto::{Event, ProtocolError, Receiver, ReceiverConfig, Role};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    is_server: bool,
    max_payload: u16,
    max_fragments: u8,
    skip_utf8_validation: bool,
    use_room: bool,
    /// Lengths of the reads, used in turn.
    reads: Vec<u16>,
    data: &'a [u8],
}

#[derive(Debug, PartialEq)]
enum Seen {
    Message(bool, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, Vec<u8>),
    Error(ProtocolError),
}

fuzz_target!(|input: Input| {
    let config = ReceiverConfig {
        role: if input.is_server {
            Role::Server
        } else {
            Role::Client
        },
        max_payload: input.max_payload.into(),
        max_frame_size: 0,
        max_fragments: input.max_fragments.into(),
        skip_utf8_validation: input.skip_utf8_validation,
    };
    let whole = receive_in(&config, input.data, &[], false);
    let pieces = receive_in(&config, input.data, &input.reads, input.use_room);
    assert_eq!(whole, pieces);
});

fn receive_in(
    config: &ReceiverConfig,
    mut data: &[u8],
    reads: &[u16],
    use_room: bool,
) -> Vec<Seen> {
    let mut receiver = Receiver::new(config.clone());
    let mut seen = Vec::new();
    let mut reads = reads.iter().cycle();
    while !data.is_empty() {
        let read = reads
            .next()
            .map_or(data.len(), |&n| usize::from(n).max(1))
            .min(data.len());
        if use_room && let Some(room) = receiver.payload_room() {
            let n = read.min(room.len());
            for (to, from) in room.iter_mut().zip(&data[..n]) {
                to.write(*from);
            }
            data = &data[n..];
            // SAFETY: the first `n` bytes of the room were written just now.
            match unsafe { receiver.payload_received(n) } {
                Ok(event) => seen.extend(event.map(record)),
                Err(err) => seen.push(Seen::Error(err)),
            }
        } else {
            let mut piece = data[..read].to_vec();
            data = &data[read..];
            receive_piece(&mut receiver, &mut piece, &mut seen);
        }
        assert!(receiver.buffered() <= 2 * 1024 * 1024);
    }
    seen
}

fn receive_piece(receiver: &mut Receiver, piece: &mut [u8], seen: &mut Vec<Seen>) {
    let mut rest = piece;
    loop {
        match receiver.receive(&mut rest) {
            Ok(Some(event)) => seen.push(record(event)),
            Ok(None) => return,
            Err(err) => seen.push(Seen::Error(err)),
        }
    }
}

fn record(event: Event<'_>) -> Seen {
    match event {
        Event::Message { binary, data, .. } => Seen::Message(binary, data.into_vec()),
        Event::Ping(data) => Seen::Ping(data.into_vec()),
        Event::Pong(data) => Seen::Pong(data.into_vec()),
        Event::Close { code, reason } => Seen::Close(code, reason.into_vec()),
    }
}
