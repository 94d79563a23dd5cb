//! An I/O thread: a current-thread runtime, a scratch buffer that all its connections receive
//! into, and the loop that works off the mailbox.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll};

use super::compressors::Compressors;
use super::environment::Environment;
use super::local::LocalEnvironment;
use super::mailbox::Submission;
use super::mask_keys::MaskKeys;
use super::pool::ThreadHandle;
use super::put_off::PutOff;
use super::tls::Handshakes;
use crate::transport::Transport;

/// What one read can take. A burst larger than this is read in several turns of the loop.
pub const SCRATCH: usize = 128 * 1024;

/// Reads after which a thread that finds no time to sleep tells JavaScript what it has, and sees
/// what JavaScript wants.
const READS_PER_ROUND: u32 = 256;

/// So many events are worth a batch; and so few are likely to be a lone message, which is not to
/// wait.
const ENOUGH: usize = 256;
const FEW: usize = 2;

/// What belongs to the thread and not to a connection.
pub struct ThreadContext {
    pub index: usize,
    pub handle: Arc<ThreadHandle>,
    pub scratch: RefCell<Box<[MaybeUninit<u8>]>>,
    pub keys: RefCell<MaskKeys>,
    environments: RefCell<HashMap<u64, Rc<LocalEnvironment>>>,
    /// Unpublished events when the thread was last about to park; 0 after publishing.
    gathered: Cell<usize>,
    /// Reads since the thread last published.
    reads: Cell<u32>,
    pub compressors: Compressors,
    pub put_off: PutOff,
    pub handshakes: Handshakes,
}

thread_local! {
    static CONTEXT: RefCell<Option<Rc<ThreadContext>>> = const { RefCell::new(None) };
}

/// The body of an I/O thread. `started` learns whether it could be set up.
pub fn run(index: usize, threads: Arc<[Arc<ThreadHandle>]>, started: Sender<std::io::Result<()>>) {
    #[cfg(target_os = "linux")]
    yield_to_javascript();
    let context = Rc::new(ThreadContext {
        index,
        handle: threads[index].clone(),
        scratch: RefCell::new(Box::new_uninit_slice(SCRATCH)),
        keys: RefCell::new(MaskKeys::default()),
        environments: RefCell::default(),
        gathered: Cell::new(0),
        reads: Cell::new(0),
        compressors: Compressors::default(),
        put_off: PutOff::default(),
        handshakes: Handshakes::default(),
    });
    CONTEXT.set(Some(context.clone()));
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .on_thread_park(|| with_context(ThreadContext::before_park))
        .on_thread_unpark(|| with_context(|context| context.handle.mailbox.after_unpark()))
        .build_local(Default::default());
    let runtime = match built {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = started.send(Err(error));
            return CONTEXT.set(None);
        }
    };
    let _ = started.send(Ok(()));
    drop(started);
    let pump = Pump {
        context: context.clone(),
        letters: Vec::new(),
    };
    runtime.block_on(async move {
        // a task of its own, so that a wake from this very thread costs no system call
        let _ = tokio::task::spawn_local(pump).await;
    });
    for (_, local) in context.environments.take() {
        // nobody asked: breaks the cycle of connections and environment
        local.detach();
    }
    CONTEXT.set(None);
}

/// Where the JavaScript thread runs on the same core, each packet would take it away for a switch to
/// this thread and one back: as SCHED_BATCH it waits for the end of JavaScript's slice and finds
/// many packets. On a core of its own nothing changes. (sched(7))
#[cfg(target_os = "linux")]
fn yield_to_javascript() {
    // SAFETY: all fields are integers, for which 0 is valid.
    let param: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: `param` lives through the call. A sandbox that forbids it leaves everything as it was.
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const param) };
}

/// The task of `cx` has more to do, but that has taken a while: first JavaScript gets what there is,
/// and all sockets that are ready get their turn. A plain wake would be honoured before the runtime
/// looks at sockets again.
pub fn yield_turn(context: &ThreadContext, cx: &mut Context<'_>) {
    context.turn_over();
    let turn = std::pin::pin!(tokio::task::yield_now());
    // it has asked the runtime to wake the task; there is nothing to wait for here
    let _ = turn.poll(cx);
}

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
        if gathered > self.gathered.get().max(FEW) && gathered < ENOUGH {
            self.gathered.set(gathered);
            return self.handle.mailbox.stay_awake();
        }
        drop(environments);
        self.publish();
        self.handle.mailbox.before_park();
    }

    /// A connection's turn took `reads`. A busy thread does not park and nobody wakes its pump, so
    /// that this is what keeps events and commands moving under load.
    pub fn turn_taken(&self, reads: u32) {
        self.reads.set(self.reads.get() + reads);
        if self.reads.get() >= READS_PER_ROUND {
            self.publish();
            self.handle.mailbox.look();
        }
    }

    /// What took a while is interrupted: JavaScript learns what there is, and gets a hearing.
    pub fn turn_over(&self) {
        self.turn_taken(READS_PER_ROUND);
        // on a core that both share JavaScript would wait for the end of this thread's time slice
        std::thread::yield_now();
    }

    fn publish(&self) {
        self.gathered.set(0);
        self.reads.set(0);
        for env in self.environments.borrow().values() {
            env.publish();
        }
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
        context.compressors.turn.set(0);
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
                    remote,
                } => {
                    if env.is_silent() {
                        // detached while this was on its way: the environment is not to come back
                        continue;
                    }
                    let local = context.environment(&env);
                    local.serve(listener, Transport::from_tcp(stream), remote);
                }
                Submission::ListenerClosing { env, listener } => {
                    if let Some(local) = context.environments.borrow().get(&env) {
                        local.close_silent(listener);
                    }
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
