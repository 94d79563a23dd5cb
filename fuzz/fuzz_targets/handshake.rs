//! Any request, response or extension header is parsed or refused, in one piece or in many alike.
//! Of two faults the one that is reported may depend on what has arrived.

#![no_main]

use hawser::proto::extension;
use hawser::proto::handshake::{HeadScan, Parsed, client, server};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    request(data);
    response(data);
    if let Ok(header) = std::str::from_utf8(data)
        && let Ok(parsed) = extension::parse(header)
    {
        assert_eq!(extension::parse(&extension::format(&parsed)), Ok(parsed));
    }
});

fn request(data: &[u8]) {
    let whole = server::parse_request(data);
    let mut scan = HeadScan::default();
    let grown = (0..=data.len())
        .map(|n| server::parse_request_with(&mut scan, &data[..n]))
        .find(|result| *result != Ok(Parsed::Incomplete));
    let grown = grown.unwrap_or(Ok(Parsed::Incomplete));
    assert_eq!(grown.ok(), whole.clone().ok());

    if let Ok(Parsed::Complete { value, consumed }) = whole {
        assert!(consumed <= data.len());
        if server::is_upgrade(&value)
            && let Err(refusal) = server::check_upgrade(&value)
        {
            let mut out = Vec::new();
            server::write_refusal(&mut out, &refusal);
            assert!(matches!(
                client::parse_response(&out),
                Ok(Parsed::Complete { .. })
            ));
        }
    }
}

fn response(data: &[u8]) {
    let whole = client::parse_response(data);
    let mut scan = HeadScan::default();
    let grown = (0..=data.len())
        .map(|n| client::parse_response_with(&mut scan, &data[..n]))
        .find(|result| *result != Ok(Parsed::Incomplete));
    let grown = grown.unwrap_or(Ok(Parsed::Incomplete));
    assert_eq!(grown.ok(), whole.clone().ok());

    if let Ok(Parsed::Complete { value, consumed }) = whole {
        assert!(consumed <= data.len());
        let _ = client::check_response(&value, "dGhlIHNhbXBsZSBub25jZQ==", &[], true);
    }
}
