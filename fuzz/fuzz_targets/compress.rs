//! What is compressed inflates to what it was, message by message, and refers to nothing outside of
//! the agreed window: whatever the messages, their fragments and slices, and whoever had the compressor
//! in between.

#![no_main]

mod strict_inflate;

use std::io::IoSlice;

use bytes::Bytes;
use hawser::proto::deflate::{
    CompressJob, CompressorOptions, DeflateOptions, DeflateParams, Inflater, Strategy,
};
use hawser::proto::{Connection, ConnectionConfig, ReceiverConfig, Role, SendPayload};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

use strict_inflate::StrictInflater;

/// Windows that all messages together may fill: the rest of a script is left out.
const MOST: usize = 3;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    takeover: bool,
    window_bits: u8,
    threshold: u8,
    level: i8,
    mem_level: u8,
    strategy: u8,
    /// Each is for one of two connections, which have the thread's compressors in turn.
    steps: Vec<(bool, Step<'a>)>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// A message, or a fragment of one.
    Part {
        data: Data<'a>,
        fin: bool,
        slices: Option<Slices>,
        /// The compressor goes to whoever compresses next.
        releases: bool,
    },
    /// The connection ends while it compresses; another takes its place.
    GiveUp { data: Data<'a>, slices: Slices },
}

#[derive(Arbitrary, Debug)]
struct Slices {
    len: u16,
    /// Of so many: then the rest is done at once, or given up.
    count: u8,
    /// A ping goes out meanwhile.
    pings: bool,
}

/// Lengths are cut to one and a half windows: at the window's edge is what may go wrong.
#[derive(Arbitrary, Debug)]
enum Data<'a> {
    Bytes(&'a [u8]),
    Run {
        byte: u8,
        len: u16,
    },
    Noise {
        seed: u16,
        len: u16,
    },
    /// What was sent so many bytes ago.
    Again {
        back: u16,
        len: u16,
    },
}

fuzz_target!(|input: Input| {
    let bits = 8 + input.window_bits % 8;
    let mut ends = [End::new(&input, bits), End::new(&input, bits)];
    let most = MOST << bits;
    let mut total = 0;
    for (second, step) in &input.steps {
        let end = &mut ends[usize::from(*second)];
        match step {
            Step::Part {
                data,
                fin,
                slices,
                releases,
            } => {
                let data = end.data(data);
                total += data.len();
                if total > most {
                    break;
                }
                end.send(data, *fin, slices.as_ref());
                if *releases {
                    end.connection.release_compressor();
                    assert_eq!(end.connection.compressor_held(), 0);
                }
            }
            Step::GiveUp { data, slices } => {
                let data = end.data(data);
                total += data.len();
                if let Some(mut job) = end.start(data, true) {
                    slices.work(&mut job, end.window);
                }
                *end = End::new(&input, bits);
            }
        }
    }
    for end in &mut ends {
        end.send(Bytes::new(), true, None);
    }
});

impl Slices {
    fn work(&self, job: &mut CompressJob, window: usize) {
        for _ in 0..self.count {
            if job.step(usize::from(self.len) % window) {
                return;
            }
        }
    }
}

/// A connection, and what its peer makes of it.
struct End {
    connection: Connection,
    window: usize,
    takeover: bool,
    threshold: usize,
    inflater: Inflater,
    strict: StrictInflater,
    /// All that was sent.
    sent: Vec<u8>,
    message: Message,
}

/// The message that has begun.
#[derive(Default)]
struct Message {
    fragments: usize,
    is_compressed: bool,
    /// Where it begins in what was sent.
    start: usize,
    inflated: Vec<u8>,
}

impl End {
    fn new(input: &Input, bits: u8) -> Self {
        let mut connection = Connection::new(ConnectionConfig::new(ReceiverConfig {
            role: Role::Server,
            max_payload: 0,
            max_frame_size: 0,
            max_fragments: 0,
            skip_utf8_validation: false,
        }));
        let params = DeflateParams {
            server_no_context_takeover: !input.takeover,
            server_max_window_bits: Some(bits),
            ..DeflateParams::default()
        };
        let options = DeflateOptions {
            threshold: input.threshold.into(),
            compressor: CompressorOptions {
                level: input.level,
                mem_level: input.mem_level,
                strategy: match input.strategy % 5 {
                    0 => Strategy::Default,
                    1 => Strategy::Filtered,
                    2 => Strategy::HuffmanOnly,
                    3 => Strategy::Rle,
                    _ => Strategy::Fixed,
                },
            },
            ..DeflateOptions::default()
        };
        connection.enable_deflate(&params, &options);
        Self {
            connection,
            window: 1 << bits,
            takeover: input.takeover,
            threshold: input.threshold.into(),
            inflater: Inflater::new(input.takeover, bits),
            strict: StrictInflater::new(1 << bits),
            sent: Vec::new(),
            message: Message::default(),
        }
    }

    fn data(&self, data: &Data) -> Bytes {
        let cut = |len: u16| usize::from(len) % (self.window + self.window / 2);
        match *data {
            Data::Bytes(bytes) => Bytes::copy_from_slice(bytes),
            Data::Run { byte, len } => vec![byte; cut(len)].into(),
            Data::Noise { seed, len } => noise(seed, cut(len)).into(),
            Data::Again { back, len } => {
                let rest = &self.sent[self.sent.len().saturating_sub(cut(back))..];
                Bytes::copy_from_slice(&rest[..rest.len().min(cut(len))])
            }
        }
    }

    fn start(&mut self, data: Bytes, fin: bool) -> Option<CompressJob> {
        let job = self.connection.start_compress(true, fin, true, data);
        assert_eq!(job.is_some(), self.connection.is_compressing());
        job
    }

    fn send(&mut self, data: Bytes, fin: bool, slices: Option<&Slices>) {
        if self.message.fragments == 0 {
            let wanted = self.takeover || data.len() >= self.threshold;
            assert_eq!(self.connection.will_compress(true, data.len()), wanted);
        }
        let job = slices.and_then(|slices| Some((self.start(data.clone(), fin)?, slices)));
        if let Some((mut job, slices)) = job {
            slices.work(&mut job, self.window);
            if slices.pings {
                self.connection.send_ping(b"ping", None);
                assert_eq!(self.written(), b"\x89\x04ping");
            }
            self.connection.finish_compress(job, None);
        } else {
            let payload = SendPayload::Copied(&data);
            self.connection.send_message(true, fin, true, payload, None);
        }
        self.sent.extend_from_slice(&data);
        let frame = self.written();
        self.receive(&frame, fin);
    }

    fn written(&mut self) -> Vec<u8> {
        let mut written = Vec::new();
        loop {
            let queue = self.connection.transmit();
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = queue.io_slices(&mut slices);
            if filled == 0 {
                return written;
            }
            let before = written.len();
            written.extend(slices[..filled].iter().flat_map(|slice| slice.iter()));
            queue.advance(written.len() - before);
        }
    }

    /// One frame, whose data was sent last.
    fn receive(&mut self, frame: &[u8], fin: bool) {
        let is_first = self.message.fragments == 0;
        let opcode = if is_first { 0x02 } else { 0x00 };
        assert_eq!(frame[0] & !0x40, u8::from(fin) << 7 | opcode);
        let rsv1 = frame[0] & 0x40 != 0;
        let payload = payload_of(frame);
        let own = &mut self.message;
        own.fragments += 1;
        if is_first {
            own.is_compressed = rsv1;
        } else {
            assert!(!rsv1, "RSV1 is on the first frame only");
        }
        if own.is_compressed {
            let out = &mut own.inflated;
            let taken = self.inflater.inflate(payload, out, usize::MAX);
            assert_eq!(taken, Ok(payload.len()));
            self.strict.fragment(payload);
            if fin {
                assert_eq!(self.inflater.finish(out, usize::MAX), Ok(()));
                self.strict.finish();
            }
        } else {
            assert!(!self.takeover || own.fragments > 1, "all is compressed");
            own.inflated.extend_from_slice(payload);
        }
        let expected = &self.sent[own.start..];
        assert!(own.inflated == expected, "also before the message ends");
        if !fin {
            return;
        }
        if own.is_compressed {
            assert!(self.strict.output().ends_with(expected));
        }
        if !self.takeover {
            assert_eq!(self.connection.compressor_held(), 0);
            self.strict.forget();
        }
        self.message = Message {
            start: self.sent.len(),
            ..Message::default()
        };
    }
}

fn payload_of(frame: &[u8]) -> &[u8] {
    let (len, header) = match frame[1] {
        127 => (
            u64::from_be_bytes(frame[2..10].try_into().expect("8 bytes")),
            10,
        ),
        126 => (u64::from(u16::from_be_bytes([frame[2], frame[3]])), 4),
        len => (u64::from(len), 2),
    };
    let payload = &frame[header..];
    assert_eq!(payload.len() as u64, len, "one frame");
    payload
}

/// Bytes that do not compress, the same for the same seed.
fn noise(seed: u16, len: usize) -> Vec<u8> {
    let mut state = u64::from(seed) << 32 | 0x9e37_79b9;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}
