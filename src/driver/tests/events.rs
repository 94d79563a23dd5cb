//! Batches, taken apart as lib/events.js does it.

use super::host::{CLIENT, Host, SERVER};
use crate::driver::batch::{Batch, Kind};
use crate::driver::command::{Command, SendFlags};
use crate::driver::notice::Notice;

/// An event as JavaScript would get it.
#[derive(Debug)]
#[allow(dead_code, reason = "some fields are only shown when a test fails")]
pub enum Seen {
    Message {
        conn: u32,
        binary: bool,
        data: Vec<u8>,
    },
    Ping {
        conn: u32,
        data: Vec<u8>,
    },
    Pong {
        conn: u32,
        data: Vec<u8>,
    },
    Close {
        conn: u32,
        code: Option<u16>,
        reason: Vec<u8>,
    },
    Written {
        conn: u32,
        count: u32,
    },
    Closed {
        conn: u32,
    },
    Output {
        conn: u32,
        data: Vec<u8>,
    },
    OutputEnd {
        conn: u32,
    },
    Consumed {
        conn: u32,
        bytes: usize,
    },
    Fragments {
        conn: u32,
        ends: Vec<u32>,
    },
    Notice {
        conn: u32,
        notice: Notice,
    },
}

impl Host {
    fn pong(&self, conn: u32, data: &[u8]) {
        let flags = if self.clients.contains(&conn) {
            CLIENT
        } else {
            SERVER
        };
        let flags = SendFlags(flags.0 | SendFlags::AUTO);
        self.command(conn, |b| {
            let range = b.append(data);
            Command::Pong {
                conn,
                flags,
                range,
                key: 0,
            }
        });
    }

    /// As lib/ does, it answers what is left to it: pings behind messages, and the peer's end.
    pub(super) fn decode(&mut self, mut batch: Batch) -> Batch {
        let (mut start, mut end) = (0, 0);
        for record in std::mem::take(&mut batch.records) {
            let (conn, a, b) = (record.conn, record.a as usize, record.b as usize);
            let bytes = |batch: &Batch| match b {
                0 => Vec::new(),
                _ => {
                    assert!(start + a + b <= end, "within the piece");
                    batch.arena[start + a..][..b].to_vec()
                }
            };
            let kind = record.kind & 0xff;
            let is = |wanted: Kind| kind == wanted as u32;
            let seen = if is(Kind::Piece) {
                (start, end) = (end, end + a);
                continue;
            } else if is(Kind::Text) || is(Kind::Binary) {
                Seen::Message {
                    conn,
                    binary: is(Kind::Binary),
                    data: bytes(&batch),
                }
            } else if is(Kind::LargeText) || is(Kind::LargeBinary) {
                let data = batch.large[a].take().expect("handed over once");
                assert_eq!(data.len(), b);
                Seen::Message {
                    conn,
                    binary: is(Kind::LargeBinary),
                    data,
                }
            } else if is(Kind::Ping) {
                let data = bytes(&batch);
                if record.kind >> 16 != 0 {
                    self.pong(conn, &data);
                }
                Seen::Ping { conn, data }
            } else if is(Kind::End) {
                self.end(conn);
                continue;
            } else if is(Kind::Pong) {
                Seen::Pong {
                    conn,
                    data: bytes(&batch),
                }
            } else if is(Kind::Close) {
                let code = (record.kind >> 16) as u16;
                Seen::Close {
                    conn,
                    code: (code != 0).then_some(code),
                    reason: bytes(&batch),
                }
            } else if is(Kind::Written) {
                Seen::Written {
                    conn,
                    count: record.a,
                }
            } else if is(Kind::Closed) {
                Seen::Closed { conn }
            } else if is(Kind::Output) {
                Seen::Output {
                    conn,
                    data: bytes(&batch),
                }
            } else if is(Kind::OutputEnd) {
                Seen::OutputEnd { conn }
            } else if is(Kind::Consumed) {
                Seen::Consumed { conn, bytes: a }
            } else if is(Kind::Fragments) {
                let word = |bytes: &[u8]| u32::from_ne_bytes(bytes.try_into().expect("4 bytes"));
                Seen::Fragments {
                    conn,
                    ends: bytes(&batch).chunks(4).map(word).collect(),
                }
            } else {
                assert!(is(Kind::Notice));
                let notice = batch.notices[a].take().expect("handed over once");
                Seen::Notice { conn, notice }
            };
            self.seen.push_back(seen);
        }
        batch
    }
}
