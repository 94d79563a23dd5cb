//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1).

use super::error::HeaderSyntaxError;
use super::token::{Cursor, is_token_byte};

/// One element of the list: an extension and its parameters, both as they stood, duplicates
/// included. A parameter without a value has `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    pub name: String,
    pub params: Vec<(String, Option<String>)>,
}

/// Parses the value of the header.
///
/// Errors: an empty list, name or value; a character outside the grammar; a quoted value that is
/// not a token once unescaped.
pub fn parse(header: &str) -> Result<Vec<Extension>, HeaderSyntaxError> {
    let mut cursor = Cursor::new(header);
    let mut extensions = Vec::new();
    loop {
        if cursor.index() > 0 {
            cursor.skip_whitespace();
        }
        let name = required_token(&mut cursor)?.to_owned();
        let mut params = Vec::new();
        loop {
            match separator(&mut cursor)? {
                Some(';') => params.push(parse_param(&mut cursor)?),
                more => {
                    extensions.push(Extension { name, params });
                    if more.is_none() {
                        return Ok(extensions);
                    }
                    break;
                }
            }
        }
    }
}

/// Writes the value of the header. Names and values are taken to be tokens.
pub fn format(extensions: &[Extension]) -> String {
    let mut out = String::new();
    for extension in extensions {
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(&extension.name);
        for (name, value) in &extension.params {
            out.push_str("; ");
            out.push_str(name);
            if let Some(value) = value {
                out.push('=');
                out.push_str(value);
            }
        }
    }
    out
}

fn parse_param(cursor: &mut Cursor<'_>) -> Result<(String, Option<String>), HeaderSyntaxError> {
    cursor.skip_whitespace();
    let name = required_token(cursor)?.to_owned();
    if cursor.peek() != Some('=') {
        return Ok((name, None));
    }
    cursor.bump();
    let value = if cursor.peek() == Some('"') {
        cursor.bump();
        quoted_token(cursor)?
    } else {
        required_token(cursor)?.to_owned()
    };
    Ok((name, Some(value)))
}

/// The rest of a quoted-string. 9.1: "When using the quoted-string syntax variant, the value after
/// quoted-string unescaping MUST conform to the 'token' ABNF."
fn quoted_token(cursor: &mut Cursor<'_>) -> Result<String, HeaderSyntaxError> {
    let mut value = String::new();
    loop {
        value.push_str(cursor.token());
        match cursor.peek() {
            Some('"') if !value.is_empty() => {
                cursor.bump();
                return Ok(value);
            }
            Some('\\') => {
                cursor.bump();
                match cursor.peek() {
                    Some(escaped) if escaped.is_ascii() && is_token_byte(escaped as u8) => {
                        value.push(escaped);
                        cursor.bump();
                    }
                    _ => return Err(unexpected(cursor)),
                }
            }
            _ => return Err(unexpected(cursor)),
        }
    }
}

/// Consumes `,` or `;` with the space before it; `None` at the end of the header.
fn separator(cursor: &mut Cursor<'_>) -> Result<Option<char>, HeaderSyntaxError> {
    let padded = cursor.skip_whitespace();
    match cursor.peek() {
        Some(c @ (',' | ';')) => {
            cursor.bump();
            Ok(Some(c))
        }
        None if !padded => Ok(None),
        _ => Err(unexpected(cursor)),
    }
}

fn required_token<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, HeaderSyntaxError> {
    match cursor.token() {
        "" => Err(unexpected(cursor)),
        token => Ok(token),
    }
}

fn unexpected(cursor: &Cursor<'_>) -> HeaderSyntaxError {
    match cursor.peek() {
        Some(_) => HeaderSyntaxError::UnexpectedCharacter(cursor.index()),
        None => HeaderSyntaxError::UnexpectedEnd,
    }
}

#[cfg(test)]
mod tests;
