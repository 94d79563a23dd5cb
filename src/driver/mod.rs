//! Joins a protocol connection to a transport, on I/O threads of its own.
//!
//! Everything that JavaScript is told travels in [`batch::Batch`]es, everything it asks for in
//! [`command::CommandBatch`]es; the two queues and their bounds are this module's business. It
//! knows nothing of N-API.

pub mod batch;
pub mod command;
pub mod counters;
pub mod deflate;
pub mod dial;
pub mod environment;
pub mod link;
pub mod listener;
pub mod mailbox;
pub mod mask_keys;
pub mod notice;
pub mod pool;

pub mod adopt;
mod apply;
mod compress;
mod compressors;
mod connection;
mod handshake;
mod io_thread;
mod local;
mod put_off;
mod receive;
pub mod tls;

#[cfg(test)]
mod tests;
