//! What a peer can do wrong on an open connection, in the words that npm ws's users see.

use std::fmt;

/// A violation of RFC 6455 or of a configured limit by the peer. It ends the connection:
/// [`close_code`](Self::close_code) is the status to send (RFC 6455 section 7.1.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A fragmented control frame (section 5.5).
    ExpectedFin,
    /// An unmasked frame from a client (section 5.1).
    ExpectedMask,
    /// A masked frame from a server (section 5.1).
    UnexpectedMask,
    /// A status code that must not appear on the wire (section 7.4).
    InvalidCloseCode(u16),
    /// A control frame of more than 125 bytes (section 5.5) or a close payload of one byte
    /// (section 5.5.1). Carries the length.
    InvalidControlPayloadLength(u64),
    /// A reserved opcode, a continuation of nothing, or a new message inside a fragmented one
    /// (sections 5.2 and 5.4). Carries the opcode.
    InvalidOpcode(u8),
    /// RSV1 without a negotiated meaning (section 5.2).
    UnexpectedRsv1,
    /// RSV2 or RSV3 set (section 5.2).
    UnexpectedRsv23,
    /// Text or a close reason that is not UTF-8 (section 8.1).
    InvalidUtf8,
    /// More fragments in one message than the configured limit.
    TooManyFragments,
    /// A payload length over 2^53 - 1, which JavaScript cannot count.
    UnsupportedDataPayloadLength,
    /// A message or a frame over the configured limit.
    UnsupportedMessageLength,
    /// A compressed message that is not a deflate stream. Carries zlib's words.
    InvalidCompressedData(&'static str),
    /// A compressed message that ends within a deflate block.
    TruncatedCompressedData,
    /// The peer sends pings and does not read the pongs. The transport is to be destroyed without
    /// a close frame: there is no room to send one to a peer that does not read.
    TooManyPendingPongs,
}

impl ProtocolError {
    /// The status code of the close frame that answers this error.
    pub fn close_code(&self) -> u16 {
        match self {
            Self::ExpectedFin
            | Self::ExpectedMask
            | Self::UnexpectedMask
            | Self::InvalidCloseCode(_)
            | Self::InvalidControlPayloadLength(_)
            | Self::InvalidOpcode(_)
            | Self::UnexpectedRsv1
            | Self::UnexpectedRsv23 => 1002,
            Self::InvalidUtf8 | Self::InvalidCompressedData(_) | Self::TruncatedCompressedData => {
                1007
            }
            Self::TooManyFragments | Self::TooManyPendingPongs => 1008,
            Self::UnsupportedDataPayloadLength | Self::UnsupportedMessageLength => 1009,
        }
    }

    /// The `code` property of the JavaScript error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ExpectedFin => "WS_ERR_EXPECTED_FIN",
            Self::ExpectedMask => "WS_ERR_EXPECTED_MASK",
            Self::UnexpectedMask => "WS_ERR_UNEXPECTED_MASK",
            Self::InvalidCloseCode(_) => "WS_ERR_INVALID_CLOSE_CODE",
            Self::InvalidControlPayloadLength(_) => "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH",
            Self::InvalidOpcode(_) => "WS_ERR_INVALID_OPCODE",
            Self::UnexpectedRsv1 => "WS_ERR_UNEXPECTED_RSV_1",
            Self::UnexpectedRsv23 => "WS_ERR_UNEXPECTED_RSV_2_3",
            Self::InvalidUtf8 => "WS_ERR_INVALID_UTF8",
            Self::TooManyFragments => "WS_ERR_TOO_MANY_BUFFERED_PARTS",
            Self::UnsupportedDataPayloadLength => "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
            Self::UnsupportedMessageLength => "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH",
            Self::InvalidCompressedData(_) => "Z_DATA_ERROR",
            Self::TruncatedCompressedData => "Z_BUF_ERROR",
            Self::TooManyPendingPongs => "WS_ERR_TOO_MANY_PENDING_PONGS",
        }
    }

    /// The `errno` property of the JavaScript error, which Node gives to the errors of zlib.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::InvalidCompressedData(_) => Some(-3),
            Self::TruncatedCompressedData => Some(-5),
            _ => None,
        }
    }

    /// Whether JavaScript sees a `RangeError` rather than a plain `Error`.
    pub fn is_range_error(&self) -> bool {
        !matches!(
            self,
            Self::InvalidUtf8 | Self::InvalidCompressedData(_) | Self::TruncatedCompressedData
        )
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyFragments => f.write_str("Too many message fragments"),
            Self::UnsupportedDataPayloadLength => {
                f.write_str("Unsupported WebSocket frame: payload length > 2^53 - 1")
            }
            Self::UnsupportedMessageLength => f.write_str("Max payload size exceeded"),
            Self::InvalidCompressedData(message) => f.write_str(message),
            Self::TruncatedCompressedData => f.write_str("unexpected end of file"),
            Self::TooManyPendingPongs => f.write_str("Too many pending pongs"),
            invalid_frame => {
                f.write_str("Invalid WebSocket frame: ")?;
                match invalid_frame {
                    Self::ExpectedFin => f.write_str("FIN must be set"),
                    Self::ExpectedMask => f.write_str("MASK must be set"),
                    Self::UnexpectedMask => f.write_str("MASK must be clear"),
                    Self::InvalidCloseCode(code) => write!(f, "invalid status code {code}"),
                    Self::InvalidControlPayloadLength(length) => {
                        write!(f, "invalid payload length {length}")
                    }
                    Self::InvalidOpcode(opcode) => write!(f, "invalid opcode {opcode}"),
                    Self::UnexpectedRsv1 => f.write_str("RSV1 must be clear"),
                    Self::UnexpectedRsv23 => f.write_str("RSV2 and RSV3 must be clear"),
                    _ => f.write_str("invalid UTF-8 sequence"),
                }
            }
        }
    }
}

impl std::error::Error for ProtocolError {}

/// A header value of the handshake that does not match its grammar. JavaScript sees a
/// `SyntaxError`. Indexes count characters from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderSyntaxError {
    UnexpectedCharacter(usize),
    UnexpectedEnd,
    /// The same subprotocol twice (RFC 6455 section 4.1: the elements MUST be unique).
    DuplicateSubprotocol(String),
}

impl fmt::Display for HeaderSyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnexpectedCharacter(index) => write!(f, "Unexpected character at index {index}"),
            Self::UnexpectedEnd => f.write_str("Unexpected end of input"),
            Self::DuplicateSubprotocol(name) => {
                write!(f, "The \"{name}\" subprotocol is duplicated")
            }
        }
    }
}

impl std::error::Error for HeaderSyntaxError {}

#[cfg(test)]
mod tests {
    use super::ProtocolError::*;

    #[test]
    fn every_error_has_the_text_code_and_status_of_ws() {
        let table = [
            (ExpectedFin, "FIN must be set", "EXPECTED_FIN", 1002),
            (ExpectedMask, "MASK must be set", "EXPECTED_MASK", 1002),
            (
                UnexpectedMask,
                "MASK must be clear",
                "UNEXPECTED_MASK",
                1002,
            ),
            (
                InvalidCloseCode(1004),
                "invalid status code 1004",
                "INVALID_CLOSE_CODE",
                1002,
            ),
            (
                InvalidControlPayloadLength(126),
                "invalid payload length 126",
                "INVALID_CONTROL_PAYLOAD_LENGTH",
                1002,
            ),
            (InvalidOpcode(3), "invalid opcode 3", "INVALID_OPCODE", 1002),
            (
                UnexpectedRsv1,
                "RSV1 must be clear",
                "UNEXPECTED_RSV_1",
                1002,
            ),
            (
                UnexpectedRsv23,
                "RSV2 and RSV3 must be clear",
                "UNEXPECTED_RSV_2_3",
                1002,
            ),
            (InvalidUtf8, "invalid UTF-8 sequence", "INVALID_UTF8", 1007),
        ];
        for (error, text, code, close_code) in table {
            assert_eq!(
                error.to_string(),
                format!("Invalid WebSocket frame: {text}")
            );
            assert_eq!(error.code(), format!("WS_ERR_{code}"));
            assert_eq!(error.close_code(), close_code);
            assert_eq!(error.is_range_error(), error != InvalidUtf8);
        }
        let table = [
            (
                TooManyFragments,
                "Too many message fragments",
                "TOO_MANY_BUFFERED_PARTS",
                1008,
            ),
            (
                UnsupportedDataPayloadLength,
                "Unsupported WebSocket frame: payload length > 2^53 - 1",
                "UNSUPPORTED_DATA_PAYLOAD_LENGTH",
                1009,
            ),
            (
                UnsupportedMessageLength,
                "Max payload size exceeded",
                "UNSUPPORTED_MESSAGE_LENGTH",
                1009,
            ),
            (
                TooManyPendingPongs,
                "Too many pending pongs",
                "TOO_MANY_PENDING_PONGS",
                1008,
            ),
        ];
        for (error, text, code, close_code) in table {
            assert_eq!(error.to_string(), text);
            assert_eq!(error.code(), format!("WS_ERR_{code}"));
            assert_eq!(error.close_code(), close_code);
            assert!(error.is_range_error());
        }
    }
    #[test]
    fn what_zlib_refuses_looks_as_node_shows_it() {
        let table = [
            (
                InvalidCompressedData("invalid block type"),
                "invalid block type",
                "Z_DATA_ERROR",
                -3,
            ),
            (
                TruncatedCompressedData,
                "unexpected end of file",
                "Z_BUF_ERROR",
                -5,
            ),
        ];
        for (error, text, code, errno) in table {
            assert_eq!(error.to_string(), text);
            assert_eq!((error.code(), error.errno()), (code, Some(errno)));
            assert_eq!(error.close_code(), 1007);
            assert!(!error.is_range_error());
        }
        assert_eq!(InvalidUtf8.errno(), None);
    }
}
