//! Messages to send in compressed form, and echoes back to what they stand for (RFC 7692 section
//! 7.2).

use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush, Status};

/// What a flush ends with; it is left out of a message (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
const LEVEL: i32 = 6;
const WINDOW_BITS: u8 = 15;
/// Output of one call of the inflater.
const STEP: usize = 16 * 1024;

/// Compresses messages that refer to none before them, which a peer with and without context takeover
/// understands.
pub struct Compressor {
    stream: Deflate,
}

impl Compressor {
    pub fn new() -> Self {
        Self {
            stream: Deflate::new(LEVEL, false, WINDOW_BITS),
        }
    }

    pub fn compress(&mut self, message: &[u8]) -> Vec<u8> {
        self.stream.reset();
        // Stored blocks are the longest form: 5 bytes for each of them, and the flush.
        let mut out = vec![0; message.len() + message.len() / 1000 + 64];
        self.stream
            .compress(message, &mut out, DeflateFlush::SyncFlush)
            .expect("parameters in range");
        let len = self.stream.total_out() as usize;
        assert!(len < out.len(), "a flush that leaves no room is incomplete");
        out.truncate(len);
        assert!(out.ends_with(&TAIL));
        out.truncate(len - TAIL.len());
        out
    }
}

/// Inflates the echoes of one connection and compares them with what they have to be.
pub struct Verifier {
    stream: Inflate,
    /// The server's compressor may refer to earlier messages.
    takeover: bool,
    /// `stream` has had input since it began.
    begun: bool,
    step: Vec<u8>,
    /// Bytes of the message that were inflated and compared.
    seen: usize,
}

impl Verifier {
    pub fn new(takeover: bool) -> Self {
        Self {
            stream: Inflate::new(false, WINDOW_BITS),
            takeover,
            begun: false,
            step: vec![0; STEP],
            seen: 0,
        }
    }

    /// Takes a part of an echo.
    pub fn take(&mut self, mut input: &[u8], expected: &[u8]) -> Result<(), String> {
        loop {
            let (before_in, before_out) = (self.stream.total_in(), self.stream.total_out());
            let status = self
                .stream
                .decompress(input, &mut self.step, InflateFlush::SyncFlush)
                .map_err(|error| format!("at byte {} it does not inflate: {error:?}", self.seen))?;
            let taken = (self.stream.total_in() - before_in) as usize;
            let given = (self.stream.total_out() - before_out) as usize;
            compare(&self.step[..given], expected, self.seen)?;
            self.seen += given;
            input = &input[taken..];
            self.begun |= taken > 0;
            if status == Status::StreamEnd {
                // A block with BFINAL set (section 7.2.3.4). What follows it is another stream.
                self.stream.reset(false);
                self.begun = false;
            }
            if input.is_empty() && given < STEP {
                return Ok(());
            }
            if taken == 0 && given == 0 {
                return Err(format!("at byte {} it inflates to nothing", self.seen));
            }
        }
    }

    /// Ends an echo: nothing may be missing of it.
    pub fn finish(&mut self, expected: &[u8]) -> Result<(), String> {
        // Behind a block with BFINAL there is nothing to flush.
        if self.begun {
            self.take(&TAIL, expected)?;
        }
        if self.seen != expected.len() {
            let (seen, len) = (self.seen, expected.len());
            return Err(format!("it inflates to {seen} bytes instead of {len}"));
        }
        self.seen = 0;
        if !self.takeover {
            self.stream.reset(false);
            self.begun = false;
        }
        Ok(())
    }
}

fn compare(bytes: &[u8], expected: &[u8], from: usize) -> Result<(), String> {
    let Some(wanted) = expected.get(from..from + bytes.len()) else {
        return Err(format!("it inflates to more than {} bytes", expected.len()));
    };
    if bytes == wanted {
        return Ok(());
    }
    let wrong = bytes.iter().zip(wanted).position(|(a, b)| a != b);
    let at = wrong.unwrap_or(0);
    Err(format!(
        "byte {} is {:#04x} instead of {:#04x}",
        from + at,
        bytes[at],
        wanted[at]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::document;

    fn check(
        verifier: &mut Verifier,
        wire: &[u8],
        step: usize,
        expected: &[u8],
    ) -> Result<(), String> {
        for part in wire.chunks(step) {
            verifier.take(part, expected)?;
        }
        verifier.finish(expected)
    }

    /// A server's compressor that keeps its context.
    fn keeping(stream: &mut Deflate, message: &[u8]) -> Vec<u8> {
        let mut out = vec![0; message.len() + 64];
        let before = stream.total_out();
        stream
            .compress(message, &mut out, DeflateFlush::SyncFlush)
            .unwrap();
        out.truncate((stream.total_out() - before) as usize - TAIL.len());
        out
    }

    #[test]
    fn json_compresses_as_json_does() {
        let mut compressor = Compressor::new();
        for (len, count, least, most) in [
            (1024, 64, 2.8, 4.0),
            (16 * 1024, 16, 6.0, 10.0),
            (4 << 20, 1, 15.0, 40.0),
        ] {
            let lens = (0..count).map(|n| compressor.compress(&document(3, n, len)).len());
            let ratio = (len * count as usize) as f64 / lens.sum::<usize>() as f64;
            assert!((least..most).contains(&ratio), "{ratio} at {len} bytes");
        }
    }

    #[test]
    fn an_echo_may_come_in_pieces() {
        let mut compressor = Compressor::new();
        let mut verifier = Verifier::new(false);
        for (message, step) in (0..).zip([1, 2, 7, 1000, 100_000]) {
            let text = document(1, message, 40_000);
            let wire = compressor.compress(&text);
            assert_eq!(check(&mut verifier, &wire, step, &text), Ok(()));
        }
    }

    #[test]
    fn the_context_is_kept_under_takeover_only() {
        let mut server = Deflate::new(LEVEL, false, WINDOW_BITS);
        let texts = [document(1, 0, 1024), document(1, 1, 1024)];
        let wires: Vec<_> = texts
            .iter()
            .map(|text| keeping(&mut server, text))
            .collect();
        for takeover in [true, false] {
            let mut verifier = Verifier::new(takeover);
            assert!(check(&mut verifier, &wires[0], 1024, &texts[0]).is_ok());
            let second = check(&mut verifier, &wires[1], 1024, &texts[1]);
            assert_eq!(second.is_ok(), takeover, "{second:?}");
        }
    }

    #[test]
    fn a_message_may_end_with_a_final_block() {
        let text = document(1, 0, 1024);
        let mut wire = vec![0; 2048];
        let mut stream = Deflate::new(LEVEL, false, WINDOW_BITS);
        stream
            .compress(&text, &mut wire, DeflateFlush::Finish)
            .unwrap();
        wire.truncate(stream.total_out() as usize);
        let padded = [&wire[..], &[0]].concat();
        let mut verifier = Verifier::new(true);
        for wire in [&wire, &padded, &wire] {
            assert_eq!(check(&mut verifier, wire, 100, &text), Ok(()));
        }
    }

    #[test]
    fn what_is_not_the_message_is_a_fault() {
        let mut compressor = Compressor::new();
        let text = document(1, 0, 1024);
        let wire = compressor.compress(&text);
        for (what, bad) in [
            (
                "another message",
                compressor.compress(&document(1, 1, 1024)),
            ),
            ("one that is shorter", compressor.compress(&text[..1023])),
            ("one that is cut off", wire[..wire.len() - 9].to_vec()),
            ("one that is followed", [&wire[..], &[1, 2, 3]].concat()),
            ("no deflate stream", vec![0xff; 40]),
            ("nothing", Vec::new()),
        ] {
            let verdict = check(&mut Verifier::new(false), &bad, 1024, &text);
            assert!(verdict.is_err(), "{what}");
        }
        // The first bit is BFINAL, which changes no content.
        for at in 1..wire.len() {
            let mut bad = wire.clone();
            bad[at] ^= 1;
            assert!(
                check(&mut Verifier::new(false), &bad, 64, &text).is_err(),
                "byte {at}"
            );
        }
    }
}
