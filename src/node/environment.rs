//! The class that lib/native.js makes one instance of: the calls that are not hot.

use std::collections::HashMap;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use napi::bindgen_prelude::{Buffer, ClassInstance, Function, JsValue, Object};
use napi::{Env, Error, Result, check_status};
use napi_derive::napi;
use napi_sys as sys;

use super::bell::Bell;
use super::hot;
use super::notices::NativeNotice;
use super::options::{
    NativeConnectOptions, NativeConnectionOptions, NativeListenOptions, NativeListenResult,
    max_payload_limit, millis,
};
use super::state::State;
use super::tls::{NativeClientContext, NativeServerContext, NativeServerContexts};
use crate::driver::adopt::{Adoption, Source};
use crate::driver::command::{Command, ConnectionOptions, SendFlags, Setting};
use crate::driver::deflate::Contexts;
use crate::driver::link::Link;
use crate::driver::listener::{Listener, Serve};
use crate::driver::tls::ServerTls;
use crate::proto::Role;
use crate::proto::deflate::agreed;

/// One JavaScript environment (the main thread, or a worker).
#[napi]
pub struct NativeEnvironment {
    state: Rc<State>,
    listeners: HashMap<u32, Arc<Listener>>,
}

#[napi]
impl NativeEnvironment {
    /// `callback` is called whenever there is something to drain.
    #[napi(constructor)]
    pub fn new(env: &Env, callback: Function<'_, (), ()>) -> Result<Self> {
        let state = Rc::new(State::new());
        state.set_bell(Bell::new(env.raw(), callback.raw(), &state)?);
        // Cleanup hooks run last in, first out: ours comes before the bell's own. The hook holds a
        // reference of its own.
        let hold = Rc::into_raw(state.clone()).cast_mut().cast::<c_void>();
        // SAFETY: on the environment's thread; `clean_up` runs once and takes the reference back.
        check_status!(unsafe { sys::napi_add_env_cleanup_hook(env.raw(), Some(clean_up), hold) })?;
        Ok(Self {
            state,
            listeners: HashMap::new(),
        })
    }

    /// The hot functions: sendText, sendData, sendLent, flush, drain, fill, takeLarge.
    #[napi]
    pub fn functions<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let functions = Object::new(env)?;
        hot::define(env.raw(), functions.raw(), &self.state)?;
        Ok(functions)
    }

    /// Keeps the process alive, or no longer.
    #[napi]
    pub fn hold(&self, env: &Env, on: bool) -> Result<()> {
        self.state
            .bell()
            .map_or(Ok(()), |bell| bell.hold(env.raw(), on))
    }

    /// A rare event of the batch that is being drained.
    #[napi]
    pub fn take_notice(&self, index: u32) -> Option<NativeNotice> {
        self.state
            .take_notice(index as usize)
            .map(NativeNotice::from)
    }

    /// The memory of a block of `bufferedAmount` counters.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn counters<'env>(&self, env: &'env Env, segment: u32) -> Result<Object<'env>> {
        let shared = self.state.environment().map_err(io)?;
        let segment = shared
            .segment(segment as usize)
            .ok_or_else(|| Error::from_reason("no such block of counters"))?;
        let (data, len) = segment.memory();
        let hold = Arc::into_raw(segment).cast_mut().cast::<c_void>();
        let mut value = std::ptr::null_mut();
        // SAFETY: the memory lives as long as the reference that the finalizer takes back.
        check_status!(unsafe {
            sys::napi_create_external_arraybuffer(
                env.raw(),
                data.cast(),
                len,
                Some(drop_segment),
                hold,
                &mut value,
            )
        })?;
        Ok(Object::from_raw(env.raw(), value))
    }

    /// Has `drain` hand over what is published, without a ring.
    #[napi]
    pub fn answer_bell(&self) {
        self.state.answer_bell();
    }

    /// Whether nothing is on its way, from JavaScript to the I/O threads or back.
    #[napi]
    pub fn is_quiet(&self) -> bool {
        self.state.is_quiet()
    }

    /// Waits until the I/O threads have worked off everything that was flushed; for the end of the
    /// process, which waits for nobody.
    #[napi]
    pub fn settle(&self) {
        self.state.settle();
    }

    // ---- servers ----

    /// Binds at once; accepting starts with the next flush.
    #[napi]
    pub fn listen(
        &mut self,
        options: NativeListenOptions,
        contexts: Option<ClassInstance<'_, NativeServerContexts>>,
    ) -> Result<NativeListenResult> {
        self.state.environment().map_err(io)?;
        let bind = options.bind()?;
        let timeout = (options.handshake_timeout > 0.0).then(|| millis(options.handshake_timeout));
        let serve = Serve {
            path: options.path,
            handshake_timeout: timeout,
            tls: contexts.map(|contexts| ServerTls::new(contexts.contexts())),
            options: options.connection.into(),
        };
        match Listener::bind(&bind, options.id, serve) {
            Ok((listener, address)) => {
                listener.hooks.store(options.hooks, Ordering::Release);
                self.listeners.insert(options.id, listener.clone());
                let thread = options.id as usize % self.state.thread_count();
                self.state
                    .command_to(thread, |_| Command::Listen { listener });
                Ok(NativeListenResult {
                    address: Some(address.ip().to_string()),
                    port: Some(address.port()),
                    errno: None,
                })
            }
            Err(error) => match error.raw_os_error() {
                Some(errno) => Ok(NativeListenResult {
                    address: None,
                    port: None,
                    errno: Some(errno),
                }),
                None => Err(io(error)),
            },
        }
    }

    #[napi]
    pub fn set_hooks(&self, listener: u32, hooks: u32) {
        if let Some(listener) = self.listeners.get(&listener) {
            listener.hooks.store(hooks, Ordering::Release);
        }
    }

    /// What connections to come are shown and asked, of a listener with TLS.
    #[napi]
    pub fn set_contexts(&self, listener: u32, contexts: ClassInstance<'_, NativeServerContexts>) {
        let listener = self.listeners.get(&listener);
        if let Some(tls) = listener.and_then(|listener| listener.tls.as_ref()) {
            tls.replace(contexts.contexts());
        }
    }

    /// Answers a `serverName` notice; without a context the default is used.
    #[napi]
    pub fn use_context(&self, conn: u32, context: Option<ClassInstance<'_, NativeServerContext>>) {
        let context = context.map(|context| context.context());
        self.state
            .command(conn, |_| Command::UseContext { conn, context });
    }

    /// Stops listening; the notice `listenerClosed` follows the last connection.
    #[napi]
    pub fn close_listener(&mut self, listener: u32) {
        if self.listeners.remove(&listener).is_some() {
            let thread = listener as usize % self.state.thread_count();
            self.state
                .command_to(thread, |_| Command::CloseListener { listener });
        }
    }

    /// Answers an `upgrade` notice: `response` is everything up to the first frame.
    #[napi]
    pub fn respond(&self, conn: u32, response: Buffer, upgrade: bool) {
        self.state.command(conn, |batch| {
            let range = batch.append(&response);
            Command::Respond {
                conn,
                range,
                upgrade,
            }
        });
    }

    // ---- clients ----

    /// Starts connecting; the connection's id.
    #[napi]
    pub fn connect(
        &self,
        options: NativeConnectOptions,
        context: Option<ClassInstance<'_, NativeClientContext>>,
    ) -> Result<u32> {
        let shared = self.state.environment().map_err(io)?;
        let context = context.map(|context| context.context());
        let dial = Box::new(options.dial(context)?);
        let conn = shared
            .allocate(self.state.pick_thread())
            .ok_or_else(|| Error::from_reason("too many connections"))?;
        self.state
            .command(conn, |_| Command::Connect { conn, dial });
        Ok(conn)
    }

    // ---- upgraded by Node ----

    /// Takes over the connection of a socket of Node's, of which Node must not read any more;
    /// `response` goes first, `head` is what was read already. Null if that socket cannot be had:
    /// then it has to be relayed. `extensions`: what was agreed on, as the answer's
    /// `Sec-WebSocket-Extensions` has it.
    #[napi]
    pub fn adopt(
        &self,
        fd: i32,
        server: bool,
        response: Buffer,
        head: Buffer,
        options: NativeConnectionOptions,
        extensions: Option<String>,
    ) -> Result<Option<u32>> {
        #[cfg(unix)]
        {
            // SAFETY: on the JavaScript thread, which is the one that closes it.
            if let Ok(source) = unsafe { Source::duplicate(fd) } {
                return self
                    .open(source, server, &response, &head, options, extensions)
                    .map(Some);
            }
        }
        Ok(None)
    }

    /// A connection whose bytes JavaScript moves: `feed`, `feedEnd`, and the records `Output`,
    /// `OutputEnd` and `Consumed`; see lib/stream-carrier.js.
    #[napi]
    pub fn relay(
        &self,
        server: bool,
        options: NativeConnectionOptions,
        extensions: Option<String>,
    ) -> Result<u32> {
        self.open(Source::Relay, server, &[], &[], options, extensions)
    }

    #[napi]
    pub fn feed(&self, conn: u32, data: Buffer) {
        self.state.command(conn, |batch| {
            let range = batch.append(&data);
            Command::Feed { conn, range }
        });
    }

    /// Nothing more will be fed; `gone`: nor can anything be written.
    #[napi]
    pub fn feed_end(&self, conn: u32, gone: bool) {
        self.state
            .command(conn, |_| Command::FeedEnd { conn, gone });
    }

    /// So many bytes of the output are written.
    #[napi]
    pub fn confirm(&self, conn: u32, bytes: u32) {
        self.state
            .command(conn, |_| Command::Confirm { conn, bytes });
    }

    /// The output has been ended.
    #[napi]
    pub fn ended(&self, conn: u32) {
        self.state.command(conn, |_| Command::Ended { conn });
    }

    // ---- connections ----

    #[napi]
    pub fn ping(&self, conn: u32, flags: u32, data: Buffer, key: u32) {
        self.state.command(conn, |batch| {
            let range = batch.append(&data);
            Command::Ping {
                conn,
                flags: SendFlags(flags),
                range,
                key,
            }
        });
    }

    #[napi]
    pub fn pong(&self, conn: u32, flags: u32, data: Buffer, key: u32) {
        self.state.command(conn, |batch| {
            let range = batch.append(&data);
            Command::Pong {
                conn,
                flags: SendFlags(flags),
                range,
                key,
            }
        });
    }

    /// `code` 0: a close frame without a body.
    #[napi]
    pub fn close(&self, conn: u32, flags: u32, code: u16, reason: Buffer, key: u32) {
        self.state.command(conn, |batch| {
            let range = batch.append(&reason);
            Command::Close {
                conn,
                code,
                range,
                key,
                flags: SendFlags(flags),
            }
        });
    }

    #[napi]
    pub fn terminate(&self, conn: u32) {
        self.state.command(conn, |_| Command::Terminate { conn });
    }

    #[napi]
    pub fn pause(&self, conn: u32, on: bool) {
        self.state.command(conn, |_| Command::Pause { conn, on });
    }

    /// The last event of `conn` has been seen.
    #[napi]
    pub fn release(&self, conn: u32) {
        self.state.command(conn, |_| Command::Release { conn });
    }

    /// Bytes outside of any frame.
    #[napi]
    pub fn raw(&self, conn: u32, flags: u32, data: Buffer) {
        self.state.command(conn, |batch| {
            let range = batch.append(&data);
            Command::Raw {
                conn,
                range,
                flags: SendFlags(flags),
            }
        });
    }

    /// Ends our half after what is queued.
    #[napi]
    pub fn end(&self, conn: u32) {
        self.state.command(conn, |_| Command::End { conn });
    }

    #[napi]
    pub fn set_no_delay(&self, conn: u32, on: bool) {
        let setting = Setting::NoDelay(on);
        self.state
            .command(conn, |_| Command::Configure { conn, setting });
    }

    /// From now on the bytes that are read come as `rawData` notices, behind what they have brought.
    #[napi]
    pub fn tap(&self, conn: u32) -> Result<()> {
        self.switch_on(conn, Setting::Tap, |link| &link.tapped)
    }

    /// From now on JavaScript answers all pings that are to be answered.
    #[napi]
    pub fn answer_pings(&self, conn: u32) -> Result<()> {
        self.switch_on(conn, Setting::AnswersPings, |link| &link.answers_pings)
    }

    /// Most bytes of a message, 0 = off, and whether text is taken as it is; from now on.
    #[napi]
    pub fn set_limits(&self, conn: u32, max_payload: f64, skip_utf8_validation: bool) {
        let setting = Setting::Limits {
            max_payload: max_payload_limit(max_payload),
            skip_utf8_validation,
        };
        self.state
            .command(conn, |_| Command::Configure { conn, setting });
    }

    /// `idle`: milliseconds before the first probe, 0 = the system's.
    #[napi]
    pub fn set_keep_alive(&self, conn: u32, on: bool, idle: f64) {
        let setting = Setting::KeepAlive {
            on,
            idle: millis(idle),
        };
        self.state
            .command(conn, |_| Command::Configure { conn, setting });
    }
}

impl NativeEnvironment {
    /// At once: it counts for what a peer sends from here on. A connection that is not open yet hears
    /// of it when it is.
    fn switch_on(
        &self,
        conn: u32,
        setting: Setting,
        switch: impl FnOnce(&Link) -> &AtomicBool,
    ) -> Result<()> {
        let shared = self.state.environment().map_err(io)?;
        match shared.link(conn) {
            Some(link) => switch(&link).store(true, Ordering::SeqCst),
            None => self
                .state
                .command(conn, |_| Command::Configure { conn, setting }),
        }
        Ok(())
    }

    fn open(
        &self,
        source: Source,
        server: bool,
        response: &[u8],
        head: &[u8],
        options: NativeConnectionOptions,
        extensions: Option<String>,
    ) -> Result<u32> {
        let role = if server { Role::Server } else { Role::Client };
        let options = ConnectionOptions::from(options);
        let deflate = options.deflate.as_ref().zip(extensions);
        // here, so that the next agreement made on this thread knows of this one
        let agreed = deflate
            .and_then(|(own, header)| agreed(&header, role, &own.options))
            .map(|params| (params, Contexts::of(&params, role)));
        let shared = self.state.environment().map_err(io)?;
        let conn = shared
            .allocate(self.state.pick_thread())
            .ok_or_else(|| Error::from_reason("too many connections"))?;
        // JavaScript reads them before the I/O thread has heard of the connection
        shared.counter(conn);
        let adoption = Box::new(Adoption {
            source,
            role,
            options,
            response: response.to_vec(),
            head: head.to_vec(),
            agreed,
        });
        self.state
            .command(conn, |_| Command::Adopt { conn, adoption });
        Ok(conn)
    }
}

unsafe extern "C" fn clean_up(state: *mut c_void) {
    // SAFETY: the reference that `new` made for this hook.
    let state = unsafe { Rc::from_raw(state.cast::<State>()) };
    // a panic must not unwind into Node
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| state.shut_down()));
}

unsafe extern "C" fn drop_segment(_env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: the reference that `counters` made, dropped once.
    drop(unsafe { Arc::from_raw(hint.cast::<crate::driver::counters::Segment>()) });
}

fn io(error: std::io::Error) -> Error {
    Error::from_reason(error.to_string())
}
