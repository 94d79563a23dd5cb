//! hawser: WebSocket server and client for Node.js.
//!
//! Imports point one way only: `proto` knows no I/O, `transport` and `driver` know no Node, and
//! `node` is the only module that speaks N-API. ARCHITECTURE.md has the picture.

pub mod proto;

#[cfg(feature = "io")]
mod sync;

#[cfg(feature = "io")]
pub mod driver;
#[cfg(feature = "io")]
pub mod transport;

// N-API calls do nothing useful in a Rust test: the addon is tested from JavaScript
#[cfg(all(feature = "node", not(test)))]
mod node;
