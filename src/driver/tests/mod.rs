//! The driver over loopback, with the tests in JavaScript's place.

mod events;
mod host;
mod peer;

mod adopt;
mod client;
mod closing;
mod deflate;
mod flow;
mod hostile;
mod listener;
mod send;
mod server;
mod teardown;
