//! Takes a stream of server frames apart without buffering payloads.

/// The header of a frame from a server (RFC 6455 section 5.2; such frames carry no mask).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Header {
    pub fin: bool,
    pub reserved: u8,
    pub opcode: u8,
    pub masked: bool,
    pub len: u64,
}

impl Header {
    /// Bytes of the header itself, in its shortest form and without a mask.
    pub fn wire_len(self) -> u64 {
        match self.len {
            0..=125 => 2,
            126..=0xffff => 4,
            _ => 10,
        }
    }
}

#[derive(PartialEq, Debug)]
pub enum Event<'a> {
    Start(Header),
    Data { offset: u64, bytes: &'a [u8] },
    End,
}

#[derive(Default)]
pub struct Receiver {
    header: [u8; 10],
    header_have: usize,
    /// Of the frame whose header is complete: payload length and how much of it has been seen.
    frame: Option<(u64, u64)>,
}

impl Receiver {
    /// Consumes from `input` up to the next event; `None` when more input is needed.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Event<'a>> {
        let Some((len, seen)) = self.frame else {
            let header = self.next_header(input)?;
            self.frame = Some((header.len, 0));
            return Some(Event::Start(header));
        };
        if seen == len {
            self.frame = None;
            self.header_have = 0;
            return Some(Event::End);
        }
        if input.is_empty() {
            return None;
        }
        let take = (len - seen).min(input.len() as u64) as usize;
        let (bytes, rest) = input.split_at(take);
        *input = rest;
        self.frame = Some((len, seen + take as u64));
        Some(Event::Data {
            offset: seen,
            bytes,
        })
    }

    fn next_header(&mut self, input: &mut &[u8]) -> Option<Header> {
        loop {
            let need = match (self.header_have, self.header[1] & 0x7f) {
                (0 | 1, _) => 2,
                (_, 126) => 4,
                (_, 127) => 10,
                _ => 2,
            };
            if self.header_have == need {
                return Some(self.parse_header());
            }
            if input.is_empty() {
                return None;
            }
            let take = (need - self.header_have).min(input.len());
            let (bytes, rest) = input.split_at(take);
            *input = rest;
            self.header[self.header_have..self.header_have + take].copy_from_slice(bytes);
            self.header_have += take;
        }
    }

    fn parse_header(&self) -> Header {
        let header = &self.header;
        let len = match header[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes([header[2], header[3]])),
            127 => header[2..]
                .iter()
                .fold(0, |len, byte| len << 8 | u64::from(*byte)),
            short => u64::from(short),
        };
        Header {
            fin: header[0] & 0x80 != 0,
            reserved: header[0] >> 4 & 0x7,
            opcode: header[0] & 0xf,
            masked: header[1] & 0x80 != 0,
            len,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers and payloads of all complete frames, fed `step` bytes at a time.
    fn frames(wire: &[u8], step: usize) -> Vec<(Header, Vec<u8>)> {
        let mut receiver = Receiver::default();
        let mut frames = Vec::new();
        let mut current = None;
        for mut input in wire.chunks(step) {
            while let Some(event) = receiver.next(&mut input) {
                match event {
                    Event::Start(header) => current = Some((header, Vec::new())),
                    Event::Data { offset, bytes } => {
                        let payload = &mut current.as_mut().unwrap().1;
                        assert_eq!(offset, payload.len() as u64);
                        payload.extend_from_slice(bytes);
                    }
                    Event::End => frames.extend(current.take()),
                }
            }
        }
        frames
    }

    #[test]
    fn all_length_forms_at_every_split() {
        let mut wire = vec![0x81, 2, b'h', b'i', 0x82, 126, 0, 200];
        wire.extend([7; 200]);
        wire.extend([0x89, 0, 0x02, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        wire.extend([9; 0x1_0000]);
        for step in [1, 2, 3, 5, 7, 11, 209, 4096, wire.len()] {
            let frames = frames(&wire, step);
            let summary: Vec<_> = frames
                .iter()
                .map(|(h, p)| (h.fin, h.opcode, h.len, p.len()))
                .collect();
            let expected = vec![
                (true, 0x1, 2, 2),
                (true, 0x2, 200, 200),
                (true, 0x9, 0, 0),
                (false, 0x2, 0x1_0000, 0x1_0000),
            ];
            assert_eq!(summary, expected, "in steps of {step}");
            assert_eq!(frames[0].1, b"hi");
        }
    }
}
