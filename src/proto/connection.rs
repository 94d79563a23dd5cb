//! One WebSocket connection after its opening handshake: receiver, sender, the queue of what is to
//! be written, and the closing handshake (RFC 6455 sections 5 to 7).

mod compress;

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Role;
use super::close::MAX_REASON_LEN;
use super::error::ProtocolError;
use super::frame::{MAX_CONTROL_PAYLOAD_LEN, MAX_HEADER_LEN, Opcode, encode_header};
use super::receiver::{Event, Receiver, ReceiverConfig};
use super::sender::Sender;
use super::transmit::TransmitQueue;

/// Shared payloads below this are copied: joining the neighbouring frames in one buffer costs less
/// than a segment of their own.
const SHARED_MIN: usize = 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionConfig {
    pub receiver: ReceiverConfig,
    /// How long the transport may stay open after a close frame was sent.
    pub close_timeout: Duration,
    /// Most automatic pongs waiting to be written; 0 = no limit.
    pub max_pending_pongs: u32,
}

impl ConnectionConfig {
    /// The defaults of ws: 30 seconds, 60 pongs.
    pub fn new(receiver: ReceiverConfig) -> Self {
        Self {
            receiver,
            close_timeout: Duration::from_secs(30),
            max_pending_pongs: 60,
        }
    }
}

#[derive(Clone, Debug)]
pub enum SendPayload<'a> {
    /// Copied into the queue.
    Copied(&'a [u8]),
    /// Written from where it is, unless it is small or has to be masked: then it is copied.
    Shared(Bytes),
}

impl SendPayload<'_> {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// ```text
///  receive_data / payload_received ---> events      send_* ---> transmit() ---> transport
///  receive_eof                                      close frame sent, and one received, or a
///  handle_timeout <--- poll_timeout                 failure; or end()
///                                                      ---> should_shutdown
/// ```
///
/// The connection reports a close frame and leaves the answer to the caller, who echoes the code
/// with [`send_close`](Self::send_close). A `mask` is the masking key of one frame: `Some` in the
/// client role, `None` in the server role.
#[derive(Debug)]
pub struct Connection {
    receiver: Receiver,
    sender: Sender,
    transmit: TransmitQueue,
    /// For each automatic pong not yet written, the count of transmitted bytes at which it is.
    pending_pongs: VecDeque<u64>,
    max_pending_pongs: u32,
    /// Bytes taken off the queue that are not known to be written.
    in_flight: u64,
    close_timeout: Duration,
    close_deadline: Option<Instant>,
    close_sent: bool,
    close_received: bool,
    failed: bool,
    eof: bool,
    ended: bool,
    shutdown_done: bool,
    is_compressing: bool,
}

impl Connection {
    pub fn new(config: ConnectionConfig) -> Self {
        Self {
            receiver: Receiver::new(config.receiver),
            sender: Sender::default(),
            transmit: TransmitQueue::new(),
            pending_pongs: VecDeque::new(),
            max_pending_pongs: config.max_pending_pongs,
            in_flight: 0,
            close_timeout: config.close_timeout,
            close_deadline: None,
            close_sent: false,
            close_received: false,
            failed: false,
            eof: false,
            ended: false,
            shutdown_done: false,
            is_compressing: false,
        }
    }

    pub fn role(&self) -> Role {
        self.receiver.role()
    }

    /// Takes the next event out of `input`; to be called until `Ok(None)`. See
    /// [`Receiver::receive`].
    pub fn receive_data<'a>(
        &mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let result = self.receiver.receive(input);
        self.record(&result);
        result
    }

    /// See [`Receiver::set_limits`].
    pub fn set_limits(&mut self, max_payload: u64, skip_utf8_validation: bool) {
        self.receiver.set_limits(max_payload, skip_utf8_validation);
    }

    /// Where to receive the rest of a large message. See [`Receiver::payload_room`].
    pub fn payload_room(&mut self) -> Option<&mut [MaybeUninit<u8>]> {
        self.receiver.payload_room()
    }

    /// Takes over `n` bytes received into the room. See [`Receiver::payload_received`].
    ///
    /// # Safety
    /// The first `n` bytes of the slice that [`payload_room`](Self::payload_room) returned last
    /// must have been initialised, and nothing else of the connection called since.
    pub unsafe fn payload_received(
        &mut self,
        n: usize,
    ) -> Result<Option<Event<'static>>, ProtocolError> {
        // SAFETY: the same promise.
        let result = unsafe { self.receiver.payload_received(n) };
        self.record(&result);
        result
    }

    /// The peer will send nothing more.
    pub fn receive_eof(&mut self) {
        self.eof = true;
        self.receiver.stop();
    }

    /// Bytes of memory reserved for an unfinished message.
    pub fn buffered(&self) -> usize {
        self.receiver.buffered()
    }

    /// Queues a message, or a fragment of one: `fin` ends it, `binary` and `compress` count on its
    /// first fragment. Returns the bytes queued, header included; 0 if a close frame was sent
    /// before.
    ///
    /// It is compressed if that was negotiated, `compress` asks for it, and, without context
    /// takeover, the first fragment is as long as the threshold and the message does not grow by it.
    pub fn send_message(
        &mut self,
        binary: bool,
        fin: bool,
        compress: bool,
        payload: SendPayload<'_>,
        mask: Option<[u8; 4]>,
    ) -> usize {
        debug_assert!(!self.is_compressing(), "a job is to be finished first");
        if self.close_sent {
            return 0;
        }
        let len = payload.bytes().len();
        let frame = self.sender.next_frame(binary, fin, compress, len);
        if frame.compressed {
            return self.send_compressed(fin, frame, payload, mask);
        }
        self.send_frame(fin, false, frame.opcode, payload, mask)
    }

    /// Queues a ping of at most 125 bytes; a longer one is cut. Returns as
    /// [`send_message`](Self::send_message) does.
    pub fn send_ping(&mut self, data: &[u8], mask: Option<[u8; 4]>) -> usize {
        self.send_control(Opcode::Ping, data, mask)
    }

    /// Queues a pong of at most 125 bytes; a longer one is cut. Returns as
    /// [`send_message`](Self::send_message) does.
    pub fn send_pong(&mut self, data: &[u8], mask: Option<[u8; 4]>) -> usize {
        self.send_control(Opcode::Pong, data, mask)
    }

    /// Queues the answer to a ping (RFC 6455 section 5.5.2). Returns as
    /// [`send_message`](Self::send_message) does.
    ///
    /// Errors: [`ProtocolError::TooManyPendingPongs`] if as many as allowed wait to be written.
    pub fn send_auto_pong(
        &mut self,
        data: &[u8],
        mask: Option<[u8; 4]>,
    ) -> Result<usize, ProtocolError> {
        if self.close_sent {
            return Ok(0);
        }
        let written = self.written();
        while self
            .pending_pongs
            .front()
            .is_some_and(|&end| end <= written)
        {
            self.pending_pongs.pop_front();
        }
        if self.max_pending_pongs > 0 {
            if self.pending_pongs.len() >= self.max_pending_pongs as usize {
                self.failed = true;
                self.receiver.stop();
                return Err(ProtocolError::TooManyPendingPongs);
            }
            let queued = self.send_control(Opcode::Pong, data, mask);
            let end = self.transmit.transmitted() + self.transmit.len() as u64;
            self.pending_pongs.push_back(end);
            return Ok(queued);
        }
        Ok(self.send_control(Opcode::Pong, data, mask))
    }

    /// Queues the close frame and arms the close timer. Returns the bytes queued; 0 if one was sent
    /// before. Without a code the frame is empty and `reason` is not sent; a reason over 123 bytes
    /// is cut between characters.
    pub fn send_close(
        &mut self,
        code: Option<u16>,
        reason: &[u8],
        mask: Option<[u8; 4]>,
        now: Instant,
    ) -> usize {
        if self.close_sent {
            return 0;
        }
        let mut payload = [0; MAX_CONTROL_PAYLOAD_LEN];
        let mut len = 0;
        if let Some(code) = code {
            let reason = cut_reason(reason);
            len = 2 + reason.len();
            payload[..2].copy_from_slice(&code.to_be_bytes());
            payload[2..len].copy_from_slice(reason);
        }
        let queued = self.send_control(Opcode::Close, &payload[..len], mask);
        // 5.5.1: "The application MUST NOT send any more data frames after sending a Close frame."
        self.close_sent = true;
        self.arm_close_timer(now);
        queued
    }

    /// Starts the close timer, unless it runs.
    pub fn arm_close_timer(&mut self, now: Instant) {
        if self.close_deadline.is_none() {
            // A timeout beyond what the clock counts is none.
            self.close_deadline = now.checked_add(self.close_timeout);
        }
    }

    pub fn is_close_sent(&self) -> bool {
        self.close_sent
    }

    pub fn is_close_received(&self) -> bool {
        self.close_received
    }

    /// The peer violated the protocol or a limit.
    pub fn is_failed(&self) -> bool {
        self.failed
    }

    pub fn is_eof(&self) -> bool {
        self.eof
    }

    /// Nothing will be sent after what is queued, close frame or not: the answer to an end of input.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// All is written and nothing will follow: the write half of the transport is to be shut down
    /// (section 7.1.1).
    pub fn should_shutdown(&self) -> bool {
        let closed = self.close_sent && (self.close_received || self.failed);
        (closed || self.ended) && self.transmit.is_empty() && !self.shutdown_done
    }

    /// The write half was shut down.
    pub fn set_shutdown_done(&mut self) {
        self.shutdown_done = true;
    }

    /// Bytes written in all.
    pub fn written(&self) -> u64 {
        self.transmit.transmitted() - self.in_flight
    }

    /// So many of the bytes that were taken off the queue are not known to be written: those of a
    /// transport that takes them over before it writes them.
    pub fn set_in_flight(&mut self, bytes: usize) {
        self.in_flight = bytes as u64;
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight as usize
    }

    /// What is to be written.
    pub fn transmit(&mut self) -> &mut TransmitQueue {
        &mut self.transmit
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.close_deadline
    }

    /// True: the closing handshake took too long, and the transport is to be destroyed.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        let due = self.close_deadline.is_some_and(|deadline| deadline <= now);
        if due {
            self.close_deadline = None;
        }
        due
    }

    fn record(&mut self, result: &Result<Option<Event<'_>>, ProtocolError>) {
        match result {
            Ok(Some(Event::Close { .. })) => self.close_received = true,
            Err(_) => self.failed = true,
            Ok(_) => {}
        }
    }

    fn send_control(&mut self, opcode: Opcode, data: &[u8], mask: Option<[u8; 4]>) -> usize {
        debug_assert!(data.len() <= MAX_CONTROL_PAYLOAD_LEN);
        if self.close_sent {
            return 0;
        }
        let data = &data[..data.len().min(MAX_CONTROL_PAYLOAD_LEN)];
        self.send_frame(true, false, opcode, SendPayload::Copied(data), mask)
    }

    fn send_frame(
        &mut self,
        fin: bool,
        rsv1: bool,
        opcode: Opcode,
        payload: SendPayload<'_>,
        mask: Option<[u8; 4]>,
    ) -> usize {
        let payload_len = payload.bytes().len();
        let mut header = [0; MAX_HEADER_LEN];
        let len = encode_header(&mut header, fin, rsv1, opcode, payload_len as u64, mask);
        let header = &header[..len];
        match payload {
            SendPayload::Copied(bytes) => self.transmit.push_copied(header, bytes, mask),
            SendPayload::Shared(bytes) if mask.is_some() || payload_len < SHARED_MIN => {
                self.transmit.push_copied(header, &bytes, mask);
            }
            SendPayload::Shared(bytes) => self.transmit.push_shared(header, bytes),
        }
        len + payload_len
    }
}

/// The reason, or as many whole characters of it as a close frame holds.
fn cut_reason(reason: &[u8]) -> &[u8] {
    debug_assert!(reason.len() <= MAX_REASON_LEN);
    let Some(next) = reason.get(MAX_REASON_LEN) else {
        return reason;
    };
    let mut len = MAX_REASON_LEN;
    let mut after = *next;
    while after & 0xc0 == 0x80 && len > MAX_REASON_LEN - 3 {
        len -= 1;
        after = reason[len];
    }
    &reason[..len]
}

#[cfg(test)]
mod tests;
