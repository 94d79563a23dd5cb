//! Messages without compression: random bytes that are stamped with their numbers.

use std::rc::Rc;

use crate::frame::{Burst, Pool, Shape, Stamp};
use crate::messages::Messages;
use crate::receiver::Header;

/// Payloads up to this size are compared in full, larger ones only one time in eight.
const ALWAYS_COMPARED: usize = 4096;

pub struct Plain {
    shape: Shape,
    index: u32,
    depth: u32,
    verify_all: bool,
    pool: Rc<Pool>,
    burst: Burst,
    /// Sequence number of the first message of the burst.
    sequence: u32,
    /// Echoes of the burst that have come.
    echoed: u32,
}

impl Plain {
    pub fn new(shape: Shape, pool: &Rc<Pool>, index: u32, depth: usize, verify_all: bool) -> Self {
        Self {
            shape,
            index,
            depth: depth as u32,
            verify_all,
            pool: Rc::clone(pool),
            burst: Burst::new(shape, pool, index, depth),
            sequence: 0u32.wrapping_sub(depth as u32),
            echoed: depth as u32,
        }
    }
}

impl Messages for Plain {
    fn advance(&mut self) {
        self.sequence = self.sequence.wrapping_add(self.depth);
        self.burst.stamp(self.sequence);
        self.echoed = 0;
    }

    fn burst(&self) -> &[u8] {
        self.burst.slice(0..self.burst.len())
    }

    fn begin_echo(&mut self, header: Header) -> Result<(), String> {
        let expected = Header {
            fin: true,
            reserved: 0,
            opcode: self.shape.opcode(),
            masked: false,
            len: self.shape.size as u64,
        };
        if header != expected {
            return Err(format!("{header:?} instead of {expected:?}"));
        }
        Ok(())
    }

    fn take(&mut self, offset: usize, bytes: &[u8]) -> Result<(), String> {
        let sequence = self.sequence.wrapping_add(self.echoed);
        let stamp_len = self.shape.stamp_len();
        let in_stamp = stamp_len.saturating_sub(offset).min(bytes.len());
        let (head, body) = bytes.split_at(in_stamp);
        if !head.is_empty() {
            let stamp = Stamp::new(self.shape, self.index, sequence);
            let expected = &stamp.as_bytes()[offset..offset + head.len()];
            if head != expected {
                return Err(format!(
                    "stamp {head:02x?} instead of {expected:02x?} in message {sequence}"
                ));
            }
        }
        if self.shape.size > ALWAYS_COMPARED && !self.verify_all && !sequence.is_multiple_of(8) {
            return Ok(());
        }
        let from = offset + in_stamp;
        let payload = self.pool.payload(self.index, self.echoed as usize);
        let expected = &payload[from..from + body.len()];
        if body != expected {
            let wrong = body
                .iter()
                .zip(expected)
                .position(|(a, b)| a != b)
                .unwrap_or(0);
            return Err(format!(
                "byte {} of message {sequence} is {:#04x} instead of {:#04x}",
                from + wrong,
                body[wrong],
                expected[wrong]
            ));
        }
        Ok(())
    }

    fn end_echo(&mut self) -> Result<(), String> {
        self.echoed += 1;
        Ok(())
    }
}
