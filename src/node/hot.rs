//! The calls that happen per message or per batch, as raw N-API callbacks: a call through the
//! macros costs several times the work that is done here.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;

use bytes::Bytes;
use napi::{Result, check_status};
use napi_sys as sys;

use super::lent::Lent;
use super::state::{MAX_RECORDS, State};
use crate::driver::batch::Record;
use crate::driver::command::{Command, Range, SendFlags};

type Args = [sys::napi_value; 4];
type Callback = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

/// Sets the hot functions on `target`. `state` must live as long as they can be called.
pub fn define(env: sys::napi_env, target: sys::napi_value, state: &Rc<State>) -> Result<()> {
    let functions: [(&std::ffi::CStr, Callback); 7] = [
        (c"sendText", entry::<SendText>),
        (c"sendData", entry::<SendData>),
        (c"sendLent", entry::<SendLent>),
        (c"flush", entry::<Flush>),
        (c"drain", entry::<Drain>),
        (c"fill", entry::<Fill>),
        (c"takeLarge", entry::<TakeLarge>),
    ];
    for (name, callback) in functions {
        let mut function = ptr::null_mut();
        // SAFETY: plain N-API calls on the environment's own thread.
        unsafe {
            check_status!(sys::napi_create_function(
                env,
                name.as_ptr(),
                name.count_bytes() as isize,
                Some(callback),
                Rc::as_ptr(state).cast_mut().cast(),
                &mut function,
            ))?;
            check_status!(sys::napi_set_named_property(
                env,
                target,
                name.as_ptr(),
                function
            ))?;
        }
    }
    Ok(())
}

/// A hot function: at most four arguments, and a result or null for `undefined`.
trait Hot {
    /// # Safety
    /// Called on the environment's thread with its arguments, missing ones being `undefined`.
    unsafe fn call(env: sys::napi_env, state: &State, args: &Args) -> sys::napi_value;
}

unsafe extern "C" fn entry<F: Hot>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    let mut args = [ptr::null_mut(); 4];
    let mut count = args.len();
    let mut data: *mut c_void = ptr::null_mut();
    // SAFETY: called by N-API with valid handles; `data` is the State given to `define`.
    let outcome = unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &mut count,
            args.as_mut_ptr(),
            ptr::null_mut(),
            &mut data,
        );
        catch_unwind(AssertUnwindSafe(|| {
            F::call(env, &*data.cast::<State>(), &args)
        }))
    };
    outcome.unwrap_or_else(|_| {
        // SAFETY: as above.
        unsafe {
            sys::napi_throw_error(env, ptr::null(), c"hawser: internal error (panic)".as_ptr());
        }
        ptr::null_mut()
    })
}

/// `sendText(conn, flags, string, key)`: the payload's length in bytes.
struct SendText;

impl Hot for SendText {
    unsafe fn call(env: sys::napi_env, state: &State, args: &Args) -> sys::napi_value {
        // SAFETY: as promised by the caller.
        unsafe {
            let (conn, flags, key) = send_args(env, args);
            let mut len = 0;
            state.command(conn, |batch| {
                let start = batch.data.len();
                append_utf8(env, args[2], &mut batch.data);
                len = batch.data.len() - start;
                Command::Send {
                    conn,
                    flags,
                    range: range(start, len),
                    key,
                }
            });
            number(env, len)
        }
    }
}

/// `sendData(conn, flags, uint8array, key)`.
struct SendData;

impl Hot for SendData {
    unsafe fn call(env: sys::napi_env, state: &State, args: &Args) -> sys::napi_value {
        // SAFETY: as promised by the caller; the bytes are copied before JavaScript runs again.
        unsafe {
            let (conn, flags, key) = send_args(env, args);
            let bytes = buffer(env, args[2]);
            state.command(conn, |batch| {
                let range = batch.append(bytes);
                Command::Send {
                    conn,
                    flags,
                    range,
                    key,
                }
            });
        }
        ptr::null_mut()
    }
}

/// `sendLent(conn, flags, uint8array, id)`: without a copy; JavaScript keeps the array until it is
/// told that `id` is released. No key: a given key means a copy.
struct SendLent;

impl Hot for SendLent {
    unsafe fn call(env: sys::napi_env, state: &State, args: &Args) -> sys::napi_value {
        // SAFETY: as promised by the caller; lib/native.js keeps the array.
        unsafe {
            let (conn, flags, id) = send_args(env, args);
            let bytes = buffer(env, args[2]);
            if let Ok(shared) = state.environment() {
                let lent = Lent::new(bytes.as_ptr(), bytes.len(), id, shared);
                let bytes = Box::new(Bytes::from_owner(lent));
                state.command(conn, |_| Command::SendShared {
                    conn,
                    flags,
                    bytes,
                    key: 0,
                });
            }
        }
        ptr::null_mut()
    }
}

/// `flush()`: how many sends that asked for it were completed at once.
struct Flush;

impl Hot for Flush {
    unsafe fn call(env: sys::napi_env, state: &State, _args: &Args) -> sys::napi_value {
        let acked = state.flush();
        // SAFETY: as promised by the caller.
        unsafe { number(env, acked as usize) }
    }
}

/// `drain(records)`: fills the Int32Array of 4 x MAX_RECORDS words; the number of records.
struct Drain;

impl Hot for Drain {
    unsafe fn call(env: sys::napi_env, state: &State, args: &Args) -> sys::napi_value {
        // SAFETY: as promised by the caller; the array's memory is 4-byte aligned as Record is,
        // and is not touched by JavaScript during the call.
        unsafe {
            let bytes = buffer(env, args[0]);
            if bytes.len() != size_of::<[Record; MAX_RECORDS]>() {
                return ptr::null_mut();
            }
            let out = &mut *bytes.as_mut_ptr().cast::<[Record; MAX_RECORDS]>();
            number(env, state.drain(out))
        }
    }
}

/// `fill(uint8array)`: copies the next piece.
struct Fill;

impl Hot for Fill {
    unsafe fn call(env: sys::napi_env, state: &State, args: &Args) -> sys::napi_value {
        // SAFETY: as promised by the caller.
        unsafe { state.fill(buffer(env, args[0])) };
        ptr::null_mut()
    }
}

/// `takeLarge(index)`: a Buffer on the memory that the payload was received into.
struct TakeLarge;

impl Hot for TakeLarge {
    unsafe fn call(env: sys::napi_env, state: &State, args: &Args) -> sys::napi_value {
        // SAFETY: as promised by the caller.
        unsafe {
            let Some(data) = state.take_large(uint32(env, args[0]) as usize) else {
                return ptr::null_mut();
            };
            external_buffer(env, data)
        }
    }
}

unsafe extern "C" fn drop_vec(_env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: `hint` is the box that `external_buffer` leaked, and this is called once.
    drop(unsafe { Box::from_raw(hint.cast::<Vec<u8>>()) });
}

/// # Safety
/// On the environment's thread.
unsafe fn external_buffer(env: sys::napi_env, data: Vec<u8>) -> sys::napi_value {
    let mut data = Box::new(data);
    let (at, len) = (data.as_mut_ptr().cast::<c_void>(), data.len());
    let hint = Box::into_raw(data).cast::<c_void>();
    let mut result = ptr::null_mut();
    // SAFETY: the memory lives in the box until the finalizer drops it; where external memory is
    // forbidden the status says so, the box is taken back and the payload copied.
    unsafe {
        let status =
            sys::napi_create_external_buffer(env, len, at, Some(drop_vec), hint, &mut result);
        if status != sys::Status::napi_ok {
            let data = Box::from_raw(hint.cast::<Vec<u8>>());
            let mut copy = ptr::null_mut();
            sys::napi_create_buffer_copy(env, len, data.as_ptr().cast(), &mut copy, &mut result);
        }
    }
    result
}

/// # Safety
/// On the environment's thread with live handles; so for the rest.
unsafe fn send_args(env: sys::napi_env, args: &Args) -> (u32, SendFlags, u32) {
    // SAFETY: promised by the caller.
    unsafe {
        (
            uint32(env, args[0]),
            SendFlags(uint32(env, args[1])),
            uint32(env, args[3]),
        )
    }
}

unsafe fn uint32(env: sys::napi_env, value: sys::napi_value) -> u32 {
    let mut out = 0;
    // SAFETY: promised by the caller; anything but a number leaves 0.
    unsafe { sys::napi_get_value_uint32(env, value, &mut out) };
    out
}

unsafe fn number(env: sys::napi_env, value: usize) -> sys::napi_value {
    let mut out = ptr::null_mut();
    // SAFETY: promised by the caller.
    unsafe {
        match u32::try_from(value) {
            Ok(value) => sys::napi_create_uint32(env, value, &mut out),
            Err(_) => sys::napi_create_double(env, value as f64, &mut out),
        };
    }
    out
}

/// The bytes of a Buffer or another view; empty for anything else.
unsafe fn buffer<'a>(env: sys::napi_env, value: sys::napi_value) -> &'a mut [u8] {
    let (mut data, mut len) = (ptr::null_mut(), 0);
    // SAFETY: promised by the caller; the memory is valid while JavaScript does not run.
    unsafe {
        let status = sys::napi_get_buffer_info(env, value, &mut data, &mut len);
        if status != sys::Status::napi_ok || data.is_null() || len == 0 {
            return &mut [];
        }
        std::slice::from_raw_parts_mut(data.cast(), len)
    }
}

/// Appends a string as UTF-8, lone surrogates replaced.
unsafe fn append_utf8(env: sys::napi_env, value: sys::napi_value, out: &mut Vec<u8>) {
    // most messages fit; measuring first would walk every string twice
    const GUESS: usize = 1024;
    out.reserve(GUESS);
    // SAFETY: promised by the caller; N-API writes at most the given number of bytes, one of them
    // a terminator, and returns how many without it.
    unsafe {
        let mut written = 0;
        let spare = out.capacity() - out.len();
        let at = out.as_mut_ptr().add(out.len()).cast();
        sys::napi_get_value_string_utf8(env, value, at, spare, &mut written);
        // a full buffer may have cut the string: a character has up to 4 bytes
        if written + 4 >= spare {
            let mut len = 0;
            sys::napi_get_value_string_utf8(env, value, ptr::null_mut(), 0, &mut len);
            out.reserve(len + 1);
            let at = out.as_mut_ptr().add(out.len()).cast();
            sys::napi_get_value_string_utf8(env, value, at, len + 1, &mut written);
        }
        out.set_len(out.len() + written);
    }
}

fn range(start: usize, len: usize) -> Range {
    Range {
        start: start as u32,
        len: len as u32,
    }
}
