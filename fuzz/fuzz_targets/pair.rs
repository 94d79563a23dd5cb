//! What one connection sends is what the other receives, whatever the frames and the reads.

#![no_main]

use std::io::IoSlice;
use std::time::Instant;

use hawser::proto::deflate::{DeflateOptions, DeflateParams};
use hawser::proto::{Connection, ConnectionConfig, Event, ReceiverConfig, Role, SendPayload};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    from_client: bool,
    mask: [u8; 4],
    read: u16,
    deflate: Option<Deflate>,
    commands: Vec<Command>,
}

#[derive(Arbitrary, Debug)]
struct Deflate {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    window_bits: Option<u8>,
    threshold: u8,
}

#[derive(Arbitrary, Debug)]
enum Command {
    /// A message of as many frames as it has parts.
    Binary {
        parts: Vec<Vec<u8>>,
        shared: bool,
        compress: bool,
    },
    Text(Vec<String>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
}

#[derive(Debug, PartialEq)]
enum Seen {
    Message(bool, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, Vec<u8>),
}

fuzz_target!(|input: Input| {
    let (from, to) = if input.from_client {
        (Role::Client, Role::Server)
    } else {
        (Role::Server, Role::Client)
    };
    let mask = (from == Role::Client).then_some(input.mask);
    let mut sender = connection(from);
    let mut receiver = connection(to);
    if let Some(deflate) = &input.deflate {
        enable(&mut sender, deflate);
        enable(&mut receiver, deflate);
    }
    let mut expected = Vec::new();
    for command in input.commands {
        if sender.is_close_sent() {
            break;
        }
        expected.extend(send(&mut sender, command, mask));
    }
    assert_eq!(receive(&mut sender, &mut receiver, input.read), expected);
});

fn connection(role: Role) -> Connection {
    Connection::new(ConnectionConfig::new(ReceiverConfig {
        role,
        max_payload: 0,
        max_frame_size: 0,
        max_fragments: 0,
        skip_utf8_validation: false,
    }))
}

fn enable(connection: &mut Connection, deflate: &Deflate) {
    let bits = deflate.window_bits.map(|bits| 8 + bits % 8);
    let params = DeflateParams {
        server_no_context_takeover: deflate.server_no_context_takeover,
        client_no_context_takeover: deflate.client_no_context_takeover,
        server_max_window_bits: bits,
        client_max_window_bits: bits,
    };
    let options = DeflateOptions {
        threshold: deflate.threshold.into(),
        ..DeflateOptions::default()
    };
    connection.enable_deflate(&params, &options);
}

/// Sends it, and returns what the peer has to see of it.
fn send(sender: &mut Connection, command: Command, mask: Option<[u8; 4]>) -> Option<Seen> {
    match command {
        Command::Binary {
            parts,
            shared,
            compress,
        } => send_parts(sender, true, parts, shared, compress, mask),
        Command::Text(parts) => {
            let parts = parts.into_iter().map(String::into_bytes).collect();
            send_parts(sender, false, parts, false, true, mask)
        }
        Command::Ping(mut data) => {
            data.truncate(125);
            sender.send_ping(&data, mask);
            Some(Seen::Ping(data))
        }
        Command::Pong(mut data) => {
            data.truncate(125);
            sender.send_pong(&data, mask);
            Some(Seen::Pong(data))
        }
        Command::Close(code, mut reason) => {
            let code = 3000 + code % 2000;
            while reason.len() > 123 {
                reason.pop();
            }
            sender.send_close(Some(code), reason.as_bytes(), mask, Instant::now());
            Some(Seen::Close(Some(code), reason.into_bytes()))
        }
    }
}

fn send_parts(
    sender: &mut Connection,
    binary: bool,
    parts: Vec<Vec<u8>>,
    shared: bool,
    compress: bool,
    mask: Option<[u8; 4]>,
) -> Option<Seen> {
    let whole = parts.concat();
    let last = parts.len().checked_sub(1)?;
    for (i, part) in parts.into_iter().enumerate() {
        let payload = if shared {
            SendPayload::Shared(part.into())
        } else {
            SendPayload::Copied(&part)
        };
        sender.send_message(binary, i == last, compress, payload, mask);
    }
    Some(Seen::Message(binary, whole))
}

fn receive(sender: &mut Connection, receiver: &mut Connection, read: u16) -> Vec<Seen> {
    let mut seen = Vec::new();
    while !sender.transmit().is_empty() {
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = sender.transmit().io_slices(&mut slices);
        let front = slices[..filled].iter().flat_map(|slice| slice.iter());
        let mut bytes: Vec<u8> = front.copied().collect();
        bytes.truncate(usize::from(read).max(1));
        sender.transmit().advance(bytes.len());
        let mut rest = &mut bytes[..];
        while let Some(event) = receiver
            .receive_data(&mut rest)
            .expect("nothing wrong was sent")
        {
            seen.push(match event {
                Event::Message { binary, data, .. } => Seen::Message(binary, data.into_vec()),
                Event::Ping(data) => Seen::Ping(data.into_vec()),
                Event::Pong(data) => Seen::Pong(data.into_vec()),
                Event::Close { code, reason } => Seen::Close(code, reason.into_vec()),
            });
        }
    }
    seen
}
