use super::*;
use crate::proto::Role;
use crate::proto::connection::ConnectionConfig;
use crate::proto::connection::tests::{Pair, take_all};
use crate::proto::deflate::MaxWindowBits;
use crate::proto::frame::Opcode;
use crate::proto::testing::*;

/// A pair that agreed on `params`, with a threshold of 100 bytes.
fn pair(params: DeflateParams) -> Pair {
    let options = DeflateOptions {
        threshold: 100,
        ..DeflateOptions::default()
    };
    let mut pair = Pair::new();
    pair.client.enable_deflate(&params, &options);
    pair.server.enable_deflate(&params, &options);
    pair
}

fn without_takeover() -> DeflateParams {
    DeflateParams {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..DeflateParams::default()
    }
}

fn send(connection: &mut Connection, data: &[u8], compress: bool) -> usize {
    let mask = (connection.role() == Role::Client).then_some(KEY);
    connection.send_message(true, true, compress, SendPayload::Copied(data), mask)
}

#[test]
fn compressed_messages_go_both_ways_in_pieces_of_any_size() {
    let mut rng = Rng::new(40);
    for size in [1, 7, 1000, usize::MAX] {
        for params in [DeflateParams::default(), without_takeover()] {
            let mut pair = pair(params);
            let small = json(&mut rng, 500);
            let large = json(&mut rng, 400_000);
            let raw = noise(&mut rng, 5000);
            let mut queued = 0;
            for data in [&small[..], &large, b"", &raw, &small] {
                queued += send(&mut pair.client, data, true);
                assert_eq!(pair.client.transmit().len(), queued);
                send(&mut pair.server, data, true);
            }
            assert!(queued < 200_000, "{queued}");
            let expected =
                [&small[..], &large, b"", &raw, &small].map(|d| Seen::Binary(d.to_vec()));
            assert!(pair.deliver_to_server(size) == expected);
            assert!(pair.deliver_to_client(size) == expected);
        }
    }
}

#[test]
fn the_first_frame_says_that_a_message_is_compressed() {
    let mut pair = pair(DeflateParams::default());
    let server = &mut pair.server;
    for (fin, data) in [(false, "one "), (false, ""), (true, "two")] {
        let data = SendPayload::Copied(data.as_bytes());
        server.send_message(false, fin, true, data, None);
        server.send_ping(b"", None);
    }
    send(server, b"plain", false);
    let bytes = take_all(server);
    let mut firsts = Vec::new();
    let mut rest = &bytes[..];
    while let [first, len, ..] = rest {
        firsts.push(*first);
        rest = &rest[2 + usize::from(*len)..];
    }
    assert_eq!(firsts, [0x41, 0x89, 0x00, 0x89, 0x80, 0x89, 0x82]);
    let mut seen = Vec::new();
    feed(&mut pair.client.receiver, &bytes, &mut seen);
    let ping = || Seen::Ping(vec![]);
    let plain = Seen::Binary(b"plain".to_vec());
    assert_eq!(seen, [ping(), ping(), text("one two"), ping(), plain]);
}

#[test]
fn without_takeover_short_messages_and_those_that_would_grow_go_out_as_they_are() {
    let mut rng = Rng::new(41);
    let mut pair = pair(without_takeover());
    let rsv1 = |server: &mut Connection, data: &[u8]| {
        send(server, data, true);
        take_all(server)[0] & 0x40 != 0
    };
    assert!(!rsv1(&mut pair.server, &[0; 99]));
    assert!(rsv1(&mut pair.server, &[0; 100]));
    assert!(!rsv1(&mut pair.server, &noise(&mut rng, 1000)));
    let mut with = super::tests::pair(DeflateParams::default());
    for data in [&[0; 1][..], b"", &noise(&mut rng, 1000)] {
        assert!(rsv1(&mut with.server, data), "the history goes on");
    }
    let mut plain = Pair::new();
    assert!(
        !rsv1(&mut plain.server, &[0; 1000]),
        "nothing was negotiated"
    );
}

#[test]
fn a_compressor_is_held_under_takeover_until_it_is_released() {
    let mut rng = Rng::new(42);
    let data = noise(&mut rng, 300);
    let mut with = pair(DeflateParams::default());
    assert_eq!(with.server.compressor_held(), 0);
    let mut lens = Vec::new();
    for round in 0..3 {
        lens.push(send(&mut with.server, &data, true));
        assert!(with.server.compressor_held() > 300_000);
        if round == 1 {
            with.server.release_compressor();
            assert_eq!(with.server.compressor_held(), 0);
        }
    }
    assert!(lens[0] > 300 && lens[1] < 30 && lens[2] < 30, "{lens:?}");
    let expected = [(); 3].map(|()| Seen::Binary(data.clone()));
    assert_eq!(with.deliver_to_client(usize::MAX), expected);

    let mut without = pair(without_takeover());
    send(&mut without.server, &[0; 1000], true);
    assert_eq!(without.server.compressor_held(), 0);
}

#[test]
fn a_job_is_what_sending_does_in_slices() {
    let mut rng = Rng::new(43);
    for params in [DeflateParams::default(), without_takeover()] {
        let mut pair = pair(params);
        let payloads = [
            json(&mut rng, 500_000),
            noise(&mut rng, 100_000),
            json(&mut rng, 300),
        ];
        for data in &payloads {
            let payload = Bytes::from(data.clone());
            assert!(pair.client.will_compress(true, payload.len()));
            let job = pair.client.start_compress(true, true, true, payload);
            let mut job = job.expect("it is to be compressed");
            assert!(pair.client.is_compressing());
            pair.client.send_ping(b"between", Some(KEY));
            while !job.step(50_000) {}
            let before = pair.client.transmit().len();
            let queued = pair.client.finish_compress(job, Some(KEY));
            assert_eq!(pair.client.transmit().len(), before + queued);
            assert!(!pair.client.is_compressing());
        }
        let seen = pair.deliver_to_server(usize::MAX);
        let ping = || Seen::Ping(b"between".to_vec());
        let expected = payloads.map(|data| [ping(), Seen::Binary(data)]);
        assert!(seen == expected.concat());
    }
}

#[test]
fn a_job_is_not_begun_for_what_is_not_compressed_and_not_sent_after_a_close_frame() {
    let mut pair = pair(without_takeover());
    let now = pair.now;
    let server = &mut pair.server;
    let zeros = Bytes::from_static(&[0; 100]);
    assert!(
        server
            .start_compress(true, true, false, zeros.clone())
            .is_none()
    );
    assert!(
        server
            .start_compress(true, true, true, zeros.slice(1..))
            .is_none()
    );
    assert!(server.transmit().is_empty());
    let job = server
        .start_compress(true, true, true, zeros.clone())
        .unwrap();
    server.send_close(None, b"", None, now);
    assert_eq!(server.finish_compress(job, None), 0);
    assert!(server.start_compress(true, true, true, zeros).is_none());
    assert_eq!(take_all(server), [0x88, 0]);
}

#[test]
fn large_compressed_payloads_are_masked_where_they_are() {
    let mut rng = Rng::new(44);
    let data = noise(&mut rng, 2 * COMPRESSED_SHARED_MIN);
    let mut pair = pair(DeflateParams::default());
    let payload = SendPayload::Shared(Bytes::from(data.clone()));
    pair.client
        .send_message(true, true, true, payload, Some(KEY));
    assert!(pair.deliver_to_server(1000) == [Seen::Binary(data)]);
}

#[test]
fn random_conversations_arrive_as_they_were_sent() {
    let mut rng = Rng::new(45);
    for _ in 0..100 {
        let flag = |rng: &mut Rng| rng.below(2) == 0;
        let bits = |rng: &mut Rng| (rng.below(2) == 0).then(|| 8 + rng.below(8) as u8);
        let params = DeflateParams {
            server_no_context_takeover: flag(&mut rng),
            client_no_context_takeover: flag(&mut rng),
            server_max_window_bits: bits(&mut rng),
            client_max_window_bits: bits(&mut rng),
        };
        let mut pair = pair(params);
        let mut expected = Vec::new();
        let mut message: Option<(bool, Vec<u8>)> = None;
        for _ in 0..rng.below(40) {
            let len = rng.below(40) * rng.below(40);
            let payload = json(&mut rng, len);
            let key = Some((rng.next() as u32).to_ne_bytes());
            let [binary, fin, compress] = [(); 3].map(|()| flag(&mut rng));
            let sent = SendPayload::Copied(&payload);
            pair.client.send_message(binary, fin, compress, sent, key);
            if rng.below(5) == 0 {
                pair.client.release_compressor();
            }
            let (binary, mut data) = message.take().unwrap_or((binary, Vec::new()));
            data.extend_from_slice(&payload);
            match fin {
                false => message = Some((binary, data)),
                true if binary => expected.push(Seen::Binary(data)),
                true => expected.push(Seen::Text(data)),
            }
        }
        let size = 1 + rng.below(400);
        assert_eq!(pair.deliver_to_server(size), expected);
    }
}

#[test]
fn what_was_negotiated_is_what_is_sent() {
    let mut rng = Rng::new(46);
    let client = DeflateOptions {
        client_max_window_bits: MaxWindowBits::Bits(10),
        ..DeflateOptions::default()
    };
    let server = DeflateOptions {
        server_no_context_takeover: Some(true),
        ..DeflateOptions::default()
    };
    let parse = |header: &str| crate::proto::extension::parse(header).unwrap();
    let offer = deflate::offer(&client);
    let accepted = deflate::accept_offer(&parse(&offer), &server)
        .unwrap()
        .unwrap();
    let params = deflate::accept_response(&parse(&accepted.header), &client).unwrap();
    assert_eq!(params, accepted.params);
    let mut pair = pair(params);
    for _ in 0..3 {
        let data = json(&mut rng, 20_000);
        send(&mut pair.client, &data, true);
        send(&mut pair.server, &data, true);
        assert_eq!(pair.deliver_to_server(777), [Seen::Binary(data.clone())]);
        assert_eq!(pair.deliver_to_client(777), [Seen::Binary(data)]);
    }
}

#[test]
fn the_state_of_compression_is_small() {
    let mut connection = Connection::new(ConnectionConfig::new(config(Role::Server)));
    let data = compressed(
        true,
        Opcode::Text,
        b"\xf2\x48\xcd\xc9\xc9\x07\x00",
        Some(KEY),
    );
    connection.enable_deflate(&without_takeover(), &DeflateOptions::default());
    let mut seen = Vec::new();
    feed(&mut connection.receiver, &data, &mut seen);
    assert_eq!(seen, [text("Hello")]);
    assert_eq!(connection.buffered(), 0);
}
