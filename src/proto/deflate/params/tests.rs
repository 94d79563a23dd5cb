use super::*;

fn parsed(header: &str) -> Vec<Extension> {
    extension::parse(header).unwrap()
}

fn server(options: &DeflateOptions, header: &str) -> Result<Option<String>, String> {
    match accept_offer(&parsed(header), options) {
        Ok(accepted) => Ok(accepted.map(|accepted| accepted.header)),
        Err(error) => Err(error.to_string()),
    }
}

fn client(options: &DeflateOptions, header: &str) -> Result<DeflateParams, String> {
    accept_response(&parsed(header), options).map_err(|error| error.to_string())
}

fn options(change: impl FnOnce(&mut DeflateOptions)) -> DeflateOptions {
    let mut options = DeflateOptions::default();
    change(&mut options);
    options
}

const NONE_ACCEPTABLE: &str = "None of the extension offers can be accepted";

#[test]
fn a_client_offers_what_its_options_say() {
    let table = [
        (
            DeflateOptions::default(),
            "permessage-deflate; client_max_window_bits",
        ),
        (
            options(|o| o.client_max_window_bits = MaxWindowBits::Refused),
            "permessage-deflate",
        ),
        (
            options(|o| o.client_max_window_bits = MaxWindowBits::Allowed),
            "permessage-deflate; client_max_window_bits",
        ),
        (
            options(|o| {
                o.server_no_context_takeover = Some(true);
                o.client_no_context_takeover = Some(true);
                o.server_max_window_bits = MaxWindowBits::Bits(8);
                o.client_max_window_bits = MaxWindowBits::Bits(12);
            }),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=8; client_max_window_bits=12",
        ),
        (
            options(|o| {
                o.server_no_context_takeover = Some(false);
                o.client_no_context_takeover = Some(false);
                o.server_max_window_bits = MaxWindowBits::Refused;
                o.client_max_window_bits = MaxWindowBits::Bits(8);
            }),
            "permessage-deflate; client_max_window_bits=9",
        ),
    ];
    for (options, expected) in table {
        assert_eq!(offer(&options), expected);
    }
}

#[test]
fn a_server_answers_an_offer_parameter_by_parameter() {
    let default = DeflateOptions::default();
    let table = [
        ("permessage-deflate", "permessage-deflate"),
        (
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate",
        ),
        // what was offered comes back in its order
        (
            "permessage-deflate; client_max_window_bits=10; server_max_window_bits=\"11\"; \
             client_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits=10; server_max_window_bits=11; \
             client_no_context_takeover; server_no_context_takeover",
        ),
        ("other, permessage-deflate, x; y=1", "permessage-deflate"),
    ];
    for (header, answer) in table {
        assert_eq!(server(&default, header), Ok(Some(answer.to_owned())));
    }
    assert_eq!(server(&default, "other; permessage-deflate"), Ok(None));

    let all = options(|o| {
        o.server_no_context_takeover = Some(true);
        o.client_no_context_takeover = Some(true);
        o.server_max_window_bits = MaxWindowBits::Bits(10);
        o.client_max_window_bits = MaxWindowBits::Bits(11);
    });
    assert_eq!(
        server(&all, "permessage-deflate; client_max_window_bits"),
        Ok(Some(
            "permessage-deflate; client_max_window_bits=11; server_no_context_takeover; \
             client_no_context_takeover; server_max_window_bits=10"
                .to_owned()
        ))
    );
    let accepted = accept_offer(&parsed("permessage-deflate; client_max_window_bits"), &all);
    let params = accepted.unwrap().unwrap().params;
    assert_eq!(
        params,
        DeflateParams {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: Some(10),
            client_max_window_bits: Some(11),
        }
    );
    assert_eq!(params.encoder_window_bits(Role::Server), 10);
    assert_eq!(params.decoder_window_bits(Role::Server), 11);
    assert!(!params.encoder_takeover(Role::Server) && !params.decoder_takeover(Role::Client));

    let refused = options(|o| o.client_max_window_bits = MaxWindowBits::Refused);
    assert_eq!(
        server(&refused, "permessage-deflate; client_max_window_bits=10"),
        Ok(Some("permessage-deflate".to_owned()))
    );
}

#[test]
fn the_first_offer_that_the_options_allow_is_taken() {
    let table: [(DeflateOptions, &str, &str); 4] = [
        (
            options(|o| o.server_no_context_takeover = Some(false)),
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate",
        ),
        (
            options(|o| o.server_max_window_bits = MaxWindowBits::Refused),
            "permessage-deflate; server_max_window_bits=15",
            "permessage-deflate; client_no_context_takeover",
        ),
        (
            options(|o| o.server_max_window_bits = MaxWindowBits::Bits(12)),
            "permessage-deflate; server_max_window_bits=11",
            "permessage-deflate; server_max_window_bits=12",
        ),
        (
            options(|o| o.client_max_window_bits = MaxWindowBits::Bits(12)),
            "permessage-deflate; client_max_window_bits=11",
            "permessage-deflate; client_max_window_bits=12",
        ),
    ];
    for (options, declined, taken) in table {
        assert_eq!(server(&options, declined), Err(NONE_ACCEPTABLE.to_owned()));
        let both = format!("{declined}, {taken}");
        assert_eq!(server(&options, &both), Ok(Some(taken.to_owned())));
    }
    // 7.1.2.2: the parameter must not be in the answer to an offer without it
    let bits = options(|o| o.client_max_window_bits = MaxWindowBits::Bits(15));
    assert_eq!(
        server(&bits, "permessage-deflate"),
        Err(NONE_ACCEPTABLE.to_owned())
    );
}

#[test]
fn malformed_parameters_have_the_texts_of_ws_whichever_offer_they_are_in() {
    let table = [
        ("foo", "Unknown parameter \"foo\""),
        ("foo=1", "Unknown parameter \"foo\""),
        (
            "client_no_context_takeover; client_no_context_takeover",
            "Parameter \"client_no_context_takeover\" must have only a single value",
        ),
        (
            "server_no_context_takeover=10",
            "Invalid value for parameter \"server_no_context_takeover\": 10",
        ),
        (
            "client_no_context_takeover=true",
            "Invalid value for parameter \"client_no_context_takeover\": true",
        ),
        (
            "server_max_window_bits",
            "Invalid value for parameter \"server_max_window_bits\": true",
        ),
        (
            "server_max_window_bits=7",
            "Invalid value for parameter \"server_max_window_bits\": 7",
        ),
        (
            "client_max_window_bits=16",
            "Invalid value for parameter \"client_max_window_bits\": 16",
        ),
        (
            "client_max_window_bits=bla",
            "Invalid value for parameter \"client_max_window_bits\": bla",
        ),
    ];
    for (params, text) in table {
        let header = format!("permessage-deflate, permessage-deflate; {params}");
        assert_eq!(
            server(&DeflateOptions::default(), &header),
            Err(text.to_owned())
        );
        assert_eq!(
            client(&DeflateOptions::default(), &header),
            Err(text.to_owned())
        );
    }
    assert_eq!(
        client(
            &DeflateOptions::default(),
            "permessage-deflate; client_max_window_bits"
        ),
        Err("Invalid value for parameter \"client_max_window_bits\": true".to_owned())
    );
}

#[test]
fn window_bits_are_numbers_as_javascript_reads_them() {
    for good in [
        "10", "010", "+10", "10.0", "10.", "1e1", "100E-1", "0xa", "0XA", "0o12", "0b1010",
    ] {
        assert_eq!(window_bits(good), Some(10), "{good}");
    }
    for bad in [
        "7",
        "16",
        "-10",
        "10.5",
        "1e2",
        "nan",
        "inf",
        "Infinity",
        "ten",
        "0x",
        "0x+a",
        "+0xa",
        "10n",
        "1_0",
        ".",
        "e1",
        "99999999999999999999",
        "0xfffffffffffffffff",
    ] {
        assert_eq!(window_bits(bad), None, "{bad}");
    }
}

#[test]
fn a_client_judges_the_answer() {
    let default = DeflateOptions::default();
    assert_eq!(
        client(&default, "permessage-deflate"),
        Ok(DeflateParams::default())
    );
    let full = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                server_max_window_bits=8; client_max_window_bits=9";
    let params = client(&default, full).unwrap();
    assert_eq!(params.decoder_window_bits(Role::Client), 8);
    assert_eq!(params.encoder_window_bits(Role::Client), 9);
    assert!(!params.encoder_takeover(Role::Client) && !params.decoder_takeover(Role::Client));

    let strict = options(|o| o.client_no_context_takeover = Some(false));
    assert_eq!(
        client(&strict, full),
        Err("Unexpected parameter \"client_no_context_takeover\"".to_owned())
    );
    let bits = options(|o| o.client_max_window_bits = MaxWindowBits::Bits(10));
    assert_eq!(
        client(&bits, "permessage-deflate").map(|p| p.client_max_window_bits),
        Ok(Some(10)),
        "what was offered holds without an answer too"
    );
    let refused = options(|o| o.client_max_window_bits = MaxWindowBits::Refused);
    for (options, value) in [(&bits, 11), (&refused, 15), (&refused, 9)] {
        assert_eq!(
            client(
                options,
                &format!("permessage-deflate; client_max_window_bits={value}")
            ),
            Err("Unexpected or invalid parameter \"client_max_window_bits\"".to_owned())
        );
    }
}

#[test]
fn a_window_of_8_bits_is_for_the_peer_only() {
    let default = DeflateOptions::default();
    let eight = "permessage-deflate; server_max_window_bits=8";
    assert_eq!(server(&default, eight), Err(NONE_ACCEPTABLE.to_owned()));
    assert_eq!(
        server(&default, &format!("{eight}, permessage-deflate")),
        Ok(Some("permessage-deflate".to_owned()))
    );
    assert_eq!(
        server(&default, "permessage-deflate; client_max_window_bits=8"),
        Ok(Some(
            "permessage-deflate; client_max_window_bits=8".to_owned()
        ))
    );
    assert_eq!(
        client(&default, "permessage-deflate; client_max_window_bits=8"),
        Err("Unexpected or invalid parameter \"client_max_window_bits\"".to_owned())
    );
    let own = options(|o| o.server_max_window_bits = MaxWindowBits::Bits(8));
    assert_eq!(
        server(&own, "permessage-deflate; server_max_window_bits=9"),
        Ok(Some(
            "permessage-deflate; server_max_window_bits=9".to_owned()
        ))
    );
    let params = DeflateParams {
        server_max_window_bits: Some(8),
        ..DeflateParams::default()
    };
    assert_eq!(params.encoder_window_bits(Role::Server), 9);
}
