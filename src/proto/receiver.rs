//! Frames in, messages out (RFC 6455 sections 5.2, 5.4 and 6.2).

mod event;
mod message;

use std::mem::{self, MaybeUninit};

pub use event::{Event, Fragments, Payload};

use self::message::Message;
use super::Role;
use super::close::parse_close_payload;
use super::deflate::Inflater;
use super::error::ProtocolError;
use super::frame::{FrameHeader, HeaderParse, HeaderRules, MAX_HEADER_LEN, Opcode, parse_header};
use super::mask::apply_mask;
use super::utf8;

/// The least payload still missing, in bytes, at which [`Receiver::payload_room`] is offered. Below
/// it, a read into a shared buffer, which may bring the following frames too, costs less.
pub const DIRECT_MIN: usize = 16 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// The role of this end: a server demands masked frames, a client refuses them.
    pub role: Role,
    /// Most bytes of one message; 0 = no limit.
    pub max_payload: u64,
    /// Most bytes of payload of one data frame; 0 = no limit.
    pub max_frame_size: u64,
    /// Most fragments of one message, empty ones included; 0 = no limit.
    pub max_fragments: u32,
    /// Hand over text and close reasons as they are.
    pub skip_utf8_validation: bool,
}

/// The receiving half of a connection.
///
/// ```text
///            header complete             payload complete
///   Header ------------------> Payload -------------------> Header
///     |                           |
///     +------- close frame or error -------> Done (swallows all input)
/// ```
#[derive(Debug)]
pub struct Receiver {
    config: ReceiverConfig,
    state: State,
    /// A header of which only the start has arrived.
    header: [u8; MAX_HEADER_LEN],
    header_len: u8,
    /// The frame whose payload is being received.
    frame: Frame,
    /// The message whose fragments are being received.
    message: Message,
    /// Payload of a control frame that did not arrive in one piece.
    control: Vec<u8>,
    /// permessage-deflate was negotiated.
    inflater: Option<Box<Inflater>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    Payload,
    Done,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    mask: Option<[u8; 4]>,
    /// Position of the masking key at the next byte of payload.
    mask_offset: u8,
    /// Bytes of payload that have not arrived.
    remaining: u64,
}

impl Receiver {
    pub fn new(config: ReceiverConfig) -> Self {
        Self {
            config,
            state: State::Header,
            header: [0; MAX_HEADER_LEN],
            header_len: 0,
            frame: Frame {
                opcode: Opcode::Continuation,
                fin: true,
                mask: None,
                mask_offset: 0,
                remaining: 0,
            },
            message: Message::default(),
            control: Vec::new(),
            inflater: None,
        }
    }

    /// From now on messages may be compressed (RFC 7692 section 6).
    pub fn enable_deflate(&mut self, inflater: Inflater) {
        self.inflater = Some(Box::new(inflater));
    }

    /// Lets [`receive`](Self::receive) return `Ok(None)` with input left when it has inflated about
    /// `slice` bytes; the rest of the input is then to be given to it later. Unlimited at first.
    pub fn set_inflate_slice(&mut self, slice: usize) {
        if let Some(inflater) = &mut self.inflater {
            inflater.set_slice(slice);
        }
    }

    pub fn role(&self) -> Role {
        self.config.role
    }

    /// Changes two limits of [`ReceiverConfig`] for the frames to come.
    pub fn set_limits(&mut self, max_payload: u64, skip_utf8_validation: bool) {
        self.config.max_payload = max_payload;
        self.config.skip_utf8_validation = skip_utf8_validation;
    }

    /// Takes the next event out of `input` and advances it. `Ok(None)`: all of `input` is consumed
    /// and more is needed, but for [`set_inflate_slice`](Self::set_inflate_slice).
    ///
    /// A message whose only frame lies wholly in `input` is unmasked in place and borrowed from
    /// there; other payloads gather in a buffer of their own. After a close frame or an error
    /// everything that follows is swallowed (section 1.4: data after a close frame is discarded).
    ///
    /// Errors: the first violation in `input`, after the events before it.
    pub fn receive<'a>(
        &mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        if let Some(inflater) = &mut self.inflater {
            inflater.begin_turn();
        }
        let result = self.next_event(input);
        if matches!(result, Err(_) | Ok(Some(Event::Close { .. }))) {
            self.stop();
        }
        result
    }

    /// Within a large data frame ([`DIRECT_MIN`] bytes of payload or more still missing): the spare
    /// room of the message's own buffer, not empty, to receive the next bytes of the connection
    /// into without a copy. `None` otherwise.
    pub fn payload_room(&mut self) -> Option<&mut [MaybeUninit<u8>]> {
        if self.state != State::Payload
            || self.frame.opcode.is_control()
            || self.message.is_compressed()
        {
            return None;
        }
        let remaining = usize::try_from(self.frame.remaining).unwrap_or(usize::MAX);
        if remaining < DIRECT_MIN {
            return None;
        }
        // Memory that cannot be had shows as an error in `receive`.
        self.message
            .reserve(DIRECT_MIN, remaining, self.growth_limit())
            .ok()?;
        Some(self.message.room(remaining))
    }

    /// Takes over the first `n` bytes of the room, as [`receive`](Self::receive) would have taken
    /// them from its input.
    ///
    /// # Safety
    /// The first `n` bytes of the slice that [`payload_room`](Self::payload_room) returned last
    /// must have been initialised, and nothing else of the receiver called since.
    pub unsafe fn payload_received(
        &mut self,
        n: usize,
    ) -> Result<Option<Event<'static>>, ProtocolError> {
        debug_assert!(self.state == State::Payload && n as u64 <= self.frame.remaining);
        // SAFETY: the caller initialised them.
        let start = unsafe { self.message.commit(n) };
        let result = self.payload_arrived(start);
        if result.is_err() {
            self.stop();
        }
        result
    }

    /// Bytes of memory reserved for an unfinished message or control frame. The reservation is at
    /// most twice what has arrived, or 1 MiB of what the frame announced.
    pub fn buffered(&self) -> usize {
        self.message.capacity() + self.control.capacity()
    }

    fn next_event<'a>(
        &mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        loop {
            match self.state {
                State::Done => {
                    *input = &mut [];
                    return Ok(None);
                }
                State::Header => {
                    let Some(header) = self.take_header(input)? else {
                        return Ok(None);
                    };
                    self.begin_frame(header);
                }
                State::Payload if input.is_empty() && self.frame.remaining > 0 => return Ok(None),
                State::Payload => {
                    let event = if self.frame.opcode.is_control() {
                        self.take_control_payload(input)?
                    } else if self.message.is_compressed() {
                        self.take_compressed_payload(input)?
                    } else {
                        self.take_data_payload(input)?
                    };
                    if event.is_some() || (self.state == State::Payload && !input.is_empty()) {
                        return Ok(event);
                    }
                }
            }
        }
    }

    /// A whole header off the front of `input`, joined to what was kept of it before.
    fn take_header(&mut self, input: &mut &mut [u8]) -> Result<Option<FrameHeader>, ProtocolError> {
        let rules = HeaderRules {
            role: self.config.role,
            fragmented: self.message.is_open(),
            rsv1_allowed: self.inflater.is_some(),
        };
        let kept = usize::from(self.header_len);
        let parsed = if kept == 0 {
            parse_header(input, rules)?
        } else {
            let added = input.len().min(MAX_HEADER_LEN - kept);
            self.header[kept..kept + added].copy_from_slice(&input[..added]);
            parse_header(&self.header[..kept + added], rules)?
        };
        match parsed {
            HeaderParse::Complete { header, len } => {
                self.header_len = 0;
                take(input, len - kept);
                self.check_length(header.opcode, header.payload_len)?;
                Ok(Some(header))
            }
            HeaderParse::Incomplete { known } => {
                if let Some((opcode, payload_len)) = known {
                    self.check_length(opcode, payload_len)?;
                }
                // An incomplete header is shorter than the longest one, so all of it fits.
                if kept == 0 {
                    self.header[..input.len()].copy_from_slice(input);
                }
                self.header_len = (kept + input.len()) as u8;
                *input = &mut [];
                Ok(None)
            }
        }
    }

    /// Limits hold for what a header announces: a message over them is refused before its bytes.
    fn check_length(&self, opcode: Opcode, payload_len: u64) -> Result<(), ProtocolError> {
        if opcode.is_control() {
            return Ok(());
        }
        let over = |limit: u64, len: u64| limit > 0 && len > limit;
        let message_len = self.message.announced().saturating_add(payload_len);
        if over(self.config.max_frame_size, payload_len)
            || over(self.config.max_payload, message_len)
        {
            return Err(ProtocolError::UnsupportedMessageLength);
        }
        Ok(())
    }

    fn begin_frame(&mut self, header: FrameHeader) {
        self.state = State::Payload;
        self.frame = Frame {
            opcode: header.opcode,
            fin: header.fin,
            mask: header.mask,
            mask_offset: 0,
            remaining: header.payload_len,
        };
        if header.opcode.is_control() {
            return;
        }
        self.message
            .begin_fragment(header.opcode, header.rsv1, header.payload_len);
    }

    /// The fragment that is being received is one too many: as in ws it is refused when it is whole.
    fn is_excess(&self) -> bool {
        let limit = self.config.max_fragments;
        limit > 0 && self.message.fragments() > limit
    }

    fn take_control_payload<'a>(
        &mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let arrived = take(input, self.frame.missing().min(input.len()));
        let payload = if self.control.is_empty() && arrived.len() == self.frame.missing() {
            self.frame.unmask(arrived);
            Payload::Borrowed(arrived)
        } else {
            self.control.reserve_exact(self.frame.missing());
            let start = self.control.len();
            self.control.extend_from_slice(arrived);
            self.frame.unmask(&mut self.control[start..]);
            if self.frame.remaining > 0 {
                return Ok(None);
            }
            Payload::Owned(mem::take(&mut self.control))
        };
        self.state = State::Header;
        Ok(Some(match self.frame.opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            _ => {
                let code = parse_close_payload(&payload, self.config.skip_utf8_validation)?;
                Event::Close {
                    code,
                    reason: payload.skip(2),
                }
            }
        }))
    }

    fn take_data_payload<'a>(
        &mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let missing = self.frame.missing();
        let arrived = take(input, missing.min(input.len()));
        if arrived.len() == missing && self.frame.fin && self.message.is_empty() {
            if self.is_excess() {
                return Err(ProtocolError::TooManyFragments);
            }
            self.frame.unmask(arrived);
            let binary = self.message.is_binary();
            if !binary && !self.config.skip_utf8_validation {
                utf8::validate(arrived)?;
            }
            self.message = Message::default();
            self.state = State::Header;
            return Ok(Some(Event::Message {
                binary,
                data: Payload::Borrowed(arrived),
                fragments: None,
            }));
        }
        self.message
            .reserve(arrived.len(), missing, self.growth_limit())?;
        let start = self.message.append(arrived);
        self.payload_arrived(start)
    }

    /// Inflates what has arrived of the frame. Unless it is the end of the frame or of `input`, the
    /// slice is used up.
    fn take_compressed_payload(
        &mut self,
        input: &mut &mut [u8],
    ) -> Result<Option<Event<'static>>, ProtocolError> {
        let missing = self.frame.missing().min(input.len());
        let excess = self.is_excess();
        // Rules that allow RSV1 come with an inflater.
        let Some(inflater) = self.inflater.as_mut().filter(|_| !excess) else {
            self.frame.skip(missing);
            take(input, missing);
            return self.payload_unmasked(0);
        };
        let limit = match self.config.max_payload {
            0 => usize::MAX,
            max_payload => usize::try_from(max_payload).unwrap_or(usize::MAX),
        };
        let arrived = &mut input[..missing];
        let mut unmasked = self.frame;
        unmasked.unmask(arrived);
        let out = self.message.data();
        let start = out.len();
        let taken = inflater.inflate(arrived, out, limit)?;
        if taken == missing {
            self.frame = unmasked;
        } else {
            // The rest comes again: it gets its mask back.
            self.frame.skip(taken);
            let mut rest = self.frame;
            rest.unmask(&mut arrived[taken..]);
        }
        take(input, taken);
        if self.frame.remaining == 0 && self.frame.fin {
            inflater.finish(out, limit)?;
        }
        self.payload_unmasked(start)
    }

    /// Goes on after payload was added to the message's buffer from `start`.
    fn payload_arrived(&mut self, start: usize) -> Result<Option<Event<'static>>, ProtocolError> {
        self.frame.unmask(self.message.since(start));
        self.payload_unmasked(start)
    }

    /// Goes on after the message's buffer was added to from `start`.
    fn payload_unmasked(&mut self, start: usize) -> Result<Option<Event<'static>>, ProtocolError> {
        let excess = self.is_excess();
        let validate = !self.config.skip_utf8_validation && !self.message.is_binary();
        if validate && !excess {
            self.message.validate_since(start)?;
        }
        if self.frame.remaining > 0 {
            return Ok(None);
        }
        if excess {
            return Err(ProtocolError::TooManyFragments);
        }
        self.state = State::Header;
        if !self.frame.fin || self.message.is_fragmented() {
            self.message.end_fragment();
        }
        if !self.frame.fin {
            return Ok(None);
        }
        let message = mem::take(&mut self.message);
        let binary = message.is_binary();
        let (data, fragments) = message.finish(validate)?;
        Ok(Some(Event::Message {
            binary,
            data: Payload::Owned(data),
            fragments,
        }))
    }

    /// The length beyond which the message cannot grow: its end if this is the last fragment, else
    /// the limit.
    fn growth_limit(&self) -> usize {
        let limit = match self.config.max_payload {
            _ if self.frame.fin => self.message.announced(),
            0 => u64::MAX,
            max_payload => max_payload,
        };
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    /// Swallows all further input and frees what was gathered.
    pub(super) fn stop(&mut self) {
        self.state = State::Done;
        self.message = Message::default();
        self.control = Vec::new();
        if let Some(inflater) = &mut self.inflater {
            inflater.stop();
        }
    }
}

impl Frame {
    fn missing(&self) -> usize {
        usize::try_from(self.remaining).unwrap_or(usize::MAX)
    }

    /// Unmasks the next bytes of the payload and counts them as arrived.
    fn unmask(&mut self, arrived: &mut [u8]) {
        if let Some(key) = self.mask {
            apply_mask(arrived, key, usize::from(self.mask_offset));
        }
        self.skip(arrived.len());
    }

    /// Counts the next `n` bytes of the payload as arrived.
    fn skip(&mut self, n: usize) {
        self.mask_offset = ((usize::from(self.mask_offset) + n) % 4) as u8;
        self.remaining -= n as u64;
    }
}

/// Splits `n` bytes off the front of `input`.
fn take<'a>(input: &mut &'a mut [u8], n: usize) -> &'a mut [u8] {
    let (front, rest) = mem::take(input).split_at_mut(n);
    *input = rest;
    front
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod compressed_tests;

#[cfg(test)]
mod limits_tests;
