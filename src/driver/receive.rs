//! The receiving half of a connection: bytes to events, within the credit that JavaScript gives.

use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker, ready};

use super::batch::{Kind, Origin};
use super::command::AutoPong;
use super::connection::{Connection, Io, Stage, errno};
use super::io_thread::{SCRATCH, yield_turn};
use super::link::State;
use super::notice::{Notice, ResponseError};
use super::tls::is_handshaking;
use crate::proto::error::ProtocolError;
use crate::proto::receiver::{Event, Payload};
use crate::transport::Transport;
use crate::transport::relay::Relay;
use crate::transport::tls::error::TlsError;

/// Read but not yet delivered to JavaScript: beyond this a connection's socket is not read.
const CREDIT_BYTES: usize = 256 * 1024;
const CREDIT_MESSAGES: usize = 4096;

/// Reads of one connection before the others get their turn.
const READS_PER_TURN: u32 = 8;

/// What of this connection is on its way to JavaScript.
#[derive(Default)]
pub(super) struct Credit {
    bytes: usize,
    messages: usize,
    seq: u64,
}

/// A relayed stream is gone: what it has received is all that there is.
fn is_gone(io: &Io) -> bool {
    matches!(&io.transport, Some(Transport::Relay(relay)) if relay.is_gone())
}

impl Connection {
    /// Returns the reads that it took.
    pub(super) fn receive(self: &Rc<Self>, io: &mut Io, cx: &mut Context<'_>) -> u32 {
        let mut reads = 0;
        while self.may_receive(io) {
            if std::mem::take(&mut io.sliced) {
                yield_turn(&self.env.context, cx);
                break;
            }
            if !io.pending.is_empty() && matches!(io.stage, Stage::Open | Stage::Raw) {
                let mut pending = std::mem::take(&mut io.pending);
                self.consume(io, &mut pending);
                continue;
            }
            if reads == READS_PER_TURN {
                cx.waker().wake_by_ref();
                break;
            }
            if is_handshaking(io) && !self.has_turn(io) {
                break;
            }
            reads += 1;
            io.read = io.read.wrapping_add(1);
            match self.receive_once(io, cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => self.end_of_stream(io),
                Poll::Ready(Err(error)) => self.receive_failed(io, error),
                Poll::Pending => break,
            }
        }
        self.ask_for_context(io);
        if reads > 0 {
            io.counter.set_read(io.received);
            self.report_consumed(io);
        }
        reads
    }

    /// Of a paused connection that is about to go: what has arrived is still delivered, as what a
    /// paused socket of Node's has read.
    pub fn receive_last(self: &Rc<Self>) {
        if self.paused.replace(false) {
            let mut io = self.io();
            if matches!(io.stage, Stage::Open) {
                let cx = &mut Context::from_waker(Waker::noop());
                self.receive(&mut io, cx);
                // more slices of it
                while !io.pending.is_empty() && self.may_receive(&io) {
                    self.receive(&mut io, cx);
                }
            }
        }
    }

    /// Tells who feeds a relayed stream how far we are.
    fn report_consumed(&self, io: &mut Io) {
        let relay = io.transport.as_mut().and_then(Transport::relay);
        if let Some(bytes) = relay.and_then(Relay::report_consumed) {
            self.env
                .event(|batch| batch.push(Kind::Consumed, self.id(), bytes as u32, 0));
        }
    }

    fn may_receive(&self, io: &Io) -> bool {
        if io.eof || io.doomed {
            return false;
        }
        match io.stage {
            // to learn that the peer has left
            Stage::Deciding(_) => io.pending.len() < SCRATCH,
            Stage::RequestHead | Stage::ResponseHead(_) | Stage::Refused => true,
            Stage::Raw => !self.paused.get() && !io.starved,
            // after a close frame or an error nothing is delivered any more: only the end of the
            // stream is of interest, and no pause holds that up
            Stage::Open if self.paused.get() || io.starved => {
                let state = self.link.lock();
                let over = state.proto.is_close_received() || state.proto.is_failed();
                over || (!io.starved && (state.write_failed || is_gone(io)))
            }
            Stage::Open => true,
        }
    }

    /// One read; false at the end of the stream.
    fn receive_once(self: &Rc<Self>, io: &mut Io, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if matches!(io.stage, Stage::Open) {
            let mut state = self.link.lock();
            let state = &mut *state;
            if let (Some(room), Some(transport)) = (state.proto.payload_room(), &mut io.transport) {
                let chunk = ready!(transport.poll_receive(cx, room))?;
                let count = chunk.len();
                if count == 0 {
                    return Poll::Ready(Ok(false));
                }
                io.received += count as u64;
                let seen = self.is_tapped().then(|| chunk.to_vec());
                // SAFETY: the transport has filled the first `count` bytes of the room.
                match unsafe { state.proto.payload_received(count) } {
                    Ok(Some(event)) => self.deliver(io, state, event),
                    Ok(None) => {}
                    Err(error) => self.protocol_error(io, error),
                }
                self.tap(io, seen);
                return Poll::Ready(Ok(true));
            }
        }
        let Some(mut transport) = io.transport.take() else {
            return Poll::Ready(Ok(false));
        };
        let mut scratch = self.env.context.scratch.borrow_mut();
        let received = transport.poll_receive(cx, &mut scratch);
        io.transport = Some(transport);
        let chunk = ready!(received)?;
        if chunk.is_empty() {
            return Poll::Ready(Ok(false));
        }
        io.received += chunk.len() as u64;
        // before it is unmasked in place
        let seen = (self.is_tapped() && matches!(io.stage, Stage::Open)).then(|| chunk.to_vec());
        self.consume(io, chunk);
        self.tap(io, seen);
        Poll::Ready(Ok(true))
    }

    fn is_tapped(&self) -> bool {
        self.link.tapped.load(Ordering::SeqCst)
    }

    /// Shows JavaScript the bytes of a read, behind what they have brought.
    fn tap(self: &Rc<Self>, io: &mut Io, seen: Option<Vec<u8>>) {
        if let Some(bytes) = seen {
            self.spend_credit(io, bytes.len());
            self.env.notify(self.id(), Notice::RawData(bytes));
        }
    }

    fn consume(self: &Rc<Self>, io: &mut Io, chunk: &mut [u8]) {
        match io.stage {
            Stage::Open => self.consume_frames(io, chunk),
            Stage::Raw => {
                self.spend_credit(io, chunk.len());
                self.env.notify(self.id(), Notice::RawData(chunk.to_vec()));
            }
            Stage::Refused => {}
            Stage::Deciding(_) => io.pending.extend_from_slice(chunk),
            Stage::RequestHead => {
                io.pending.extend_from_slice(chunk);
                self.request_head(io);
            }
            Stage::ResponseHead(_) => {
                io.pending.extend_from_slice(chunk);
                self.response_head(io);
            }
        }
    }

    fn consume_frames(self: &Rc<Self>, io: &mut Io, chunk: &mut [u8]) {
        let mut state = self.link.lock();
        let mut input = chunk;
        while !io.doomed {
            match state.proto.receive_data(&mut input) {
                Ok(None) => {
                    // what is left of it is to be inflated later
                    io.sliced = !input.is_empty();
                    io.pending.extend_from_slice(input);
                    return;
                }
                Ok(Some(event)) => self.deliver(io, &mut state, event),
                Err(error) => self.protocol_error(io, error),
            }
            if io.starved && !input.is_empty() {
                io.pending.extend_from_slice(input);
                return;
            }
        }
    }

    fn deliver(self: &Rc<Self>, io: &mut Io, state: &mut State, event: Event<'_>) {
        let from = Origin {
            conn: self.id(),
            read: io.read,
        };
        match event {
            Event::Message {
                binary,
                data,
                fragments,
            } => {
                self.spend_credit(io, data.len());
                self.env.event(|batch| {
                    if binary && let Some(fragments) = fragments {
                        batch.push_fragments(from, fragments.ends());
                    }
                    match data {
                        Payload::Borrowed(data) => batch.push_message(from, binary, data),
                        Payload::Owned(data) => batch.push_owned_message(from, binary, data),
                    }
                });
            }
            Event::Ping(data) => {
                let prompt = self.auto_pong == AutoPong::InOrder
                    && !self.link.answers_pings.load(Ordering::SeqCst)
                    && self.all_delivered(io);
                // the pong goes first: 5.5.3, "as soon as is practical"
                if prompt {
                    let key = self.mask_key(state);
                    if state.proto.send_auto_pong(&data, key).is_err() {
                        io.doomed = true;
                        return;
                    }
                }
                self.spend_credit(io, data.len());
                let wanted = self.auto_pong != AutoPong::Off && !prompt;
                self.env.event(|batch| batch.push_ping(from, &data, wanted));
            }
            Event::Pong(data) => {
                self.spend_credit(io, data.len());
                self.env.event(|batch| batch.push_pong(from, &data));
            }
            Event::Close { code, reason } => {
                self.env
                    .event(|batch| batch.push_close(from, code, &reason));
            }
        }
    }

    /// JavaScript answers with the close frame, after everything that it sends before it hears.
    fn protocol_error(&self, io: &mut Io, error: ProtocolError) {
        if error == ProtocolError::TooManyPendingPongs {
            io.doomed = true;
        } else {
            self.env.notify(self.id(), Notice::Failed(error));
        }
    }

    fn end_of_stream(&self, io: &mut Io) {
        io.eof = true;
        match io.stage {
            Stage::Open => {
                self.link.lock().proto.receive_eof();
                self.env
                    .event(|batch| batch.push(Kind::End, self.id(), 0, 0));
            }
            Stage::Raw => self.env.notify(self.id(), Notice::RawEnd),
            Stage::ResponseHead(_) => {
                self.env
                    .notify(self.id(), Notice::ResponseFailed(ResponseError::HangUp));
                io.doomed = true;
            }
            Stage::RequestHead | Stage::Deciding(_) => io.doomed = true,
            Stage::Refused => {}
        }
    }

    fn receive_failed(&self, io: &mut Io, error: io::Error) {
        io.errno = errno(&error);
        match io.stage {
            Stage::ResponseHead(_) => {
                self.env
                    .notify(self.id(), Notice::ResponseFailed(ResponseError::Io(error)));
            }
            Stage::RequestHead if is_handshaking(io) || TlsError::of(&error).is_some() => {
                self.handshake_failed(io, error);
            }
            _ => {}
        }
        io.doomed = true;
    }

    // ---- credit ----

    /// JavaScript has had all messages so far, and what it sent in reply is queued.
    fn all_delivered(&self, io: &Io) -> bool {
        self.env.drained() >= io.credit.seq && self.env.shared.commands_settled(self.env.thread())
    }

    fn spend_credit(self: &Rc<Self>, io: &mut Io, bytes: usize) {
        let credit = &mut io.credit;
        if self.env.drained() >= credit.seq {
            *credit = Credit::default();
        }
        credit.seq = self.env.seq();
        credit.bytes += bytes;
        credit.messages += 1;
        let spent = credit.bytes >= CREDIT_BYTES || credit.messages >= CREDIT_MESSAGES;
        if spent && !io.starved {
            io.starved = true;
            self.env.starve(self.clone());
        }
    }

    /// Reads on if JavaScript has had everything; false if it has not.
    pub fn refill_credit(&self) -> bool {
        let mut io = self.io();
        if self.env.drained() < io.credit.seq {
            return io.transport.is_none();
        }
        io.credit = Credit::default();
        io.starved = false;
        drop(io);
        self.wake();
        true
    }
}
