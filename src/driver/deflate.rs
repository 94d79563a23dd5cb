//! What an end is willing to agree on of permessage-deflate, and the budget of contexts that all
//! connections of the process share.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::proto::Role;
use crate::proto::deflate::{DeflateOptions, DeflateParams};

/// The `perMessageDeflate` option.
#[derive(Clone, Debug)]
pub struct Deflate {
    pub options: DeflateOptions,
    /// Most bytes of contexts in the process with which a context more is agreed to.
    pub budget: Option<u64>,
}

/// Bytes of memory that the agreements of open connections entitle them to keep from message to
/// message.
static CONTEXTS: AtomicU64 = AtomicU64::new(0);

/// One connection's share, for as long as this lives.
pub struct Contexts(u64);

/// What a connection has agreed on, with its share.
pub type Agreed = (DeflateParams, Contexts);

impl Deflate {
    /// What may be agreed to now: no takeover, in either direction, when the contexts of one more
    /// connection are over the budget. Also a share for that connection, which is to be kept until
    /// the agreement is known: then [`Contexts::settle`] it.
    pub fn options_now(&self, role: Role) -> (Cow<'_, DeflateOptions>, Contexts) {
        let more = context_len(&DeflateParams::default(), role);
        let budget = self.budget.unwrap_or(u64::MAX);
        let fits = |used: u64| used.checked_add(more).filter(|&sum| sum <= budget);
        if CONTEXTS
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .is_ok()
        {
            return (Cow::Borrowed(&self.options), Contexts(more));
        }
        let options = DeflateOptions {
            server_no_context_takeover: Some(true),
            client_no_context_takeover: Some(true),
            ..self.options.clone()
        };
        (Cow::Owned(options), Contexts(0))
    }
}

impl Contexts {
    /// The share that `params` entitle a connection to.
    pub fn of(params: &DeflateParams, role: Role) -> Self {
        let bytes = context_len(params, role);
        CONTEXTS.fetch_add(bytes, Ordering::Relaxed);
        Self(bytes)
    }

    /// Gives back what is more than `params` entitle a connection to.
    pub fn settle(mut self, params: &DeflateParams, role: Role) -> Self {
        let bytes = context_len(params, role).min(self.0);
        CONTEXTS.fetch_sub(self.0 - bytes, Ordering::Relaxed);
        self.0 = bytes;
        self
    }
}

impl Drop for Contexts {
    fn drop(&mut self) {
        CONTEXTS.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// The windows of both ends, where takeover has them kept.
fn context_len(params: &DeflateParams, role: Role) -> u64 {
    let mut bytes: u64 = 0;
    if params.encoder_takeover(role) {
        bytes += 1 << params.encoder_window_bits(role);
    }
    if params.decoder_takeover(role) {
        bytes += 1 << params.decoder_window_bits(role);
    }
    bytes
}
