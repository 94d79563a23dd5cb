//! Which frames an outgoing message becomes (RFC 6455 section 5.4).

use super::frame::Opcode;

/// The sending half's only state: whether a fragmented message is open.
#[derive(Debug, Default)]
pub struct Sender {
    fragmented: bool,
}

impl Sender {
    /// The opcode of the next data frame. `binary` counts on the first frame of a message only:
    /// the others are continuations.
    pub fn next_opcode(&mut self, binary: bool, fin: bool) -> Opcode {
        let opcode = match (self.fragmented, binary) {
            (true, _) => Opcode::Continuation,
            (false, true) => Opcode::Binary,
            (false, false) => Opcode::Text,
        };
        self.fragmented = !fin;
        opcode
    }

    /// A message has begun and its last fragment has not been sent.
    pub fn is_fragmented(&self) -> bool {
        self.fragmented
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_frame_names_the_type() {
        let mut sender = Sender::default();
        assert_eq!(sender.next_opcode(true, true), Opcode::Binary);
        assert_eq!(sender.next_opcode(false, false), Opcode::Text);
        assert!(sender.is_fragmented());
        assert_eq!(sender.next_opcode(true, false), Opcode::Continuation);
        assert_eq!(sender.next_opcode(true, true), Opcode::Continuation);
        assert!(!sender.is_fragmented());
        assert_eq!(sender.next_opcode(false, true), Opcode::Text);
    }
}
