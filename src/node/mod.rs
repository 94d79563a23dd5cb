//! The N-API surface: hands over, converts, decides nothing.
//!
//! The calls that happen per message (`hot`) are raw `napi-sys` callbacks; everything else goes
//! through the macros. One [`environment::Environment`] exists per JavaScript environment.

mod bell;
mod deflate;
mod environment;
mod hot;
mod lent;
mod notices;
mod options;
mod receiver;
mod state;
mod tls;

use napi_derive::napi;

/// Sets the number of I/O threads of the process, before its first socket.
#[napi]
pub fn configure_runtime(threads: u32) -> napi::Result<()> {
    crate::driver::pool::configure(threads as usize).map_err(napi::Error::from_reason)
}
