use super::*;

const SERVER: HeaderRules = HeaderRules {
    role: Role::Server,
    fragmented: false,
    rsv1_allowed: false,
};
const CLIENT: HeaderRules = HeaderRules {
    role: Role::Client,
    ..SERVER
};

fn refused(input: &[u8], rules: HeaderRules) -> ProtocolError {
    parse_header(input, rules).unwrap_err()
}

#[test]
fn headers_come_back_from_their_bytes_at_every_length_form() {
    for (payload_len, expected_len) in [
        (0, 2),
        (125, 2),
        (126, 4),
        (0xffff, 4),
        (0x1_0000, 10),
        (MAX_PAYLOAD_LEN, 10),
    ] {
        for mask in [None, Some([1, 2, 3, 4])] {
            for (opcode, fragmented) in [
                (Opcode::Text, false),
                (Opcode::Binary, false),
                (Opcode::Continuation, true),
            ] {
                for fin in [false, true] {
                    let role = if mask.is_some() {
                        Role::Server
                    } else {
                        Role::Client
                    };
                    let rules = HeaderRules {
                        role,
                        fragmented,
                        rsv1_allowed: false,
                    };
                    let mut out = [0; MAX_HEADER_LEN];
                    let len = encode_header(&mut out, fin, false, opcode, payload_len, mask);
                    assert_eq!(len, expected_len + if mask.is_some() { 4 } else { 0 });
                    let header = FrameHeader {
                        fin,
                        rsv1: false,
                        rsv2: false,
                        rsv3: false,
                        opcode,
                        mask,
                        payload_len,
                    };
                    assert_eq!(
                        parse_header(&out, rules),
                        Ok(HeaderParse::Complete { header, len })
                    );
                    for cut in 0..len {
                        let known = (mask.is_some() && cut >= expected_len)
                            .then_some((opcode, payload_len));
                        assert_eq!(
                            parse_header(&out[..cut], rules),
                            Ok(HeaderParse::Incomplete { known }),
                            "cut at {cut}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn rfc_examples() {
    // RFC 6455 section 5.7
    let HeaderParse::Complete { header, len } =
        parse_header(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f], SERVER).unwrap()
    else {
        panic!("incomplete")
    };
    assert_eq!((len, header.payload_len), (6, 5));
    assert_eq!((header.fin, header.opcode), (true, Opcode::Text));
    assert_eq!(header.mask, Some([0x37, 0xfa, 0x21, 0x3d]));
}

#[test]
fn lengths_in_a_longer_form_are_accepted_as_ws_does() {
    for input in [
        &[0x82, 126, 0, 5][..],
        &[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 5][..],
    ] {
        let HeaderParse::Complete { header, len } = parse_header(input, CLIENT).unwrap() else {
            panic!("incomplete")
        };
        assert_eq!((header.payload_len, len), (5, input.len()));
    }
}

#[test]
fn violations_show_at_the_second_byte() {
    let inside = HeaderRules {
        fragmented: true,
        ..SERVER
    };
    let deflate = HeaderRules {
        rsv1_allowed: true,
        ..SERVER
    };
    let table = [
        (0xa1, 0x80, SERVER, ProtocolError::UnexpectedRsv23),
        (0x91, 0x80, SERVER, ProtocolError::UnexpectedRsv23),
        (0xc1, 0x80, SERVER, ProtocolError::UnexpectedRsv1),
        (
            0xc0,
            0x80,
            HeaderRules {
                rsv1_allowed: true,
                ..inside
            },
            ProtocolError::UnexpectedRsv1,
        ),
        (0xc9, 0x80, deflate, ProtocolError::UnexpectedRsv1),
        (0x80, 0x80, SERVER, ProtocolError::InvalidOpcode(0)),
        (0x81, 0x80, inside, ProtocolError::InvalidOpcode(1)),
        (0x82, 0x80, inside, ProtocolError::InvalidOpcode(2)),
        (0x09, 0x80, SERVER, ProtocolError::ExpectedFin),
        (0x08, 0x80, SERVER, ProtocolError::ExpectedFin),
        (
            0x89,
            0xfe,
            SERVER,
            ProtocolError::InvalidControlPayloadLength(126),
        ),
        (
            0x8a,
            0xff,
            SERVER,
            ProtocolError::InvalidControlPayloadLength(127),
        ),
        (
            0x88,
            0x81,
            SERVER,
            ProtocolError::InvalidControlPayloadLength(1),
        ),
        (0x81, 0x00, SERVER, ProtocolError::ExpectedMask),
        (0x81, 0x80, CLIENT, ProtocolError::UnexpectedMask),
        // The first of several violations, in the order of ws.
        (0xf3, 0x00, SERVER, ProtocolError::UnexpectedRsv23),
        (0xc3, 0x00, SERVER, ProtocolError::UnexpectedRsv1),
        (0x49, 0x7f, deflate, ProtocolError::ExpectedFin),
        (0x83, 0x00, SERVER, ProtocolError::InvalidOpcode(3)),
    ];
    for (first, second, rules, error) in table {
        assert_eq!(
            refused(&[first, second], rules),
            error,
            "{first:#x} {second:#x}"
        );
        assert_eq!(
            parse_header(&[first], rules),
            Ok(HeaderParse::Incomplete { known: None }),
            "one byte decides nothing"
        );
    }
    for reserved in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        assert_eq!(
            refused(&[0x80 | reserved, 0x80], SERVER),
            ProtocolError::InvalidOpcode(reserved)
        );
    }
    let rsv1 = parse_header(&[0xc1, 0x80, 0, 0, 0, 0], deflate).unwrap();
    assert!(matches!(rsv1, HeaderParse::Complete { header, .. } if header.rsv1));
}

#[test]
fn lengths_over_2_53_are_refused_before_the_masking_key() {
    for length in [1 << 53, 1 << 63, u64::MAX] {
        let mut input = vec![0x82, 0xff];
        input.extend_from_slice(&u64::to_be_bytes(length));
        assert_eq!(
            refused(&input, SERVER),
            ProtocolError::UnsupportedDataPayloadLength
        );
    }
}
