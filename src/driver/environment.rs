//! The shared side of one JavaScript environment (the main thread or a worker): the batches that
//! wait for it, the bell that wakes it, and what both sides must agree on.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::batch::Batch;
use super::command::CommandBatch;
use super::counters::{Counter, SEGMENT, Segment};
use super::link::Link;
use super::mailbox::Submission;
use super::pool::ThreadHandle;
use crate::sync::lock;

/// A connection's name, the same on both sides: an index that is unique in its environment, and
/// the I/O thread that owns the connection in the upper 8 bits.
pub fn conn_id(index: u32, thread: usize) -> u32 {
    index | (thread as u32) << 24
}

pub fn conn_index(id: u32) -> usize {
    (id & 0xff_ffff) as usize
}

pub fn conn_thread(id: u32) -> usize {
    (id >> 24) as usize
}

/// Most connections of one environment.
const MAX_INDEX: u32 = 0xff_ffff;

/// So many bytes of released JavaScript memory are worth a ring of their own; less waits until
/// JavaScript has fetched the next batch.
const RELEASED_MAX: usize = 1024 * 1024;

/// Batches that JavaScript has not fetched; beyond this no connections are accepted.
const MANY_BATCHES: usize = 64;

/// Recycled batches kept for each direction.
const SPARES: usize = 2;

/// Wakes JavaScript. Called on an I/O thread, at most once until JavaScript has answered.
pub type Bell = Box<dyn Fn() + Send>;

pub struct Environment {
    id: u64,
    threads: Arc<[Arc<ThreadHandle>]>,
    bell: Mutex<Option<Bell>>,
    silent: AtomicBool,
    rung: AtomicBool,
    ready: Mutex<Vec<Batch>>,
    spare: Mutex<Vec<Batch>>,
    spare_commands: Mutex<Vec<CommandBatch>>,
    flow: Box<[Flow]>,
    /// How many [`Unsettled`] there are.
    unsettled: AtomicUsize,
    table: Mutex<Table>,
    released: Mutex<Released>,
}

/// A command that is worked off, and whose effect is yet to come.
pub struct Unsettled(Arc<Environment>);

/// Lent JavaScript memory that is no longer read.
#[derive(Default)]
struct Released {
    ids: Vec<u32>,
    bytes: usize,
}

/// How far each side has come with the work of one I/O thread.
#[derive(Default)]
struct Flow {
    /// The newest batch of that thread that JavaScript has finished with.
    drained: AtomicU64,
    /// Connections of that thread wait for `drained` to advance.
    waiting: AtomicBool,
    /// Command batches sent to and worked off by that thread.
    submitted: AtomicU64,
    processed: AtomicU64,
}

#[derive(Default)]
struct Table {
    free: Vec<u32>,
    next: u32,
    links: Vec<Option<Arc<Link>>>,
    segments: Vec<Arc<Segment>>,
}

impl Environment {
    pub fn new(threads: Arc<[Arc<ThreadHandle>]>, bell: Bell) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            flow: threads.iter().map(|_| Flow::default()).collect(),
            threads,
            unsettled: AtomicUsize::new(0),
            bell: Mutex::new(Some(bell)),
            silent: AtomicBool::new(false),
            rung: AtomicBool::new(false),
            ready: Mutex::default(),
            spare: Mutex::default(),
            spare_commands: Mutex::default(),
            table: Mutex::default(),
            released: Mutex::default(),
        })
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn threads(&self) -> &Arc<[Arc<ThreadHandle>]> {
        &self.threads
    }

    // ---- I/O threads: batches to JavaScript ----

    /// Hands a batch to JavaScript and rings, unless the bell still swings.
    pub fn publish(&self, batch: Batch) {
        lock(&self.ready).push(batch);
        self.ring();
    }

    pub fn ring(&self) {
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(bell) = &*lock(&self.bell) {
            bell();
        }
    }

    /// Whether so many batches wait for JavaScript that it had better not hear of new connections.
    pub fn is_behind(&self) -> bool {
        lock(&self.ready).len() >= MANY_BATCHES
    }

    pub fn spare_batch(&self) -> Batch {
        lock(&self.spare).pop().unwrap_or_default()
    }

    pub fn drained(&self, thread: usize) -> u64 {
        self.flow[thread].drained.load(Ordering::Acquire)
    }

    /// Asks for a [`Submission::Credit`] when JavaScript has finished with another batch.
    pub fn wait_for_credit(&self, thread: usize) {
        self.flow[thread].waiting.store(true, Ordering::SeqCst);
    }

    pub fn commands_done(&self, thread: usize, mut batch: CommandBatch) {
        self.flow[thread].processed.fetch_add(1, Ordering::AcqRel);
        batch.clear();
        let mut spare = lock(&self.spare_commands);
        if spare.len() < SPARES {
            spare.push(batch);
        }
    }

    // ---- JavaScript: taking batches ----

    /// All batches published so far; the bell may ring again from here on.
    pub fn take_ready(&self, into: &mut Vec<Batch>) {
        self.rung.store(false, Ordering::SeqCst);
        std::mem::swap(&mut *lock(&self.ready), into);
    }

    /// JavaScript has delivered all of `batch`.
    pub fn batch_done(&self, batch: Batch) {
        let flow = &self.flow[batch.thread];
        flow.drained.store(batch.seq, Ordering::SeqCst);
        if flow.waiting.swap(false, Ordering::SeqCst) {
            self.threads[batch.thread]
                .mailbox
                .send(Submission::Credit { env: self.id });
        }
        let mut spare = lock(&self.spare);
        if spare.len() < SPARES {
            spare.push(batch.recycle());
        }
    }

    // ---- JavaScript: sending commands ----

    pub fn submit(self: &Arc<Self>, thread: usize, batch: CommandBatch) {
        self.flow[thread].submitted.fetch_add(1, Ordering::AcqRel);
        self.threads[thread].mailbox.send(Submission::Commands {
            env: self.clone(),
            batch,
        });
    }

    pub fn spare_commands(&self) -> CommandBatch {
        lock(&self.spare_commands).pop().unwrap_or_default()
    }

    /// Whether a thread sleeps and has worked off everything it was sent: only then may a send go
    /// past it, since nothing can be overtaken.
    pub fn is_idle(&self, thread: usize) -> bool {
        self.threads[thread].mailbox.is_parked() && self.commands_settled(thread)
    }

    /// Whether every thread is idle and JavaScript has fetched everything.
    pub fn is_quiet(&self) -> bool {
        (0..self.threads.len()).all(|thread| self.is_idle(thread)) && lock(&self.ready).is_empty()
    }

    /// Whether all that JavaScript has sent is worked off.
    pub fn all_commands_settled(&self) -> bool {
        (0..self.threads.len()).all(|thread| self.commands_settled(thread))
    }

    /// The same, and what was put off on the way.
    pub fn all_settled(&self) -> bool {
        // in this order: what is put off was a command before
        self.all_commands_settled() && self.unsettled.load(Ordering::Acquire) == 0
    }

    // ---- both: lent memory ----

    /// From any thread: memory `id` of `len` bytes is no longer read. JavaScript hears of it with
    /// its next batch, or when a lot has come together.
    pub fn memory_released(&self, id: u32, len: usize) {
        let mut released = lock(&self.released);
        released.ids.push(id);
        released.bytes += len;
        let full = released.bytes >= RELEASED_MAX;
        drop(released);
        if full {
            self.ring();
        }
    }

    /// Gives up to `max` ids of released memory to `each`; returns how many.
    pub fn take_released(&self, max: usize, mut each: impl FnMut(usize, u32)) -> usize {
        let mut released = lock(&self.released);
        let count = released.ids.len().min(max);
        for (i, id) in released.ids.drain(..count).enumerate() {
            each(i, id);
        }
        released.bytes = 0;
        count
    }

    /// Whether nothing that JavaScript sent to this thread waits to be worked off.
    pub fn commands_settled(&self, thread: usize) -> bool {
        let flow = &self.flow[thread];
        flow.submitted.load(Ordering::Acquire) == flow.processed.load(Ordering::Acquire)
    }

    /// No bell after this; what is published from now on is never read.
    pub fn silence(&self) {
        self.silent.store(true, Ordering::SeqCst);
        *lock(&self.bell) = None;
    }

    pub fn is_silent(&self) -> bool {
        self.silent.load(Ordering::SeqCst)
    }

    // ---- both: connection ids ----

    /// A fresh connection of `thread`, or `None` when all 2^24 are taken.
    pub fn allocate(&self, thread: usize) -> Option<u32> {
        let mut table = lock(&self.table);
        let index = match table.free.pop() {
            Some(index) => index,
            None if table.next == MAX_INDEX => return None,
            None => {
                table.next += 1;
                table.next - 1
            }
        };
        Some(conn_id(index, thread))
    }

    /// Only when neither side will mention `id` again.
    pub fn release(&self, id: u32) {
        lock(&self.table).free.push(conn_index(id) as u32);
    }

    pub fn counter(&self, id: u32) -> Counter {
        let mut table = lock(&self.table);
        let segment = conn_index(id) / SEGMENT;
        while table.segments.len() <= segment {
            table.segments.push(Segment::new());
        }
        Counter::new(table.segments[segment].clone(), conn_index(id) as u32)
    }

    pub fn segment(&self, index: usize) -> Option<Arc<Segment>> {
        lock(&self.table).segments.get(index).cloned()
    }

    pub fn set_link(&self, id: u32, link: Option<Arc<Link>>) {
        let mut table = lock(&self.table);
        let index = conn_index(id);
        if table.links.len() <= index {
            table.links.resize_with(index + 1, || None);
        }
        table.links[index] = link;
    }

    pub fn link(&self, id: u32) -> Option<Arc<Link>> {
        lock(&self.table)
            .links
            .get(conn_index(id))
            .cloned()
            .flatten()
    }
}

impl Unsettled {
    pub fn new(env: &Arc<Environment>) -> Self {
        env.unsettled.fetch_add(1, Ordering::AcqRel);
        Self(env.clone())
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        self.0.unsettled.fetch_sub(1, Ordering::AcqRel);
    }
}
