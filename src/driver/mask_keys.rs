//! Masking keys: unpredictable, as RFC 6455 section 5.3 demands, drawn from the operating system
//! a block at a time.

use super::command::SendFlags;

const BLOCK: usize = 4096;

pub struct MaskKeys {
    block: Box<[u8; BLOCK]>,
    used: usize,
}

impl Default for MaskKeys {
    fn default() -> Self {
        Self {
            block: Box::new([0; BLOCK]),
            used: BLOCK,
        }
    }
}

impl MaskKeys {
    pub fn draw(&mut self) -> [u8; 4] {
        if self.used == BLOCK {
            // An operating system without randomness cannot be a client's host: a guessable mask
            // would be a silent fallback.
            getrandom::fill(&mut self.block[..]).expect("the operating system gives random bytes");
            self.used = 0;
        }
        let key = &self.block[self.used..][..4];
        self.used += 4;
        [key[0], key[1], key[2], key[3]]
    }
}

/// The masking key of a send: none, the application's own, or a `random` one.
pub fn mask_key(flags: SendFlags, key: u32, random: impl FnOnce() -> [u8; 4]) -> Option<[u8; 4]> {
    if !flags.has(SendFlags::MASK) {
        None
    } else if flags.has(SendFlags::KEY) {
        Some(key.to_be_bytes())
    } else {
        Some(random())
    }
}
