//! The head of an HTTP message: finding its end, and its header fields.

use std::borrow::Cow;

use super::MAX_HEAD_LEN;

/// Header fields in the order and case in which they came. Values are decoded as Latin-1, as Node
/// does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The value of a field, as `req.headers` of Node has it: of the fields that must be unique the
    /// first, of all others every value, joined.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self.values(name);
        let first = values.next()?;
        if is_unique_in_node(name) {
            return Some(Cow::Borrowed(first));
        }
        let mut joined = Cow::Borrowed(first);
        let separator = if name.eq_ignore_ascii_case("cookie") {
            "; "
        } else {
            ", "
        };
        for value in values {
            let joined = joined.to_mut();
            joined.push_str(separator);
            joined.push_str(value);
        }
        Some(joined)
    }

    /// How many fields have this name.
    pub fn count(&self, name: &str) -> usize {
        self.values(name).count()
    }

    /// Every value of a field, in order.
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the comma-separated lists of this name have `token` among them, in any case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(','))
            .any(|item| item.trim_matches([' ', '\t']).eq_ignore_ascii_case(token))
    }

    pub(super) fn from_raw(headers: &[httparse::Header<'_>]) -> Self {
        let headers = headers
            .iter()
            .map(|field| (field.name.to_owned(), latin1(field.value)))
            .collect();
        Self { headers }
    }
}

/// Looks for the end of a head in bytes that come piece by piece, each byte once.
#[derive(Clone, Debug, Default)]
pub struct HeadScan {
    /// Bytes before the head that was looked for last, complete ones of their own.
    pub(super) base: usize,
    /// Bytes scanned.
    scanned: usize,
    /// Where the line that is being scanned starts.
    line_start: usize,
    /// A line with something in it was there.
    started: bool,
}

/// Why the end of a head will not be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanError {
    /// LF without CR before it. Node refuses it too; it is a way to smuggle fields.
    BareLineFeed,
    TooLong,
}

impl HeadScan {
    /// The length of the head at the start of `buf`, its empty line included; `None` if more is
    /// needed. `buf` must begin with what the last call was given.
    pub(super) fn find_end(&mut self, buf: &[u8]) -> Result<Option<usize>, ScanError> {
        let most = buf.len().min(MAX_HEAD_LEN);
        while let Some(found) = find_line_feed(buf.get(self.scanned..most).unwrap_or_default()) {
            let at = self.scanned + found;
            self.scanned = at + 1;
            if at == self.line_start || buf[at - 1] != b'\r' {
                return Err(ScanError::BareLineFeed);
            }
            // RFC 9112 2.2: empty lines before the request line are ignored.
            let empty = at == self.line_start + 1;
            self.line_start = self.scanned;
            if !empty {
                self.started = true;
            } else if self.started {
                return Ok(Some(self.scanned));
            }
        }
        self.scanned = most;
        if buf.len() >= MAX_HEAD_LEN {
            Err(ScanError::TooLong)
        } else {
            Ok(None)
        }
    }

    /// Goes on to the head that follows the one found.
    pub(super) fn next_head(&mut self) {
        self.base = self.scanned;
        self.started = false;
    }
}

fn find_line_feed(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == b'\n')
}

fn latin1(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(ascii) if ascii.is_ascii() => ascii.to_owned(),
        _ => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// The fields of which Node drops the duplicates.
fn is_unique_in_node(name: &str) -> bool {
    [
        "age",
        "authorization",
        "content-length",
        "content-type",
        "etag",
        "expires",
        "from",
        "host",
        "if-modified-since",
        "if-unmodified-since",
        "last-modified",
        "location",
        "max-forwards",
        "proxy-authorization",
        "referer",
        "retry-after",
        "server",
        "user-agent",
    ]
    .iter()
    .any(|unique| unique.eq_ignore_ascii_case(name))
}
