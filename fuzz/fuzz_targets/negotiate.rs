//! Any offer is answered with what its client takes, or refused; any answer is taken or refused.

#![no_main]

use hawser::proto::Role;
use hawser::proto::deflate::{DeflateOptions, MaxWindowBits, accept_offer, accept_response, offer};
use hawser::proto::extension;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Options {
    server_no_context_takeover: Option<bool>,
    client_no_context_takeover: Option<bool>,
    server_max_window_bits: Result<u8, Option<bool>>,
    client_max_window_bits: Result<u8, Option<bool>>,
}

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    client: Options,
    server: Options,
    header: &'a str,
}

fuzz_target!(|input: Input| {
    let (client, server) = (options(&input.client), options(&input.server));
    if let Ok(extensions) = extension::parse(input.header) {
        let _ = accept_response(&extensions, &client);
        if let Ok(Some(accepted)) = accept_offer(&extensions, &server) {
            let answer = extension::parse(&accepted.header).expect("our own header");
            let params = accepted.params;
            assert!((9..=15).contains(&params.encoder_window_bits(Role::Server)));
            assert!((8..=15).contains(&params.decoder_window_bits(Role::Server)));
            // A client without wishes takes it, unless it is to compress with less than 9 bits.
            let judged = accept_response(&answer, &DeflateOptions::default());
            let eight = params.client_max_window_bits == Some(8);
            assert_eq!(judged.ok(), (!eight).then_some(params));
        }
    }
    let extensions = extension::parse(&offer(&client)).expect("our own header");
    let _ = accept_offer(&extensions, &server);
});

fn options(options: &Options) -> DeflateOptions {
    DeflateOptions {
        server_no_context_takeover: options.server_no_context_takeover,
        client_no_context_takeover: options.client_no_context_takeover,
        server_max_window_bits: max_window_bits(&options.server_max_window_bits),
        client_max_window_bits: max_window_bits(&options.client_max_window_bits),
        ..DeflateOptions::default()
    }
}

fn max_window_bits(option: &Result<u8, Option<bool>>) -> MaxWindowBits {
    match option {
        Ok(bits) => MaxWindowBits::Bits(8 + bits % 8),
        Err(Some(true)) => MaxWindowBits::Allowed,
        Err(Some(false)) => MaxWindowBits::Refused,
        Err(None) => MaxWindowBits::Unset,
    }
}
