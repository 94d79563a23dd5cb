//! UTF-8 validation (RFC 3629, RFC 6455 section 8.1), whole or piece by piece.

use super::error::ProtocolError;

/// Validates a whole text.
///
/// Errors: [`ProtocolError::InvalidUtf8`].
#[inline]
pub fn validate(data: &[u8]) -> Result<(), ProtocolError> {
    match simdutf8::basic::from_utf8(data) {
        Ok(_) => Ok(()),
        Err(_) => Err(ProtocolError::InvalidUtf8),
    }
}

/// Validates a text that comes in pieces, cut anywhere. Each byte is looked at once: between
/// pieces it keeps the start of an unfinished character, three bytes at most.
#[derive(Clone, Debug, Default)]
pub struct Utf8Validator {
    carry: [u8; 3],
    carry_len: u8,
}

impl Utf8Validator {
    /// Takes the next piece.
    ///
    /// Errors: [`ProtocolError::InvalidUtf8`] as soon as nothing that may follow makes the bytes
    /// seen so far valid. The validator is of no use after that.
    pub fn push(&mut self, data: &[u8]) -> Result<(), ProtocolError> {
        let data = self.finish_carried(data)?;
        if data.is_empty() {
            return Ok(());
        }
        let (complete, unfinished) = data.split_at(data.len() - unfinished_len(data));
        validate(complete)?;
        check_prefix(unfinished)?;
        self.carry[..unfinished.len()].copy_from_slice(unfinished);
        self.carry_len = unfinished.len() as u8;
        Ok(())
    }

    /// Ends the text and starts the next.
    ///
    /// Errors: [`ProtocolError::InvalidUtf8`] if it ended within a character.
    pub fn finish(&mut self) -> Result<(), ProtocolError> {
        match std::mem::take(&mut self.carry_len) {
            0 => Ok(()),
            _ => Err(ProtocolError::InvalidUtf8),
        }
    }

    /// Completes the carried character with the start of `data`; returns what follows it, or
    /// nothing if the character is still unfinished.
    fn finish_carried<'a>(&mut self, data: &'a [u8]) -> Result<&'a [u8], ProtocolError> {
        let carried = usize::from(self.carry_len);
        if carried == 0 {
            return Ok(data);
        }
        let width = sequence_len(self.carry[0]);
        let taken = (width - carried).min(data.len());
        let mut sequence = [0; 4];
        sequence[..carried].copy_from_slice(&self.carry[..carried]);
        sequence[carried..carried + taken].copy_from_slice(&data[..taken]);
        let sequence = &sequence[..carried + taken];
        check_prefix(sequence)?;
        if sequence.len() == width {
            self.carry_len = 0;
        } else {
            self.carry[..sequence.len()].copy_from_slice(sequence);
            self.carry_len = sequence.len() as u8;
        }
        Ok(&data[taken..])
    }
}

/// How many bytes at the end of `data` start a character whose rest is not there: 0 to 3.
fn unfinished_len(data: &[u8]) -> usize {
    for back in 1..=data.len().min(3) {
        let byte = data[data.len() - back];
        if byte & 0xc0 != 0x80 {
            return if sequence_len(byte) > back { back } else { 0 };
        }
    }
    0
}

/// Length of the character that starts with `lead`; 1 for what starts none, which is then found
/// to be invalid.
fn sequence_len(lead: u8) -> usize {
    match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    }
}

/// Whether `bytes`, at most one character long and starting with a lead of two bytes or more, are
/// the start or the whole of a character (the table in RFC 3629 section 4).
fn check_prefix(bytes: &[u8]) -> Result<(), ProtocolError> {
    let [lead, rest @ ..] = bytes else {
        return Ok(());
    };
    let mut range = match lead {
        // Not a longer form than needed.
        0xe0 => 0xa0..=0xbf,
        0xf0 => 0x90..=0xbf,
        // Not a surrogate, U+D800 to U+DFFF.
        0xed => 0x80..=0x9f,
        // Not above U+10FFFF.
        0xf4 => 0x80..=0x8f,
        _ => 0x80..=0xbf,
    };
    for byte in rest {
        if !range.contains(byte) {
            return Err(ProtocolError::InvalidUtf8);
        }
        range = 0x80..=0xbf;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
