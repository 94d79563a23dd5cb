//! The opening handshake on the I/O thread, for both roles.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::connection::{Connection, Io, Stage};
use super::deflate::{Agreed, Contexts, Deflate};
use super::dial::OpeningRequest;
use super::listener::{Listener, hooks};
use super::notice::{Notice, ResponseError};
use crate::proto::Role;
use crate::proto::deflate::DeflateParams;
use crate::proto::handshake::client::{
    Accepted, HandshakeError, Response, check_extensions, check_response, parse_response_with,
};
use crate::proto::handshake::server::{
    Refusal, Request, Upgrade, accept_extensions, check_request, is_upgrade, keeps_alive,
    parse_protocols, parse_request_with, write_accept, write_refusal, write_upgrade_required,
};
use crate::proto::handshake::status;
use crate::proto::handshake::{HeadScan, Parsed};
use crate::transport::{PeerInfo, Transport};

/// As Node's `keepAliveTimeout`: how long the next request may take after a plain one.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Bytes of answers that a peer may leave unread while it asks on.
const UNREAD_ANSWERS: usize = 16 * 1024;

impl Connection {
    /// Judges the request once its head is complete.
    pub(super) fn request_head(&self, io: &mut Io) {
        while matches!(io.stage, Stage::RequestHead) && self.next_request(io) {}
    }

    /// True if another request may follow in what has been received.
    fn next_request(&self, io: &mut Io) -> bool {
        let Some(listener) = self.listener.clone() else {
            return false;
        };
        match parse_request_with(&mut io.scan, &io.pending) {
            Ok(Parsed::Incomplete) => {}
            Ok(Parsed::Complete {
                value: request,
                consumed,
            }) => {
                let request = Box::new(request);
                let peer = io
                    .transport
                    .as_ref()
                    .map(Transport::peer)
                    .unwrap_or_default();
                if !is_upgrade(&request) {
                    self.plain_request(io, &listener, &request, consumed, peer);
                    return true;
                }
                io.pending.drain(..consumed);
                match judge(&listener, &request) {
                    Ok((upgrade, contexts)) => {
                        let agreed = upgrade.deflate.as_ref().map(|accepted| accepted.params);
                        let agreed = agreed.zip(contexts);
                        self.upgrade(io, &listener, request, (upgrade, agreed), peer);
                    }
                    Err(Fault::Path) => self.write_refusal(io, &plain_refusal(400)),
                    Err(Fault::Client(refusal)) => {
                        self.bad_request(io, &listener, request, refusal, peer);
                    }
                }
            }
            Err(refusal) => self.write_refusal(io, &refusal),
        }
        false
    }

    fn upgrade(
        &self,
        io: &mut Io,
        listener: &Listener,
        request: Box<Request>,
        (upgrade, agreed): (Upgrade, Option<Agreed>),
        peer: PeerInfo,
    ) {
        let listener_id = listener.id;
        if listener.wants(hooks::UPGRADE) {
            self.announced.set(true);
            io.stage = Stage::Deciding(agreed);
            io.deadline = None;
            let upgrade = Box::new(upgrade);
            let notice = Notice::Upgrade {
                listener: listener_id,
                request,
                upgrade,
                peer,
            };
            return self.env.notify(self.id(), notice);
        }
        if listener.is_closing() {
            return self.write_refusal(io, &plain_refusal(503));
        }
        let protocol = upgrade.protocols.into_iter().next();
        let extensions = upgrade.deflate.map(|accepted| accepted.header);
        let mut head = Vec::with_capacity(256);
        write_accept(
            &mut head,
            &upgrade.accept,
            protocol.as_deref(),
            extensions.as_deref(),
        );
        self.link.lock().proto.transmit().push_raw(&head);
        self.announced.set(true);
        self.enable_deflate(agreed, Some(&listener.options));
        self.open(io);
        let notice = Notice::Connection {
            listener: listener_id,
            request,
            protocol,
            extensions,
            peer,
        };
        self.env.notify(self.id(), notice);
    }

    fn bad_request(
        &self,
        io: &mut Io,
        listener: &Listener,
        request: Box<Request>,
        refusal: Refusal,
        peer: PeerInfo,
    ) {
        if !listener.wants(hooks::CLIENT_ERROR) {
            return self.write_refusal(io, &refusal);
        }
        self.raw_mode(io);
        let listener = listener.id;
        self.env.notify(
            self.id(),
            Notice::ClientError {
                listener,
                request,
                refusal,
                peer,
            },
        );
    }

    /// A request that asks for no upgrade.
    fn plain_request(
        &self,
        io: &mut Io,
        listener: &Listener,
        request: &Request,
        consumed: usize,
        peer: PeerInfo,
    ) {
        if listener.wants(hooks::REQUEST) {
            self.raw_mode(io);
            return self.env.notify(
                self.id(),
                Notice::Request {
                    listener: listener.id,
                    peer,
                },
            );
        }
        let mut state = self.link.lock();
        let queue = state.proto.transmit();
        let unread = queue.len() >= UNREAD_ANSWERS;
        let keep_alive = keeps_alive(request) && !listener.is_closing() && !unread;
        let mut response = Vec::new();
        write_upgrade_required(&mut response, keep_alive);
        queue.push_raw(&response);
        drop(state);
        if !keep_alive {
            return self.refuse(io);
        }
        io.pending.drain(..consumed);
        io.scan = HeadScan::default();
        io.answered = true;
        io.deadline = Some(
            Instant::now()
                + listener
                    .handshake_timeout
                    .map_or(KEEP_ALIVE, |limit| limit.min(KEEP_ALIVE)),
        );
    }

    /// JavaScript takes the bytes as they are, starting with those in `pending`.
    fn raw_mode(&self, io: &mut Io) {
        self.announced.set(true);
        io.stage = Stage::Raw;
        io.deadline = None;
    }

    fn write_refusal(&self, io: &mut Io, refusal: &Refusal) {
        let mut response = Vec::new();
        write_refusal(&mut response, refusal);
        self.link.lock().proto.transmit().push_raw(&response);
        self.refuse(io);
    }

    /// The request did not come in time. A peer that has had an answer and asks no more just goes.
    pub(super) fn refuse_late(&self, io: &mut Io) {
        if io.answered && io.pending.is_empty() {
            return self.refuse(io);
        }
        self.write_refusal(io, &plain_refusal(408));
    }

    /// Judges the server's answer once its head is complete.
    pub(super) fn response_head(self: &Rc<Self>, io: &mut Io) {
        let Stage::ResponseHead(dial) = &io.stage else {
            return;
        };
        match parse_response_with(&mut io.scan, &io.pending) {
            Ok(Parsed::Incomplete) => {}
            Ok(Parsed::Complete {
                value: response,
                consumed,
            }) => {
                let options = dial.options.clone();
                let tls = io
                    .transport
                    .as_ref()
                    .and_then(|transport| transport.peer().tls);
                let outcome = check_answer(&response, &dial.request, options.deflate.as_deref());
                match &outcome {
                    Ok((_, deflate)) => {
                        io.pending.drain(..consumed);
                        let agreed = deflate.map(|own| (own, Contexts::of(&own, Role::Client)));
                        self.enable_deflate(agreed, Some(&options));
                        self.open(io);
                    }
                    // JavaScript may want to read it, from its first byte on
                    Err(HandshakeError::UnexpectedResponse(_)) => {
                        self.paused.set(true);
                        self.raw_mode(io);
                    }
                    Err(_) => self.refuse(io),
                }
                let response = Box::new(response);
                let outcome = outcome.map(|(accepted, _)| accepted);
                self.env.notify(
                    self.id(),
                    Notice::Response {
                        response,
                        outcome,
                        tls,
                    },
                );
            }
            Err(error) => {
                let notice = Notice::ResponseFailed(ResponseError::Malformed(error));
                self.env.notify(self.id(), notice);
                self.refuse(io);
            }
        }
    }
}

/// What a server has agreed to.
fn check_answer(
    response: &Response,
    request: &OpeningRequest,
    deflate: Option<&Deflate>,
) -> Result<(Accepted, Option<DeflateParams>), HandshakeError> {
    let accepted = check_response(
        response,
        &request.key,
        &request.protocols,
        deflate.is_some(),
    )?;
    let params = match deflate {
        Some(deflate) => check_extensions(accepted.extensions.as_deref(), &deflate.options)?,
        None => None,
    };
    Ok((accepted, params))
}

/// What is wrong with an upgrade request.
enum Fault {
    /// Nobody serves that path.
    Path,
    /// The client's own fault, which `wsClientError` hears of.
    Client(Refusal),
}

/// In ws's order: the fields, the path, the subprotocols, the extensions.
fn judge(listener: &Listener, request: &Request) -> Result<(Upgrade, Option<Contexts>), Fault> {
    let checked = check_request(request).map_err(Fault::Client)?;
    // `shouldHandle` judges the path where JavaScript is asked
    let path = listener
        .path
        .as_ref()
        .filter(|_| !listener.wants(hooks::UPGRADE));
    if path.is_some_and(|path| path != pathname(request)) {
        return Err(Fault::Path);
    }
    let protocols = parse_protocols(request).map_err(Fault::Client)?;
    let (mut deflate, mut contexts) = (None, None);
    if let Some(own) = &listener.options.deflate {
        let (options, share) = own.options_now(Role::Server);
        deflate = accept_extensions(request, &options).map_err(Fault::Client)?;
        contexts = deflate
            .as_ref()
            .map(|accepted| share.settle(&accepted.params, Role::Server));
    }
    let upgrade = Upgrade {
        accept: checked.accept,
        version: checked.version,
        protocols,
        deflate,
    };
    Ok((upgrade, contexts))
}

fn plain_refusal(code: u16) -> Refusal {
    Refusal::new(code, status::text(code))
}

/// The target without its query, as `shouldHandle` of ws compares it.
fn pathname(request: &Request) -> &str {
    request.target.split('?').next().unwrap_or_default()
}
