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

impl Deflate {
    /// What may be agreed to now: no takeover, in either direction, when the contexts of one more
    /// connection are over the budget.
    pub fn options_now(&self, role: Role) -> Cow<'_, DeflateOptions> {
        let full = self.budget.is_some_and(|budget| {
            let more = context_len(&DeflateParams::default(), role);
            CONTEXTS.load(Ordering::Relaxed).saturating_add(more) > budget
        });
        if !full {
            return Cow::Borrowed(&self.options);
        }
        Cow::Owned(DeflateOptions {
            server_no_context_takeover: Some(true),
            client_no_context_takeover: Some(true),
            ..self.options.clone()
        })
    }

    /// Takes what `params` entitle a connection to.
    pub fn reserve(&self, params: &DeflateParams, role: Role) -> Contexts {
        let bytes = context_len(params, role);
        CONTEXTS.fetch_add(bytes, Ordering::Relaxed);
        Contexts(bytes)
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
