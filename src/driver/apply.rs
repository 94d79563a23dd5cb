//! What commands do to a connection.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::command::{Command, Range, SendFlags, Setting};
use super::connection::{Connection, Stage};
use super::link::State;
use super::mask_keys::mask_key;
use crate::proto::connection::SendPayload;
use crate::proto::frame::{MAX_HEADER_LEN, Opcode, encode_header};
use crate::transport::Transport;
use crate::transport::relay::{End, Relay};

impl Connection {
    pub(super) fn apply(self: &Rc<Self>, command: Command, data: &[u8]) {
        let Some(command) = self.hold_back(command, data) else {
            return;
        };
        match command {
            Command::Send {
                flags, range, key, ..
            } => self.message(flags, SendPayload::Copied(range.of(data)), key),
            Command::SendShared {
                flags, bytes, key, ..
            } => self.message(flags, SendPayload::Shared(*bytes), key),
            Command::Ping {
                flags, range, key, ..
            } => self.frame(flags, range.len as usize, |s| {
                s.proto.send_ping(range.of(data), self.key_for(flags, key));
            }),
            Command::Pong {
                flags, range, key, ..
            } => self.pong(flags, range.of(data), key),
            Command::Close {
                code,
                range,
                flags,
                key,
                ..
            } => {
                let len = if code == 0 { 0 } else { 2 + range.len as usize };
                self.frame(flags, len, |s| {
                    let code = (code != 0).then_some(code);
                    let mask = self.key_for(flags, key);
                    s.proto
                        .send_close(code, range.of(data), mask, Instant::now());
                });
            }
            Command::Flush { .. } => self.touch(),
            Command::Pause { on, .. } => {
                self.paused.set(on);
                self.wake();
            }
            Command::Respond { range, upgrade, .. } => self.respond(range.of(data), upgrade),
            Command::UseContext { context, .. } => self.use_context(context),
            Command::Raw { flags, range, .. } => self.raw(flags, range, data),
            Command::End { .. } => {
                self.link.lock().proto.end();
                self.touch();
                self.wake();
            }
            Command::Configure { setting, .. } => self.configure(setting),
            Command::Feed { range, .. } => self.relay(|relay| relay.feed(range.of(data))),
            Command::FeedEnd { gone, .. } => {
                self.relay(|relay| relay.feed_end(if gone { End::Gone } else { End::Eof }));
            }
            Command::Confirm { bytes, .. } => self.relay(|relay| relay.confirm(bytes as usize)),
            Command::Ended { .. } => {
                self.io().shut = true;
                self.wake();
            }
            Command::Terminate { .. }
            | Command::Release { .. }
            | Command::Connect { .. }
            | Command::Adopt { .. }
            | Command::Listen { .. }
            | Command::CloseListener { .. } => {}
        }
    }

    /// Queues a frame with a payload of `len` bytes through `enqueue`.
    pub(super) fn frame(
        self: &Rc<Self>,
        flags: SendFlags,
        len: usize,
        enqueue: impl FnOnce(&mut State),
    ) {
        {
            let mut state = self.link.lock();
            enqueue(&mut state);
            state.applied(frame_len(len, flags));
            if flags.has(SendFlags::ACK) {
                state.acknowledge_later();
            }
        }
        self.touch();
    }

    fn pong(self: &Rc<Self>, flags: SendFlags, data: &[u8], key: u32) {
        let mut refused = false;
        self.frame(flags, data.len(), |s| {
            let mask = self.key_for(flags, key);
            if flags.has(SendFlags::AUTO) {
                refused = s.proto.send_auto_pong(data, mask).is_err();
            } else {
                s.proto.send_pong(data, mask);
            }
        });
        if refused {
            self.destroy();
        }
    }

    fn raw(self: &Rc<Self>, flags: SendFlags, range: Range, data: &[u8]) {
        {
            let mut state = self.link.lock();
            state.proto.transmit().push_raw(range.of(data));
            state.applied(range.len as usize);
            if flags.has(SendFlags::ACK) {
                state.acknowledge_later();
            }
        }
        self.touch();
    }

    /// Answers the upgrade request that JavaScript was asked about.
    fn respond(self: &Rc<Self>, response: &[u8], upgrade: bool) {
        let mut io = self.io();
        let Stage::Deciding(agreed) = &mut io.stage else {
            return;
        };
        let agreed = agreed.take();
        self.link.lock().proto.transmit().push_raw(response);
        if upgrade {
            let options = self.listener.as_ref().map(|listener| &listener.options);
            self.enable_deflate(agreed, options);
            self.open(&mut io);
        } else {
            self.refuse(&mut io);
        }
        drop(io);
        self.touch();
        self.wake();
    }

    fn configure(&self, setting: Setting) {
        let io = self.io();
        let Some(transport) = &io.transport else {
            return;
        };
        // as in Node, a socket that is going away makes this do nothing
        let _ = match setting {
            Setting::Limits {
                max_payload,
                skip_utf8_validation,
            } => {
                let mut state = self.link.lock();
                state.proto.set_limits(max_payload, skip_utf8_validation);
                Ok(())
            }
            Setting::Tap => {
                self.link.tapped.store(true, Ordering::SeqCst);
                Ok(())
            }
            Setting::AnswersPings => {
                self.link.answers_pings.store(true, Ordering::SeqCst);
                Ok(())
            }
            Setting::NoDelay(on) => transport.set_no_delay(on),
            Setting::KeepAlive { on, idle } => transport.set_keep_alive(on, idle),
        };
    }

    /// JavaScript has moved bytes of a relayed stream.
    fn relay(&self, moved: impl FnOnce(&mut Relay)) {
        if let Some(relay) = self.io().transport.as_mut().and_then(Transport::relay) {
            moved(relay);
        }
        self.wake();
    }

    /// Has the batch's end write what is queued.
    fn touch(self: &Rc<Self>) {
        if !self.dirty.replace(true) {
            self.env.mark_dirty(self.clone());
        }
    }

    pub(super) fn key_for(&self, flags: SendFlags, key: u32) -> Option<[u8; 4]> {
        mask_key(flags, key, || self.env.context.keys.borrow_mut().draw())
    }
}

/// The length of a frame, as JavaScript has counted it.
fn frame_len(payload: usize, flags: SendFlags) -> usize {
    let mask = flags.has(SendFlags::MASK).then_some([0; 4]);
    let mut header = [0; MAX_HEADER_LEN];
    payload
        + encode_header(
            &mut header,
            true,
            false,
            Opcode::Binary,
            payload as u64,
            mask,
        )
}
