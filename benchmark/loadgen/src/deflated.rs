//! Compressed messages: JSON documents, all of them made beforehand and sent in turn.

use crate::deflate::{Compressor, Verifier};
use crate::extension::Agreed;
use crate::frame::{OPCODE_TEXT, RSV1, push_frame_with};
use crate::messages::Messages;
use crate::random::Random;
use crate::receiver::Header;

pub struct Deflated {
    documents: Vec<Vec<u8>>,
    /// The frames of all documents, and where each one ends.
    frames: Vec<u8>,
    ends: Vec<usize>,
    depth: usize,
    /// The first document of the burst; beyond the last one before there is a burst.
    first: usize,
    /// Echoes of the burst that have come.
    echoed: usize,
    verifier: Verifier,
}

impl Deflated {
    /// `documents`: a multiple of `depth`, which is the number of messages in a burst.
    pub fn new(
        documents: Vec<Vec<u8>>,
        index: u32,
        depth: usize,
        agreed: Agreed,
        compressor: &mut Compressor,
    ) -> Self {
        debug_assert!(documents.len().is_multiple_of(depth));
        let mut random = Random::new(0xd1b5_4a32_d192_ed03 ^ u64::from(index));
        let (mut frames, mut ends) = (Vec::new(), Vec::new());
        for document in &documents {
            let payload = compressor.compress(document);
            let mask = (random.next() as u32).to_le_bytes();
            push_frame_with(&mut frames, RSV1, OPCODE_TEXT, &payload, mask);
            ends.push(frames.len());
        }
        Self {
            first: documents.len(),
            documents,
            frames,
            ends,
            depth,
            echoed: 0,
            verifier: Verifier::new(agreed.server_takeover),
        }
    }

    fn end_of(&self, count: usize) -> usize {
        count.checked_sub(1).map_or(0, |last| self.ends[last])
    }

    fn fault(&self, what: String) -> String {
        format!("message {} of its set: {what}", self.first + self.echoed)
    }
}

impl Messages for Deflated {
    fn advance(&mut self) {
        self.first += self.depth;
        if self.first >= self.documents.len() {
            self.first = 0;
        }
        self.echoed = 0;
    }

    fn burst(&self) -> &[u8] {
        match self.first {
            first if first == self.documents.len() => &[],
            first => &self.frames[self.end_of(first)..self.end_of(first + self.depth)],
        }
    }

    fn begin_echo(&mut self, header: Header) -> Result<(), String> {
        let expected = Header {
            fin: true,
            reserved: RSV1,
            opcode: OPCODE_TEXT,
            masked: false,
            // That is the server's to choose.
            len: header.len,
        };
        if header != expected {
            return Err(self.fault(format!("{header:?} instead of {expected:?}")));
        }
        Ok(())
    }

    fn take(&mut self, _: usize, bytes: &[u8]) -> Result<(), String> {
        let expected = &self.documents[self.first + self.echoed];
        let verdict = self.verifier.take(bytes, expected);
        verdict.map_err(|what| self.fault(what))
    }

    fn end_echo(&mut self) -> Result<(), String> {
        let expected = &self.documents[self.first + self.echoed];
        let verdict = self.verifier.finish(expected);
        verdict.map_err(|what| self.fault(what))?;
        self.echoed += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::document;

    const SIZE: usize = 5000;

    fn messages(depth: usize) -> Deflated {
        let agreed = Agreed {
            server_takeover: false,
        };
        let documents = (0..12).map(|n| document(7, n, SIZE)).collect();
        Deflated::new(documents, 7, depth, agreed, &mut Compressor::new())
    }

    /// The payloads of a burst, as a server would receive them.
    fn payloads(messages: &Deflated) -> Vec<Vec<u8>> {
        let mut rest = messages.burst();
        let mut payloads = Vec::new();
        while !rest.is_empty() {
            assert_eq!(rest[..2], [0xc1, 0x80 | 126], "FIN, RSV1, text; masked");
            let len = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            let (frame, after) = rest.split_at(8 + len);
            let mask = frame[4..8].iter().cycle();
            payloads.push(frame[8..].iter().zip(mask).map(|(b, m)| b ^ m).collect());
            rest = after;
        }
        payloads
    }

    fn echo(messages: &mut Deflated, payload: &[u8]) -> Result<(), String> {
        messages.begin_echo(Header {
            fin: true,
            reserved: RSV1,
            opcode: OPCODE_TEXT,
            masked: false,
            len: payload.len() as u64,
        })?;
        messages.take(0, payload)?;
        messages.end_echo()
    }

    #[test]
    fn bursts_go_round_and_their_echoes_are_right() {
        let mut messages = messages(3);
        assert!(messages.burst().is_empty());
        let mut bursts = Vec::new();
        for _ in 0..=messages.documents.len() / 3 {
            messages.advance();
            let payloads = payloads(&messages);
            assert_eq!(payloads.len(), 3);
            for payload in &payloads {
                assert_eq!(echo(&mut messages, payload), Ok(()));
            }
            bursts.push(payloads);
        }
        assert_eq!(bursts.first(), bursts.last());
        assert_ne!(bursts[0], bursts[1]);
    }

    #[test]
    fn an_echo_out_of_order_is_a_fault() {
        let mut messages = messages(2);
        messages.advance();
        let second = payloads(&messages).remove(1);
        let fault = echo(&mut messages, &second).unwrap_err();
        assert!(fault.starts_with("message 0 of its set: byte "), "{fault}");
    }

    #[test]
    fn an_echo_without_rsv1_is_a_fault() {
        let mut messages = messages(1);
        messages.advance();
        let header = Header {
            fin: true,
            reserved: 0,
            opcode: OPCODE_TEXT,
            masked: false,
            len: SIZE as u64,
        };
        assert!(messages.begin_echo(header).is_err());
    }
}
