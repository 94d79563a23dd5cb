//! The one threadsafe function of an environment: it carries nothing, it only wakes JavaScript.

use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;

use napi::{Result, check_status};
use napi_sys as sys;

use super::state::State;

/// The doorbell's handle. Weak unless [`Bell::hold`] is called: it alone keeps no process alive.
#[derive(Clone, Copy)]
pub struct Bell(sys::napi_threadsafe_function);

// SAFETY: napi_call_threadsafe_function may be called from any thread; the driver stops calling it
// before the environment is gone (`driver::Environment::silence`).
unsafe impl Send for Bell {}

impl Bell {
    /// `callback` is called without arguments whenever batches are ready.
    pub fn new(env: sys::napi_env, callback: sys::napi_value, state: &Rc<State>) -> Result<Self> {
        let mut name = ptr::null_mut();
        let mut function = ptr::null_mut();
        // SAFETY: plain N-API calls on the environment's own thread. The context outlives the
        // function: State is dropped by a finalizer, and those run after threadsafe functions end.
        unsafe {
            check_status!(sys::napi_create_string_utf8(
                env,
                c"hawser".as_ptr(),
                6,
                &mut name
            ))?;
            check_status!(sys::napi_create_threadsafe_function(
                env,
                callback,
                ptr::null_mut(),
                name,
                1,
                1,
                ptr::null_mut(),
                None,
                Rc::as_ptr(state).cast_mut().cast(),
                Some(answer),
                &mut function,
            ))?;
            check_status!(sys::napi_unref_threadsafe_function(env, function))?;
        }
        Ok(Self(function))
    }

    /// Rings. A full queue means that it rings already.
    pub fn ring(self) {
        // SAFETY: see `Send` above.
        unsafe {
            sys::napi_call_threadsafe_function(
                self.0,
                ptr::null_mut(),
                sys::ThreadsafeFunctionCallMode::nonblocking,
            );
        }
    }

    /// Keeps the process alive, or no longer.
    pub fn hold(self, env: sys::napi_env, on: bool) -> Result<()> {
        // SAFETY: called on the environment's own thread, while it lives.
        check_status!(unsafe {
            if on {
                sys::napi_ref_threadsafe_function(env, self.0)
            } else {
                sys::napi_unref_threadsafe_function(env, self.0)
            }
        })
    }
}

/// Calls JavaScript until all events are delivered; a listener that throws reaches
/// `uncaughtException` and the events behind it still come.
unsafe extern "C" fn answer(
    env: sys::napi_env,
    callback: sys::napi_value,
    context: *mut c_void,
    _data: *mut c_void,
) {
    if env.is_null() || callback.is_null() {
        return;
    }
    // SAFETY: the context is the State given at creation, alive as said there.
    let state = unsafe { &*context.cast::<State>() };
    state.answer_bell();
    // SAFETY: we are on the environment's thread with a scope open, as a callback of N-API.
    unsafe {
        loop {
            let mut undefined = ptr::null_mut();
            sys::napi_get_undefined(env, &mut undefined);
            let status =
                sys::napi_call_function(env, undefined, callback, 0, ptr::null(), ptr::null_mut());
            if status != sys::Status::napi_pending_exception {
                return;
            }
            let mut error = ptr::null_mut();
            if sys::napi_get_and_clear_last_exception(env, &mut error) != sys::Status::napi_ok
                || sys::napi_fatal_exception(env, error) != sys::Status::napi_ok
            {
                return;
            }
        }
    }
}
