//! An inflater (RFC 1951) that shares nothing with the one under test, and takes the window at its
//! word: it panics at a distance that is longer.

/// Section 3.2.5: the least length of each code, and its extra bits; then the same of distances.
const LENGTHS: [(u16, u8); 29] = codes(
    [
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
    ],
    3,
);
const DISTANCES: [(u16, u8); 30] = codes(
    [
        0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12,
        13, 13,
    ],
    1,
);

/// Section 3.2.7: in which order the lengths of code length codes come.
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

const MAX_BITS: usize = 15;

pub struct StrictInflater {
    window: usize,
    output: Vec<u8>,
    /// What of the message has arrived and is not inflated.
    input: Vec<u8>,
}

impl StrictInflater {
    /// `window`: bytes.
    pub fn new(window: usize) -> Self {
        Self {
            window,
            output: Vec::new(),
            input: Vec::new(),
        }
    }

    pub fn fragment(&mut self, payload: &[u8]) {
        self.input.extend_from_slice(payload);
    }

    /// RFC 7692 section 7.2.2.
    pub fn finish(&mut self) {
        self.input.extend_from_slice(&[0x00, 0x00, 0xff, 0xff]);
        let input = std::mem::take(&mut self.input);
        let mut bits = Bits {
            input: &input,
            at: 0,
        };
        while bits.at < 8 * input.len() {
            self.block(&mut bits);
        }
    }

    /// All since the beginning, or since what came before was forgotten.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    pub fn forget(&mut self) {
        self.output.clear();
    }

    fn block(&mut self, bits: &mut Bits) {
        assert_eq!(bits.take(1), 0, "BFINAL: the stream goes on");
        match bits.take(2) {
            0 => self.stored(bits),
            1 => {
                let mut lens = [8_u8; 288];
                lens[144..256].fill(9);
                lens[256..280].fill(7);
                self.symbols(bits, &Huffman::new(&lens), &Huffman::new(&[5; 30]));
            }
            2 => {
                let (literals, distances) = dynamic(bits);
                self.symbols(bits, &literals, &distances);
            }
            _ => panic!("a type of block that does not exist"),
        }
    }

    fn stored(&mut self, bits: &mut Bits) {
        bits.at = bits.at.next_multiple_of(8);
        let len = bits.take(16);
        assert_eq!(bits.take(16), !len & 0xffff);
        let start = bits.at / 8;
        self.output
            .extend_from_slice(&bits.input[start..start + len]);
        bits.at += 8 * len;
    }

    fn symbols(&mut self, bits: &mut Bits, literals: &Huffman, distances: &Huffman) {
        loop {
            match literals.next(bits) {
                256 => return,
                literal @ 0..256 => self.output.push(literal as u8),
                code => {
                    let len = match code {
                        285 => 258,
                        _ => bits.value(LENGTHS[code - 257]),
                    };
                    let code = distances.next(bits);
                    let distance = bits.value(DISTANCES[code]);
                    assert!(
                        distance <= self.window,
                        "{distance} is outside of the window"
                    );
                    let start = self.output.len().checked_sub(distance);
                    let start = start.expect("what is referred to was sent");
                    for i in start..start + len {
                        self.output.push(self.output[i]);
                    }
                }
            }
        }
    }
}

/// Section 3.2.7.
fn dynamic(bits: &mut Bits) -> (Huffman, Huffman) {
    let (literals, distances, codes) = (257 + bits.take(5), 1 + bits.take(5), 4 + bits.take(4));
    let mut lens = [0; 19];
    for &at in &ORDER[..codes] {
        lens[at] = bits.take(3) as u8;
    }
    let codes = Huffman::new(&lens);
    let mut lens = Vec::new();
    while lens.len() < literals + distances {
        let (len, times) = match codes.next(bits) {
            16 => (*lens.last().expect("a length before"), 3 + bits.take(2)),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            len => (len as u8, 1),
        };
        lens.extend(std::iter::repeat_n(len, times));
    }
    assert_eq!(lens.len(), literals + distances);
    let (literals, distances) = lens.split_at(literals);
    (Huffman::new(literals), Huffman::new(distances))
}

/// A canonical code (section 3.2.2).
struct Huffman {
    /// How many codes there are of each length.
    counts: [usize; MAX_BITS + 1],
    /// In the order of their codes.
    symbols: Vec<usize>,
}

impl Huffman {
    fn new(lens: &[u8]) -> Self {
        let mut counts = [0; MAX_BITS + 1];
        let mut symbols: Vec<_> = (0..lens.len()).filter(|&symbol| lens[symbol] > 0).collect();
        symbols.sort_by_key(|&symbol| lens[symbol]);
        for &symbol in &symbols {
            counts[usize::from(lens[symbol])] += 1;
        }
        Self { counts, symbols }
    }

    fn next(&self, bits: &mut Bits) -> usize {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code = code << 1 | bits.take(1);
            if code < first + count {
                return self.symbols[index + code - first];
            }
            index += count;
            first = (first + count) << 1;
        }
        panic!("a code that does not exist");
    }
}

struct Bits<'a> {
    input: &'a [u8],
    /// In bits.
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> usize {
        let bit = |at: usize| usize::from(self.input[at / 8] >> (at % 8) & 1);
        let value = (0..count).fold(0, |value, i| value | bit(self.at + i) << i);
        self.at += count;
        value
    }

    fn value(&mut self, (least, extra): (u16, u8)) -> usize {
        usize::from(least) + self.take(extra.into())
    }
}

const fn codes<const N: usize>(extra: [u8; N], first: u16) -> [(u16, u8); N] {
    let mut codes = [(0, 0); N];
    let (mut least, mut i) = (first, 0);
    while i < N {
        codes[i] = (least, extra[i]);
        least += 1 << extra[i];
        i += 1;
    }
    codes
}
