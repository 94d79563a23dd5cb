//! An I/O thread: a current-thread runtime, a scratch buffer that all its connections receive
//! into, and the loop that works off the mailbox.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::environment::Environment;
use super::local::LocalEnvironment;
use super::mailbox::Submission;
use super::mask_keys::MaskKeys;
use super::pool::ThreadHandle;
use crate::transport::Transport;

/// What one read can take. A burst larger than this is read in several turns of the loop.
pub const SCRATCH: usize = 128 * 1024;

/// What belongs to the thread and not to a connection.
pub struct ThreadContext {
    pub index: usize,
    pub handle: Arc<ThreadHandle>,
    pub scratch: RefCell<Box<[MaybeUninit<u8>]>>,
    pub keys: RefCell<MaskKeys>,
    environments: RefCell<HashMap<u64, Rc<LocalEnvironment>>>,
    /// Unpublished events when the thread last had nothing to do.
    gathered: Cell<usize>,
}

/// So many events are worth a batch.
const ENOUGH: usize = 256;

thread_local! {
    static CONTEXT: RefCell<Option<Rc<ThreadContext>>> = const { RefCell::new(None) };
}

/// The body of an I/O thread.
pub fn run(index: usize, threads: Arc<[Arc<ThreadHandle>]>) {
    let context = Rc::new(ThreadContext {
        index,
        handle: threads[index].clone(),
        scratch: RefCell::new(Box::new_uninit_slice(SCRATCH)),
        keys: RefCell::new(MaskKeys::new()),
        environments: RefCell::default(),
        gathered: Cell::new(0),
    });
    CONTEXT.set(Some(context.clone()));
    yield_to_javascript();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .on_thread_park(|| with_context(ThreadContext::before_park))
        .on_thread_unpark(|| with_context(|context| context.handle.mailbox.after_unpark()))
        .build_local(Default::default())
        .expect("an event queue can be had for the I/O thread");
    let pump = Pump {
        context: context.clone(),
        letters: Vec::new(),
    };
    runtime.block_on(async move {
        // a task of its own, so that a wake from this very thread costs no system call
        let _ = tokio::task::spawn_local(pump).await;
    });
    context.environments.borrow_mut().clear();
    CONTEXT.set(None);
}

/// Keeps a wake-up of this thread from pushing a JavaScript thread off its core. Where cores are
/// scarce each message would cost two switches of context; this way messages gather meanwhile.
#[cfg(target_os = "linux")]
fn yield_to_javascript() {
    let param = libc::sched_param { sched_priority: 0 };
    // SAFETY: `param` is valid for the call, which concerns the calling thread alone. If it is not
    // allowed all works as before, only with more switches.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &param) };
}

#[cfg(not(target_os = "linux"))]
fn yield_to_javascript() {}

fn with_context(f: impl FnOnce(&ThreadContext)) {
    CONTEXT.with_borrow(|context| {
        if let Some(context) = context {
            f(context);
        }
    });
}

impl ThreadContext {
    /// Nothing is left to do. If that was so without new events a moment ago as well, the turn is
    /// over and JavaScript learns what it brought; else sockets that have become ready meanwhile
    /// get to join it. A batch costs some switches of context, a look at the sockets next to
    /// nothing.
    fn before_park(&self) {
        let environments = self.environments.borrow();
        let gathered = environments.values().map(|env| env.gathered()).sum();
        if gathered > self.gathered.get() && gathered < ENOUGH {
            self.gathered.set(gathered);
            return self.handle.mailbox.stay_awake();
        }
        self.gathered.set(0);
        for env in environments.values() {
            env.publish();
        }
        self.handle.mailbox.before_park();
    }

    fn environment(self: &Rc<Self>, shared: &Arc<Environment>) -> Rc<LocalEnvironment> {
        self.environments
            .borrow_mut()
            .entry(shared.id())
            .or_insert_with(|| LocalEnvironment::new(shared.clone(), self.clone()))
            .clone()
    }
}

/// Works off the mailbox; ends with [`Submission::Stop`].
struct Pump {
    context: Rc<ThreadContext>,
    letters: Vec<Submission>,
}

impl Future for Pump {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { context, letters } = self.get_mut();
        context.handle.mailbox.set_waker(cx.waker());
        context.handle.mailbox.take(letters);
        let mut stop = false;
        for letter in letters.drain(..) {
            match letter {
                Submission::Commands { env, mut batch } => {
                    let local = context.environment(&env);
                    local.run(&mut batch);
                    env.commands_done(context.index, batch);
                }
                Submission::Accepted {
                    env,
                    listener,
                    stream,
                } => {
                    let local = context.environment(&env);
                    local.serve(listener, Transport::from_tcp(stream));
                }
                Submission::Credit { env } => {
                    if let Some(local) = context.environments.borrow().get(&env) {
                        local.credit();
                    }
                }
                Submission::Detach { env, done } => {
                    let local = context.environments.borrow_mut().remove(&env);
                    if let Some(local) = local {
                        local.detach();
                    }
                    done.open();
                }
                Submission::Stop => stop = true,
            }
        }
        if stop { Poll::Ready(()) } else { Poll::Pending }
    }
}
