//! JavaScript memory that is read until it is written out, instead of being copied.

use std::sync::Arc;

use crate::driver::environment::Environment;

/// A Buffer of the application's. JavaScript holds on to it until it reads that `id` is released.
///
/// As with Node's own sockets, what the application writes into it meanwhile may be sent, and it
/// must not transfer the memory: N-API has no way to pin it.
pub struct Lent {
    data: *const u8,
    len: usize,
    id: u32,
    env: Arc<Environment>,
}

// SAFETY: the memory stays where it is until JavaScript is told otherwise: it holds a reference
// (lib/native.js, which lends no memory that can shrink), and an environment that ends waits in `Lease::detach` until its I/O threads have dropped theirs.
unsafe impl Send for Lent {}

impl Lent {
    /// # Safety
    /// `data` must stay valid for `len` bytes until `id` is reported as released.
    pub unsafe fn new(data: *const u8, len: usize, id: u32, env: Arc<Environment>) -> Self {
        Self { data, len, id, env }
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: promised to `new`.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.env.memory_released(self.id, self.len);
    }
}
