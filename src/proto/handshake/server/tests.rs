use super::*;
use crate::proto::handshake::MAX_HEAD_LEN;
use crate::proto::testing::Rng;

const REQUEST: &str = "GET /chat?room=1 HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: WebSocket\r\n\
    Connection: keep-alive, Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

fn parse(text: impl AsRef<[u8]>) -> Result<Request, Refusal> {
    match parse_request(text.as_ref())? {
        Parsed::Complete { value, .. } => Ok(value),
        Parsed::Incomplete => panic!("incomplete"),
    }
}

/// The upgrade of [`REQUEST`] with one piece of it replaced.
fn upgrade_with(from: &str, to: &str) -> Result<Upgrade, (u16, String)> {
    assert!(REQUEST.contains(from));
    parse(REQUEST.replace(from, to))
        .and_then(|request| check_upgrade(&request))
        .map_err(|refusal| (refusal.status, refusal.message))
}

#[test]
fn a_good_request_is_accepted() {
    let request = parse(REQUEST).unwrap();
    assert_eq!(
        (&*request.method, &*request.target),
        ("GET", "/chat?room=1")
    );
    assert_eq!(request.minor_version, 1);
    assert_eq!(
        request.head.headers[1],
        ("Upgrade".to_owned(), "WebSocket".to_owned())
    );
    assert!(is_upgrade(&request));
    let upgrade = check_upgrade(&request).unwrap();
    assert_eq!(&upgrade.accept, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(
        (upgrade.version, &*upgrade.protocols),
        (13, &["chat".into(), "superchat".into()][..])
    );
    assert_eq!(
        upgrade_with("Version: 13", "Version: 8").unwrap().version,
        8
    );
    assert!(upgrade_with("WebSocket\r\n", "h2c, websocket\r\n").is_ok());
    assert!(upgrade_with("Host", "Content-Length: 0\r\nHost").is_ok());
    let none = upgrade_with("Sec-WebSocket-Protocol", "X-Other").unwrap();
    assert!(none.protocols.is_empty());
}

#[test]
fn what_follows_the_head_is_left_to_the_caller() {
    for (before, after) in [
        ("", ""),
        ("", "\x01\u{2}frames"),
        ("\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"),
    ] {
        let bytes = format!("{before}{REQUEST}{after}");
        match parse_request(bytes.as_bytes()) {
            Ok(Parsed::Complete { consumed, .. }) => {
                assert_eq!(consumed, before.len() + REQUEST.len());
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_head_may_come_byte_by_byte() {
    let mut scan = HeadScan::default();
    for len in 0..REQUEST.len() {
        let part = &REQUEST.as_bytes()[..len];
        assert_eq!(parse_request(part), Ok(Parsed::Incomplete), "{len}");
        assert_eq!(
            parse_request_with(&mut scan, part),
            Ok(Parsed::Incomplete),
            "{len}"
        );
    }
    let whole = parse_request(REQUEST.as_bytes());
    assert!(matches!(whole, Ok(Parsed::Complete { .. })));
    assert_eq!(parse_request_with(&mut scan, REQUEST.as_bytes()), whole);
}

#[test]
fn refusals_are_those_of_ws() {
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let version = "Sec-WebSocket-Version: 13";
    let bad_key = "Missing or invalid Sec-WebSocket-Key header";
    let bad_version = "Missing or invalid Sec-WebSocket-Version header";
    let bad_protocol = "Invalid Sec-WebSocket-Protocol header";
    let body = "Unexpected body in the upgrade request";
    let table = [
        ("GET", "POST", 405, "Invalid HTTP method"),
        (
            "Upgrade: WebSocket",
            "Upgrade: foo",
            400,
            "Invalid Upgrade header",
        ),
        (
            "Upgrade: WebSocket",
            "Upgrade: websockets",
            400,
            "Invalid Upgrade header",
        ),
        ("Upgrade: WebSocket\r\n", "", 400, "Invalid Upgrade header"),
        (key, "X: y", 400, bad_key),
        ("dGhlIHNhbXBsZSBub25jZQ==", "", 400, bad_key),
        (
            "dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub25jZQ=",
            400,
            bad_key,
        ),
        (
            "dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub25jZQAA",
            400,
            bad_key,
        ),
        (
            "dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub25j*Q==",
            400,
            bad_key,
        ),
        (
            "dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub25jZ\u{e9}==",
            400,
            bad_key,
        ),
        (key, &format!("{key}\r\n{key}"), 400, bad_key),
        (version, "X: y", 400, bad_version),
        (version, "Sec-WebSocket-Version: 12", 400, bad_version),
        (version, "Sec-WebSocket-Version: 13, 8", 400, bad_version),
        (
            version,
            &format!("{version}\r\n{version}"),
            400,
            bad_version,
        ),
        ("chat, superchat", "", 400, bad_protocol),
        ("chat, superchat", "chat,", 400, bad_protocol),
        ("chat, superchat", "chat, chat", 400, bad_protocol),
        ("chat, superchat", "ch\u{e9}t", 400, bad_protocol),
        ("Host", "Content-Length: 5\r\nHost", 400, body),
        ("Host", "Transfer-Encoding: chunked\r\nHost", 400, body),
    ];
    for (from, to, status, message) in table {
        assert_eq!(
            upgrade_with(from, to),
            Err((status, message.to_owned())),
            "{to:?}"
        );
    }
    let request = parse(REQUEST.replace("13", "7")).unwrap();
    let refusal = check_request(&request).unwrap_err();
    assert_eq!(
        refusal.headers,
        [("Sec-WebSocket-Version", "13, 8".to_owned())]
    );
}

#[test]
fn malformed_requests_are_400() {
    let folded = REQUEST.replace("Host: ", "X: a\r\n folded\r\nHost: ");
    let table = [
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}",
        "GET\r\n\r\n",
        " GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "\n\n",
        "GET / HTTP/1.1\r\nA B: c\r\n\r\n",
        "GET / HTTP/1.1\r\nA : c\r\n\r\n",
        "GET / HTTP/1.1\r\n: c\r\n\r\n",
        "GET / HTTP/1.1\r\nA\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\0c\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: \r\n\r\n",
        &folded,
    ];
    for text in table {
        assert_eq!(
            parse_request(text.as_bytes()).unwrap_err().status,
            400,
            "{text:?}"
        );
    }
    let endless_method = "A".repeat(40);
    assert_eq!(
        parse_request(endless_method.as_bytes()).unwrap_err().status,
        400
    );
}

#[test]
fn large_heads_are_431() {
    let with = |filler: String| REQUEST.replace("Host", &format!("{filler}Host"));
    let many = with("A: b\r\n".repeat(2000));
    assert!(many.len() < MAX_HEAD_LEN);
    assert_eq!(parse_request(many.as_bytes()).unwrap_err().status, 431);
    let long = with(format!("A: {}\r\n", "b".repeat(64 * 1024)));
    assert_eq!(parse_request(long.as_bytes()).unwrap_err().status, 431);
    // The verdict does not wait for the end of the head.
    assert_eq!(
        parse_request(&long.as_bytes()[..MAX_HEAD_LEN])
            .unwrap_err()
            .status,
        431
    );
    let filler = MAX_HEAD_LEN - with("A: \r\n".to_owned()).len();
    let longest = with(format!("A: {}\r\n", "b".repeat(filler)));
    assert_eq!(longest.len(), MAX_HEAD_LEN);
    assert!(parse(&longest).is_ok());
    assert!(parse(longest + "frames").is_ok());
}

#[test]
fn values_are_latin_1() {
    let request = parse(b"GET / HTTP/1.1\r\nX: caf\xe9\r\nY: caf\xc3\xa9\r\n\r\n").unwrap();
    assert_eq!(request.head.get("x").as_deref(), Some("caf\u{e9}"));
    assert_eq!(request.head.get("y").as_deref(), Some("caf\u{c3}\u{a9}"));
}

#[test]
fn plain_requests_are_told_apart() {
    for (from, to) in [
        ("Upgrade: WebSocket\r\n", ""),
        ("keep-alive, Upgrade", "keep-alive"),
        ("Connection", "X-Connection"),
    ] {
        assert!(!is_upgrade(&parse(REQUEST.replace(from, to)).unwrap()));
    }
    for (keep_alive, connection) in [(true, "keep-alive"), (false, "close")] {
        let mut out = Vec::new();
        write_upgrade_required(&mut out, keep_alive);
        let expected = format!(
            "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 16\r\nConnection: {connection}\r\n\
             Content-Type: text/plain\r\n\r\nUpgrade Required"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn a_request_keeps_the_connection_unless_it_says_otherwise() {
    let plain = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    assert!(keeps_alive(&parse(plain).unwrap()));
    for (from, to) in [
        ("HTTP/1.1", "HTTP/1.0"),
        ("Host: x\r\n", "Connection: close\r\n"),
        ("Host: x\r\n", "Content-Length: 5\r\n"),
        ("Host: x\r\n", "Transfer-Encoding: chunked\r\n"),
    ] {
        assert!(!keeps_alive(&parse(plain.replace(from, to)).unwrap()));
    }
}

#[test]
fn responses_are_written_as_by_ws() {
    let accept = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let mut out = Vec::new();
    write_accept(&mut out, accept, Some("chat"), Some("x; y=1"));
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\
         Sec-WebSocket-Extensions: x; y=1\r\n\r\n"
    );
    let mut out = Vec::new();
    let mut refusal = Refusal::new(400, "Nope \u{e9}");
    refusal
        .headers
        .push(("Sec-WebSocket-Version", "13, 8".to_owned()));
    write_refusal(&mut out, &refusal);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/html\r\n\
         Content-Length: 7\r\nSec-WebSocket-Version: 13, 8\r\n\r\nNope \u{e9}"
    );
}

#[test]
fn mutated_requests_never_panic_and_do_not_depend_on_the_cuts() {
    let mut rng = Rng::new(6);
    for _ in 0..5000 {
        let mut bytes = REQUEST.as_bytes().to_vec();
        for _ in 0..1 + rng.below(5) {
            let at = rng.below(bytes.len());
            match rng.below(4) {
                0 => bytes[at] ^= 1 << rng.below(8),
                1 => bytes.insert(at, rng.next() as u8),
                2 => bytes[at] = b"\r\n :,\t\0"[rng.below(7)],
                _ => drop(bytes.remove(at)),
            }
        }
        let whole = parse_request(&bytes);
        if let Ok(Parsed::Complete { value, consumed }) = &whole {
            assert!(*consumed <= bytes.len());
            let _ = check_upgrade(value);
        }
        let mut scan = HeadScan::default();
        let mut len = 0;
        let pieces = loop {
            len = (len + 1 + rng.below(30)).min(bytes.len());
            match parse_request_with(&mut scan, &bytes[..len]) {
                Ok(Parsed::Incomplete) if len < bytes.len() => {}
                result => break result,
            }
        };
        assert_eq!(pieces, whole, "{:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn extensions_are_negotiated_or_refused() {
    let request = |value: &str| {
        let field = format!("Sec-WebSocket-Extensions: {value}\r\n\r\n");
        let bytes = REQUEST.replacen("\r\n\r\n", &format!("\r\n{field}"), 1);
        match parse_request(bytes.as_bytes()) {
            Ok(Parsed::Complete { value, .. }) => value,
            other => panic!("{other:?}"),
        }
    };
    let options = DeflateOptions::default();
    let header = |value: &str| {
        let accepted = accept_extensions(&request(value), &options);
        accepted.map(|accepted| accepted.map(|accepted| accepted.header))
    };
    let accepted = "permessage-deflate; client_no_context_takeover".to_owned();
    assert_eq!(header(&accepted), Ok(Some(accepted.clone())));
    // fields of the same name are one list
    let two = "other\r\nSec-WebSocket-Extensions: permessage-deflate";
    assert_eq!(header(two), Ok(Some("permessage-deflate".to_owned())));
    assert_eq!(header("other; a=1"), Ok(None));
    for bad in [
        "",
        "permessage-deflate; ",
        "permessage-deflate; foo",
        "permessage-deflate; server_max_window_bits=8",
    ] {
        let refusal = header(bad).unwrap_err();
        let text = "Invalid or unacceptable Sec-WebSocket-Extensions header";
        assert_eq!(
            (refusal.status, refusal.message.as_str()),
            (400, text),
            "{bad}"
        );
    }
}
