use super::*;
use crate::proto::handshake::MAX_HEAD_LEN;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn parse(text: impl AsRef<[u8]>) -> Response {
    match parse_response(text.as_ref()) {
        Ok(Parsed::Complete { value, .. }) => value,
        other => panic!("{other:?}"),
    }
}

fn offer(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

#[test]
fn requests_are_written_in_order() {
    let headers = [
        ("Host".to_owned(), "example.com".to_owned()),
        (
            "Sec-WebSocket-Key".to_owned(),
            encode_key(*b"the sample nonce"),
        ),
        ("X-Latin".to_owned(), "caf\u{e9}\t".to_owned()),
    ];
    let mut out = Vec::new();
    write_request(
        &mut out,
        &ClientRequest {
            target: "/a?b=%20",
            headers: &headers,
        },
    )
    .unwrap();
    assert_eq!(
        out,
        b"GET /a?b=%20 HTTP/1.1\r\nHost: example.com\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Latin: caf\xe9\t\r\n\r\n"
    );
}

#[test]
fn nothing_can_be_injected_into_a_request() {
    let refused = |target: &str, name: &str, value: &str| {
        let mut out = Vec::new();
        let headers = [(name.to_owned(), value.to_owned())];
        let error = write_request(
            &mut out,
            &ClientRequest {
                target,
                headers: &headers,
            },
        );
        assert!(out.is_empty());
        error.unwrap_err()
    };
    for target in ["", "/a b", "/\r\nX: y", "/\0", "/\u{20ac}", "/\x7f"] {
        assert_eq!(
            refused(target, "A", "b"),
            HandshakeError::InvalidTarget,
            "{target:?}"
        );
    }
    for name in ["", "A B", "A:", "A\r\n", "\u{e9}"] {
        let error = refused("/", name, "b");
        assert_eq!(error.code(), Some("ERR_INVALID_HTTP_TOKEN"), "{name:?}");
    }
    for value in ["a\r\nB: c", "a\rb", "a\nb", "a\0b", "\u{20ac}", "\x7f"] {
        let error = refused("/", "A", value);
        assert_eq!(
            error.to_string(),
            "Invalid character in header content [\"A\"]"
        );
    }
}

#[test]
fn a_good_response_is_accepted() {
    let response = parse(RESPONSE);
    assert_eq!(
        (response.status, &*response.reason),
        (101, "Switching Protocols")
    );
    assert_eq!(
        check_response(&response, KEY, &[], false),
        Ok(Accepted {
            protocol: None,
            extensions: None
        })
    );
    let chosen = "\r\nSec-WebSocket-Protocol: b\r\nSec-WebSocket-Extensions: x; y\r\n\r\n";
    let response = parse(
        RESPONSE
            .replace("\r\n\r\n", chosen)
            .replace("websocket", "WebSocket")
            .replace("Connection: Upgrade", "connection: foo, upgrade"),
    );
    assert_eq!(
        check_response(&response, KEY, &offer(&["a", "b"]), true),
        Ok(Accepted {
            protocol: Some("b".into()),
            extensions: Some("x; y".into())
        })
    );
}

#[test]
fn bad_responses_have_the_texts_of_ws() {
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let bad_accept = "Invalid Sec-WebSocket-Accept header";
    let extension = "Server sent a Sec-WebSocket-Extensions header but no extension was requested";
    let none: &[&str] = &[];
    let table = [
        (
            "101 Switching Protocols",
            "401 Unauthorized",
            none,
            "Unexpected server response: 401",
        ),
        (
            "101 Switching Protocols",
            "200",
            none,
            "Unexpected server response: 200",
        ),
        (
            "Upgrade: websocket\r\n",
            "",
            none,
            "Unexpected server response: 101",
        ),
        (
            "Connection: Upgrade\r\n",
            "",
            none,
            "Unexpected server response: 101",
        ),
        (
            "Connection: Upgrade",
            "Connection: close",
            none,
            "Unexpected server response: 101",
        ),
        (
            "Upgrade: websocket",
            "Upgrade: foo",
            none,
            "Invalid Upgrade header",
        ),
        (
            "Upgrade: websocket",
            "Upgrade: websocket\r\nUpgrade: websocket",
            none,
            "Invalid Upgrade header",
        ),
        (accept, "X: y", none, bad_accept),
        ("s3pPLM", "S3pPLM", none, bad_accept),
        (accept, &format!("{accept}\r\n{accept}"), none, bad_accept),
        (
            accept,
            &format!("{accept}\r\nSec-WebSocket-Protocol: a"),
            none,
            "Server sent a subprotocol but none was requested",
        ),
        (
            accept,
            &format!("{accept}\r\nSec-WebSocket-Protocol: c"),
            &["a", "b"],
            "Server sent an invalid subprotocol",
        ),
        (
            accept,
            &format!("{accept}\r\nSec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b"),
            &["a", "b"],
            "Server sent an invalid subprotocol",
        ),
        (accept, accept, &["a"], "Server sent no subprotocol"),
        (
            accept,
            &format!("{accept}\r\nSec-WebSocket-Extensions: foo"),
            none,
            extension,
        ),
    ];
    for (from, to, offered, text) in table {
        let response = parse(RESPONSE.replacen(from, to, 1));
        let error = check_response(&response, KEY, &offer(offered), false).unwrap_err();
        assert_eq!((&*error.to_string(), error.code()), (text, None), "{to:?}");
    }
}

#[test]
fn malformed_responses_have_the_texts_of_node() {
    let long = format!("HTTP/1.1 101 S\r\nA: {}", "b".repeat(64 * 1024));
    let many = format!("HTTP/1.1 101 S\r\n{}\r\n", "A: b\r\n".repeat(2000));
    let table = [
        (
            "FOO",
            "Expected HTTP/, RTSP/ or ICE/",
            "HPE_INVALID_CONSTANT",
        ),
        (
            "\x15\x03\x03\0\x02\x02",
            "Expected HTTP/, RTSP/ or ICE/",
            "HPE_INVALID_CONSTANT",
        ),
        (
            "HTTP/1.1 abc S\r\n\r\n",
            "Invalid status code",
            "HPE_INVALID_STATUS",
        ),
        (
            "HTTP/9.1 101 S\r\n\r\n",
            "Invalid HTTP version",
            "HPE_INVALID_VERSION",
        ),
        (
            "HTTP/1.1 101 S\r\nA B: c\r\n\r\n",
            "Invalid header token",
            "HPE_INVALID_HEADER_TOKEN",
        ),
        (
            "HTTP/1.1 101 S\r\nA: b\r\n folded\r\n\r\n",
            "Invalid header token",
            "HPE_INVALID_HEADER_TOKEN",
        ),
        (
            "HTTP/1.1 101 S\r\nA: b\x01\r\n\r\n",
            "Invalid header value char",
            "HPE_INVALID_HEADER_TOKEN",
        ),
        (
            "HTTP/1.1 101 S\nA: b\n\n",
            "Missing expected CR",
            "HPE_CR_EXPECTED",
        ),
        (&long, "Header overflow", "HPE_HEADER_OVERFLOW"),
        (&many, "Header overflow", "HPE_HEADER_OVERFLOW"),
    ];
    for (text, reason, code) in table {
        let error = parse_response(text.as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("Parse Error: {reason}"),
            "{text:.40}"
        );
        assert_eq!(error.code(), Some(code));
    }
}

#[test]
fn a_response_may_come_byte_by_byte_with_frames_behind() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let bytes = format!("{interim}{interim}{RESPONSE}\u{1}\u{2}");
    let end = bytes.len() - 2;
    let mut scan = HeadScan::default();
    for len in 0..end {
        let part = &bytes.as_bytes()[..len];
        assert_eq!(parse_response(part), Ok(Parsed::Incomplete), "{len}");
        assert_eq!(
            parse_response_with(&mut scan, part),
            Ok(Parsed::Incomplete),
            "{len}"
        );
    }
    for result in [
        parse_response(bytes.as_bytes()),
        parse_response_with(&mut scan, bytes.as_bytes()),
    ] {
        match result {
            Ok(Parsed::Complete { value, consumed }) => {
                assert_eq!((value.status, consumed), (101, end));
            }
            other => panic!("{other:?}"),
        }
    }
    let endless = interim.repeat(MAX_HEAD_LEN / interim.len() + 1);
    let error = parse_response(endless.as_bytes()).unwrap_err();
    assert_eq!(error.code(), Some("HPE_HEADER_OVERFLOW"));
}

#[test]
fn the_chosen_extensions_are_those_on_offer() {
    let options = DeflateOptions::default();
    let check = |value| check_extensions(value, &options).map_err(|error| error.to_string());
    assert_eq!(check(None), Ok(None));
    let params = check(Some("permessage-deflate; server_no_context_takeover"));
    assert!(params.unwrap().unwrap().server_no_context_takeover);
    let unrequested = "Server indicated an extension that was not requested";
    let invalid = "Invalid Sec-WebSocket-Extensions header";
    for (value, text) in [
        ("foo", unrequested),
        ("permessage-deflate, foo", unrequested),
        ("permessage-deflate;", invalid),
        ("", invalid),
        ("permessage-deflate; client_max_window_bits", invalid),
        ("permessage-deflate; client_max_window_bits=8", invalid),
    ] {
        assert_eq!(check(Some(value)), Err(text.to_owned()), "{value}");
    }
}
