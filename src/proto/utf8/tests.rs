use super::*;

fn pieces(data: &[u8], size: usize) -> Result<(), ProtocolError> {
    let mut validator = Utf8Validator::default();
    for piece in data.chunks(size) {
        validator.push(piece)?;
    }
    validator.finish()
}

/// The number of bytes that `push` takes, one by one, before it refuses.
fn accepted_bytes(data: &[u8]) -> usize {
    let mut validator = Utf8Validator::default();
    data.iter()
        .take_while(|&&byte| validator.push(&[byte]).is_ok())
        .count()
}

#[test]
fn boundaries_of_rfc_3629() {
    let valid = [
        0x00, 0x7f, 0x80, 0x7ff, 0x800, 0xfff, 0x1000, 0xcfff, 0xd7ff, 0xe000, 0xfffd, 0xfffe,
        0xffff, 0x10000, 0x3ffff, 0x40000, 0xfffff, 0x100000, 0x10ffff,
    ];
    for code in valid {
        let text = format!("a{}b", char::from_u32(code).unwrap());
        for size in 1..=text.len() {
            assert_eq!(
                pieces(text.as_bytes(), size),
                Ok(()),
                "U+{code:x} in pieces of {size}"
            );
        }
        assert_eq!(validate(text.as_bytes()), Ok(()));
    }
}

#[test]
fn invalid_sequences_are_refused_at_the_byte_that_spoils_them() {
    // The bytes, and the index of the first that cannot be continued to valid UTF-8.
    let table: [(&[u8], usize); 25] = [
        (b"\x80", 0),
        (b"\xbf", 0),
        (b"\xc0\x80", 0),
        (b"\xc1\xbf", 0),
        (b"\xc2\x41", 1),
        (b"\xc2\xc2", 1),
        (b"\xe0\x80\x80", 1),
        (b"\xe0\x9f\xbf", 1),
        (b"\xe1\x80\x41", 2),
        (b"\xed\xa0\x80", 1),
        (b"\xed\xbf\xbf", 1),
        (b"\xed\xa0\xbd\xed\xb8\x80", 1),
        (b"\xf0\x80\x80\x80", 1),
        (b"\xf0\x8f\xbf\xbf", 1),
        (b"\xf0\x90\x80\x7f", 3),
        (b"\xf1\x80\xc0\x80", 2),
        (b"\xf4\x90\x80\x80", 1),
        (b"\xf5\x80\x80\x80", 0),
        (b"\xf8\x88\x80\x80\x80", 0),
        (b"\xfc\x84\x80\x80\x80\x80", 0),
        (b"\xfe", 0),
        (b"\xff", 0),
        (b"ok\x80", 2),
        (
            b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80",
            12,
        ),
        (b"\xc3\xa9\xc3\x28", 3),
    ];
    for (bytes, at) in table {
        assert_eq!(accepted_bytes(bytes), at, "{bytes:x?}");
        assert_eq!(validate(bytes), Err(ProtocolError::InvalidUtf8));
        for size in 1..=bytes.len() {
            assert!(
                pieces(bytes, size).is_err(),
                "{bytes:x?} in pieces of {size}"
            );
        }
        // As a piece that ends where it went wrong, with text before it.
        let mut piece = vec![b'x'; 70];
        piece.extend_from_slice(&bytes[..=at]);
        assert!(Utf8Validator::default().push(&piece).is_err(), "{bytes:x?}");
    }
}

#[test]
fn every_truncation_is_open_and_not_an_end() {
    for text in ["é", "€", "𐍈", "\u{10ffff}", "\u{d7ff}", "\u{800}"] {
        for cut in 1..text.len() {
            let mut validator = Utf8Validator::default();
            assert_eq!(validator.push(&text.as_bytes()[..cut]), Ok(()));
            assert_eq!(validator.clone().finish(), Err(ProtocolError::InvalidUtf8));
            assert_eq!(validator.push(&[]), Ok(()));
            assert_eq!(validator.push(&text.as_bytes()[cut..]), Ok(()));
            assert_eq!(validator.finish(), Ok(()));
        }
    }
}

#[test]
fn all_two_and_three_byte_strings_agree_with_the_standard_library() {
    for start in 0..=u16::MAX {
        let [first, second] = start.to_be_bytes();
        // The third byte stands for its class.
        for third in [0x41, 0x80, 0xbf, 0xc3] {
            let bytes = [first, second, third];
            let expected = std::str::from_utf8(&bytes).is_ok();
            assert_eq!(pieces(&bytes, 1).is_ok(), expected, "{bytes:x?}");
            assert_eq!(pieces(&bytes, 2).is_ok(), expected, "{bytes:x?}");
        }
    }
}

#[test]
fn long_text_in_pieces_of_every_size() {
    let text = "naïve – 日本語 🦀 ".repeat(20);
    for size in 1..=text.len() {
        assert_eq!(pieces(text.as_bytes(), size), Ok(()), "{size}");
    }
}
