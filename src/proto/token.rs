//! The `token` of HTTP (RFC 9110 section 5.6.2), of which header names, subprotocols and
//! extensions are made.

/// Whether `byte` may be part of a token.
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether `text` is a token: not empty, and of token characters only.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// A position in a header value, which the grammars read from left to right.
pub struct Cursor<'a> {
    text: &'a str,
    /// Bytes consumed.
    at: usize,
    /// Characters consumed, for error messages: JavaScript counts characters.
    index: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            index: 0,
        }
    }

    pub fn index(&self) -> usize {
        self.index
    }

    pub fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Consumes one character.
    pub fn bump(&mut self) {
        if let Some(c) = self.peek() {
            self.at += c.len_utf8();
            self.index += 1;
        }
    }

    /// Consumes spaces and tabs; true if there were any.
    pub fn skip_whitespace(&mut self) -> bool {
        let start = self.at;
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.bump();
        }
        self.at != start
    }

    /// Consumes token characters; the result may be empty.
    pub fn token(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let len = rest.bytes().take_while(|&byte| is_token_byte(byte)).count();
        self.at += len;
        self.index += len;
        &rest[..len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_bytes() {
        let allowed =
            "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
        for byte in 0..=u8::MAX {
            assert_eq!(
                is_token_byte(byte),
                allowed.as_bytes().contains(&byte),
                "{byte}"
            );
        }
        assert!(is_token("x-y") && !is_token("") && !is_token("a b") && !is_token("é"));
    }

    #[test]
    fn cursor_counts_characters() {
        let mut cursor = Cursor::new("ab é,");
        assert_eq!(cursor.token(), "ab");
        assert!(cursor.skip_whitespace());
        assert_eq!((cursor.peek(), cursor.index()), (Some('é'), 3));
        assert_eq!(cursor.token(), "");
        cursor.bump();
        assert_eq!((cursor.peek(), cursor.index()), (Some(','), 4));
        cursor.bump();
        assert_eq!(cursor.peek(), None);
    }
}
