//! `Sec-WebSocket-Protocol` (RFC 6455 sections 4.1 and 11.3.4).

use std::collections::BTreeSet;

use super::error::HeaderSyntaxError;
use super::token::{Cursor, is_token};

/// Parses the header of a request: the subprotocols in the client's order of preference.
///
/// Errors: an empty list or element, a character that no token has, a name given twice.
pub fn parse(header: &str) -> Result<Vec<String>, HeaderSyntaxError> {
    let mut cursor = Cursor::new(header);
    let mut names = Vec::new();
    // A set beside the list keeps a header of thousands of names linear.
    let mut seen = BTreeSet::new();
    loop {
        if cursor.index() > 0 {
            cursor.skip_whitespace();
        }
        let name = cursor.token();
        if name.is_empty() {
            return Err(unexpected(&cursor));
        }
        let padded = cursor.skip_whitespace();
        match cursor.peek() {
            Some(',') => cursor.bump(),
            None if !padded => {
                add(name, &mut seen, &mut names)?;
                return Ok(names);
            }
            _ => return Err(unexpected(&cursor)),
        }
        add(name, &mut seen, &mut names)?;
    }
}

/// Whether a client may offer `name` (section 4.1: a non-empty string of token characters).
pub fn is_valid(name: &str) -> bool {
    is_token(name)
}

fn add<'a>(
    name: &'a str,
    seen: &mut BTreeSet<&'a str>,
    names: &mut Vec<String>,
) -> Result<(), HeaderSyntaxError> {
    // 4.1: "The elements that comprise this value MUST [...] all be unique strings."
    if !seen.insert(name) {
        return Err(HeaderSyntaxError::DuplicateSubprotocol(name.to_owned()));
    }
    names.push(name.to_owned());
    Ok(())
}

fn unexpected(cursor: &Cursor<'_>) -> HeaderSyntaxError {
    match cursor.peek() {
        Some(_) => HeaderSyntaxError::UnexpectedCharacter(cursor.index()),
        None => HeaderSyntaxError::UnexpectedEnd,
    }
}

#[cfg(test)]
mod tests;
