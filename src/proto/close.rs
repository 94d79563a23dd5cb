//! Status codes and payload of the close frame (RFC 6455 sections 5.5.1 and 7.4).

use super::error::ProtocolError;
use super::utf8;

pub const NORMAL: u16 = 1000;
pub const GOING_AWAY: u16 = 1001;
pub const PROTOCOL_ERROR: u16 = 1002;
pub const UNSUPPORTED_DATA: u16 = 1003;
/// What the application sees when the close frame had no status. Never on the wire.
pub const NO_STATUS: u16 = 1005;
/// What the application sees when there was no close frame. Never on the wire.
pub const ABNORMAL: u16 = 1006;
pub const INVALID_PAYLOAD: u16 = 1007;
pub const POLICY_VIOLATION: u16 = 1008;
pub const MESSAGE_TOO_BIG: u16 = 1009;

/// The longest reason, in bytes: a control frame's 125 less the status code (section 5.5).
pub const MAX_REASON_LEN: usize = 123;

/// Whether `code` may appear in a close frame: 1000-1003, 1007-1014, 3000-4999
/// (RFC 6455 section 7.4 and the IANA registry).
pub fn is_valid_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Reads the unmasked payload of a close frame: the status code, `None` if the payload is empty.
/// The reason is what follows the first two bytes.
///
/// Errors: a payload of one byte, a status code that must not be sent, a reason that is not UTF-8.
pub fn parse_close_payload(
    payload: &[u8],
    skip_utf8_validation: bool,
) -> Result<Option<u16>, ProtocolError> {
    match payload {
        [] => Ok(None),
        // 5.5.1: "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned
        // integer"
        [_] => Err(ProtocolError::InvalidControlPayloadLength(1)),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !is_valid_close_code(code) {
                return Err(ProtocolError::InvalidCloseCode(code));
            }
            if !skip_utf8_validation {
                utf8::validate(reason)?;
            }
            Ok(Some(code))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_codes_are_those_of_the_registry_and_the_private_ranges() {
        let valid = |code: u16| {
            (1000..=1003).contains(&code)
                || (1007..=1014).contains(&code)
                || (3000..=4999).contains(&code)
        };
        for code in 0..=u16::MAX {
            assert_eq!(is_valid_close_code(code), valid(code), "{code}");
        }
    }

    #[test]
    fn payloads() {
        assert_eq!(parse_close_payload(b"", false), Ok(None));
        assert_eq!(parse_close_payload(b"\x03\xe8", false), Ok(Some(1000)));
        assert_eq!(parse_close_payload(b"\x0f\xa0bye", false), Ok(Some(4000)));
        assert_eq!(
            parse_close_payload(b"\x03", false),
            Err(ProtocolError::InvalidControlPayloadLength(1))
        );
        assert_eq!(
            parse_close_payload(b"\x03\xed", false),
            Err(ProtocolError::InvalidCloseCode(1005))
        );
        assert_eq!(
            parse_close_payload(b"\x03\xe8\xc3", false),
            Err(ProtocolError::InvalidUtf8),
            "a sequence cut short"
        );
        assert_eq!(parse_close_payload(b"\x03\xe8\xff", true), Ok(Some(1000)));
    }
}
