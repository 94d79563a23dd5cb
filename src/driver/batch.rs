//! What one turn of an I/O thread has to tell one JavaScript environment.
//!
//! Events are small fixed records in the order they happened. Small payloads lie one after the
//! other in `arena`, cut into pieces that JavaScript copies out one by one, so that a message which
//! the application keeps pins no more than its piece. Large payloads keep the allocation they were
//! received into.

use super::notice::Notice;

/// A payload up to this size is copied into the arena; a larger one keeps its own memory, which
/// becomes the Buffer. A finalizer and a collection cost more than a copy below this.
pub const LARGE_PAYLOAD: usize = 32 * 1024;

/// Where a piece ends: the most that one kept small message can pin.
pub const PIECE_SIZE: usize = 32 * 1024;

/// A batch with this much in it is published at once, before the turn is over.
const FULL_BYTES: usize = 1024 * 1024;
const FULL_RECORDS: usize = 4096;

/// Memory kept by a recycled batch.
const KEEP_ARENA: usize = 1024 * 1024;

/// The kinds of [`Record`]; lib/constants.js has the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// A new piece of `a` bytes: copy it out before the next records.
    Piece = 0,
    /// A message of `b` bytes at offset `a` of the current piece.
    Text = 1,
    Binary = 2,
    /// A message of `b` bytes with memory of its own, number `a` of the batch.
    LargeText = 3,
    LargeBinary = 4,
    /// Control frames: `b` bytes at offset `a` of the current piece. A ping's kind word has 1 in
    /// its upper 16 bits if JavaScript has to send the pong.
    Ping = 5,
    Pong = 6,
    /// As above; the close code is in the upper 16 bits of the kind word (0 = none).
    Close = 7,
    /// `a` more sends that asked for it have been handed to the operating system.
    Written = 8,
    /// The transport is gone: the last event of a connection. `a` is the operating system's error
    /// number, 0 without one.
    Closed = 9,
    /// Number `a` of the batch's notices.
    Notice = 10,
    /// JavaScript memory number `a`, lent to a send, is no longer used.
    Released = 11,
    /// The peer has ended its half: JavaScript ends ours, after everything that it sends before.
    End = 12,
    /// `b` bytes at offset `a` of the current piece are to be written to a relayed stream.
    Output = 13,
    /// A relayed stream is to be ended.
    OutputEnd = 14,
    /// `a` more bytes that were fed in have been consumed.
    Consumed = 15,
    /// Where the fragments of the message in the next record end: `b` bytes of `u32` at offset `a`.
    Fragments = 16,
}

/// One event: its kind, the connection, and two words that the kind explains. The kind is the
/// lowest byte of its word; for what a peer sent, the next byte numbers the read that it came in.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Record {
    pub kind: u32,
    pub conn: u32,
    pub a: u32,
    pub b: u32,
}

/// Where an event comes from: a connection, and which of its reads, counted modulo 256.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub conn: u32,
    pub read: u8,
}

/// See the module documentation.
#[derive(Default)]
pub struct Batch {
    pub records: Vec<Record>,
    pub arena: Vec<u8>,
    pub large: Vec<Option<Vec<u8>>>,
    pub notices: Vec<Option<Notice>>,
    /// The I/O thread that wrote it and its place in that thread's sequence.
    pub thread: usize,
    pub seq: u64,
    /// Index of the record of the piece being filled and where in the arena it starts.
    piece: Option<(usize, usize)>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.arena.len() >= FULL_BYTES || self.records.len() >= FULL_RECORDS
    }

    pub fn push(&mut self, kind: Kind, conn: u32, a: u32, b: u32) {
        self.records.push(Record {
            kind: kind as u32,
            conn,
            a,
            b,
        });
    }

    /// A message whose payload is borrowed, or small.
    pub fn push_message(&mut self, from: Origin, binary: bool, data: &[u8]) {
        if data.len() > LARGE_PAYLOAD {
            return self.push_large(from, binary, data.to_vec());
        }
        let kind = if binary { Kind::Binary } else { Kind::Text };
        self.push_copied(from, kind as u32, data);
    }

    /// A message that owns its payload.
    pub fn push_owned_message(&mut self, from: Origin, binary: bool, data: Vec<u8>) {
        if data.len() > LARGE_PAYLOAD {
            self.push_large(from, binary, data);
        } else {
            self.push_message(from, binary, &data);
        }
    }

    /// `pong_wanted`: JavaScript has to answer, so that the pong keeps its place.
    pub fn push_ping(&mut self, from: Origin, data: &[u8], pong_wanted: bool) {
        self.push_copied(from, Kind::Ping as u32 | u32::from(pong_wanted) << 16, data);
    }

    pub fn push_pong(&mut self, from: Origin, data: &[u8]) {
        self.push_copied(from, Kind::Pong as u32, data);
    }

    pub fn push_close(&mut self, from: Origin, code: Option<u16>, reason: &[u8]) {
        let code = u32::from(code.unwrap_or(0)) << 16;
        self.push_copied(from, Kind::Close as u32 | code, reason);
    }

    /// Bytes for a relayed stream.
    pub fn push_output(&mut self, conn: u32, bytes: &[u8]) {
        for chunk in bytes.chunks(PIECE_SIZE) {
            self.push_copied(Origin { conn, read: 0 }, Kind::Output as u32, chunk);
        }
    }

    /// The message that follows has come in fragments that end at these offsets.
    pub fn push_fragments(&mut self, from: Origin, ends: &[u32]) {
        let bytes: Vec<u8> = ends.iter().flat_map(|end| end.to_ne_bytes()).collect();
        self.push_copied(from, Kind::Fragments as u32, &bytes);
    }

    pub fn push_notice(&mut self, conn: u32, notice: Notice) {
        let index = self.notices.len() as u32;
        self.notices.push(Some(notice));
        self.push(Kind::Notice, conn, index, 0);
    }

    /// Empties the batch for reuse, without keeping more memory than a usual turn needs.
    pub fn recycle(mut self) -> Self {
        self.records.clear();
        self.arena.clear();
        self.arena.shrink_to(KEEP_ARENA);
        self.large.clear();
        self.notices.clear();
        self.piece = None;
        self
    }

    fn push_large(&mut self, from: Origin, binary: bool, data: Vec<u8>) {
        let kind = if binary {
            Kind::LargeBinary
        } else {
            Kind::LargeText
        };
        let a = self.large.len() as u32;
        self.push_from(from, kind as u32, a, data.len() as u32);
        self.large.push(Some(data));
    }

    fn push_copied(&mut self, from: Origin, kind: u32, data: &[u8]) {
        let a = self.copy(data);
        self.push_from(from, kind, a, data.len() as u32);
    }

    fn push_from(&mut self, from: Origin, kind: u32, a: u32, b: u32) {
        let kind = kind | u32::from(from.read) << 8;
        self.records.push(Record {
            kind,
            conn: from.conn,
            a,
            b,
        });
    }

    /// Appends to the current piece, or to a new one when it is full; returns the offset in it.
    fn copy(&mut self, data: &[u8]) -> u32 {
        if data.is_empty() {
            return 0;
        }
        let (record, start) = match self.piece {
            Some((record, start)) if self.arena.len() - start + data.len() <= PIECE_SIZE => {
                (record, start)
            }
            _ => {
                let piece = (self.records.len(), self.arena.len());
                self.push(Kind::Piece, 0, 0, 0);
                self.piece = Some(piece);
                piece
            }
        };
        let offset = self.arena.len() - start;
        self.arena.extend_from_slice(data);
        self.records[record].a = (self.arena.len() - start) as u32;
        offset as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin = Origin { conn: 1, read: 0 };

    #[test]
    fn pieces_cover_the_arena_and_never_split_a_payload() {
        let mut batch = Batch::default();
        let payload = vec![7; 5000];
        for _ in 0..20 {
            batch.push_message(ORIGIN, true, &payload);
        }
        let pieces: Vec<u32> = batch
            .records
            .iter()
            .filter(|r| r.kind == Kind::Piece as u32)
            .map(|r| r.a)
            .collect();
        assert_eq!(pieces.iter().sum::<u32>() as usize, batch.arena.len());
        assert_eq!(pieces, [30_000, 30_000, 30_000, 10_000]);
        let mut size = 0;
        for record in &batch.records {
            match record.kind {
                k if k == Kind::Piece as u32 => size = record.a,
                _ => assert!(record.a + record.b <= size),
            }
        }
    }

    #[test]
    fn a_large_payload_keeps_its_memory() {
        let mut batch = Batch::default();
        let data = vec![1; LARGE_PAYLOAD + 1];
        let at = data.as_ptr();
        batch.push_owned_message(ORIGIN, false, data);
        assert_eq!(batch.large[0].as_ref().unwrap().as_ptr(), at);
        assert!(batch.arena.is_empty());
    }

    #[test]
    fn an_empty_payload_needs_no_piece() {
        let mut batch = Batch::default();
        batch.push_message(ORIGIN, false, b"");
        batch.push_close(ORIGIN, Some(1000), b"");
        assert_eq!(batch.records.len(), 2);
        assert_eq!(batch.records[1].kind, Kind::Close as u32 | 1000 << 16);
    }
}
