//! What stands in for a JavaScript environment: it takes batches and sends commands.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once};
use std::time::{Duration, Instant};

use super::events::Seen;
use crate::driver::batch::Batch;
use crate::driver::command::{
    AutoPong, Command, CommandBatch, ConnectionOptions, Dial, Range, SendFlags, Setting,
};
use crate::driver::dial::OpeningRequest;
use crate::driver::environment::{Environment, conn_thread};
use crate::driver::listener::{Bind, Listener, Serve};
use crate::driver::notice::Notice;
use crate::driver::pool::{self, Lease};
use crate::sync::lock;
use crate::transport::Endpoint;

/// More than anything here takes, on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Long enough for what must not happen to show.
pub const A_WHILE: Duration = Duration::from_millis(150);

pub const SERVER: SendFlags = SendFlags(SendFlags::BINARY | SendFlags::FIN);
pub const CLIENT: SendFlags = SendFlags(SERVER.0 | SendFlags::MASK);

/// The key of RFC 6455 section 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// One environment.
pub struct Host {
    lease: Option<Lease>,
    pub env: Arc<Environment>,
    bell: Arc<Bell>,
    published: Vec<Batch>,
    pub seen: VecDeque<Seen>,
    next_listener: u32,
    pub clients: HashSet<u32>,
    /// One test at a time: the threads are shared by the whole process.
    _alone: Option<MutexGuard<'static, ()>>,
}

#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    swung: Condvar,
}

pub struct ListenOptions {
    pub path: Option<&'static str>,
    pub hooks: u32,
    pub handshake_timeout: Duration,
    pub connection: ConnectionOptions,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            path: None,
            hooks: 0,
            handshake_timeout: Duration::from_secs(60),
            connection: options(),
        }
    }
}

/// What lib/ gives when the application says nothing.
pub fn options() -> ConnectionOptions {
    ConnectionOptions {
        max_payload: 100 * 1024 * 1024,
        max_frame_size: 0,
        max_fragments: 16 * 1024,
        skip_utf8_validation: false,
        auto_pong: AutoPong::InOrder,
        max_pending_pongs: 60,
        close_timeout: Duration::from_secs(30),
        deflate: None,
    }
}

pub fn request(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into_bytes()
}

/// Waits until `f` is true.
pub fn until(what: &str, mut f: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !f() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Host {
    pub fn new() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = lock(&ALONE);
        static TWO_THREADS: Once = Once::new();
        TWO_THREADS.call_once(|| pool::configure(2).expect("no threads run yet"));
        Self::with(Some(alone))
    }

    /// A second environment in the same test.
    pub fn beside(_first: &Host) -> Self {
        Self::with(None)
    }

    fn with(alone: Option<MutexGuard<'static, ()>>) -> Self {
        let lease = Lease::take().expect("the I/O threads start");
        let bell = Arc::new(Bell::default());
        let rope = bell.clone();
        let env = Environment::new(
            lease.threads.clone(),
            Box::new(move || {
                *lock(&rope.rung) = true;
                rope.swung.notify_all();
            }),
        );
        Self {
            lease: Some(lease),
            env,
            bell,
            published: Vec::new(),
            seen: VecDeque::new(),
            next_listener: 0,
            clients: HashSet::new(),
            _alone: alone,
        }
    }

    // ---- commands ----

    pub fn submit(&self, thread: usize, fill: impl FnOnce(&mut CommandBatch)) {
        let mut batch = self.env.spare_commands();
        fill(&mut batch);
        self.env.submit(thread, batch);
    }

    pub fn command(&self, conn: u32, make: impl FnOnce(&mut CommandBatch) -> Command) {
        self.submit(conn_thread(conn), |batch| {
            let command = make(batch);
            batch.commands.push(command);
        });
    }

    pub fn send(&self, conn: u32, flags: SendFlags, data: &[u8]) {
        self.command(conn, |b| {
            let range = b.append(data);
            Command::Send {
                conn,
                flags,
                range,
                key: 0,
            }
        });
    }

    pub fn close(&self, conn: u32, flags: SendFlags, code: u16) {
        let range = Range::default();
        self.command(conn, |_| Command::Close {
            conn,
            code,
            range,
            key: 0,
            flags,
        });
    }

    pub fn terminate(&self, conn: u32) {
        self.command(conn, |_| Command::Terminate { conn });
    }

    pub fn pause(&self, conn: u32, on: bool) {
        self.command(conn, |_| Command::Pause { conn, on });
    }

    pub fn release(&self, conn: u32) {
        self.command(conn, |_| Command::Release { conn });
    }

    pub fn respond(&self, conn: u32, response: &[u8], upgrade: bool) {
        self.command(conn, |b| {
            let range = b.append(response);
            Command::Respond {
                conn,
                range,
                upgrade,
            }
        });
    }

    pub fn raw(&self, conn: u32, data: &[u8]) {
        self.command(conn, |b| {
            let range = b.append(data);
            Command::Raw {
                conn,
                range,
                flags: SendFlags(0),
            }
        });
    }

    pub fn end(&self, conn: u32) {
        self.command(conn, |_| Command::End { conn });
    }

    pub fn configure(&self, conn: u32, setting: Setting) {
        self.command(conn, |_| Command::Configure { conn, setting });
    }

    /// Listens on a free port of 127.0.0.1, on thread 0.
    pub fn listen(&mut self, options: ListenOptions) -> (Arc<Listener>, SocketAddr) {
        let bind = Bind {
            address: ([127, 0, 0, 1], 0).into(),
            backlog: 511,
            reuse_port: false,
            ipv6_only: false,
        };
        let id = self.next_listener;
        self.next_listener += 1;
        let serve = Serve {
            path: options.path.map(str::to_owned),
            handshake_timeout: Some(options.handshake_timeout),
            tls: None,
            options: options.connection,
        };
        let (listener, address) = Listener::bind(&bind, id, serve).expect("a free port");
        listener.hooks.store(options.hooks, Ordering::Release);
        let shared = listener.clone();
        self.submit(0, |b| b.commands.push(Command::Listen { listener: shared }));
        (listener, address)
    }

    pub fn close_listener(&self, listener: u32) {
        self.submit(0, |b| b.commands.push(Command::CloseListener { listener }));
    }

    pub fn dial(&mut self, endpoints: Vec<Endpoint>) -> u32 {
        self.dial_with(endpoints, options())
    }

    pub fn dial_with(&mut self, endpoints: Vec<Endpoint>, options: ConnectionOptions) -> u32 {
        let conn = self.env.allocate(1).expect("a free id");
        self.clients.insert(conn);
        let dial = Box::new(Dial {
            endpoints,
            attempt_timeout: Duration::from_millis(100),
            local_address: None,
            local_port: 0,
            tls: None,
            request: OpeningRequest {
                bytes: request("/"),
                key: KEY.to_owned(),
                protocols: Vec::new(),
            },
            options,
        });
        self.command(conn, |_| Command::Connect { conn, dial });
        conn
    }

    /// Waits until thread `of` sleeps and has nothing left to do.
    pub fn idle(&self, of: u32) {
        until("an idle thread", || self.env.is_idle(conn_thread(of)));
    }

    // ---- events ----

    /// Delivers what has been published.
    pub fn drain(&mut self) {
        *lock(&self.bell.rung) = false;
        self.env.take_ready(&mut self.published);
        for batch in std::mem::take(&mut self.published) {
            let batch = self.decode(batch);
            self.env.batch_done(batch);
        }
    }

    /// What is published and not delivered, in bytes; nothing is delivered by this.
    pub fn backlog(&mut self) -> usize {
        let mut more = Vec::new();
        self.env.take_ready(&mut more);
        self.published.extend(more);
        let large = |b: &Batch| b.large.iter().flatten().map(Vec::len).sum::<usize>();
        self.published
            .iter()
            .map(|b| b.arena.len() + large(b))
            .sum()
    }

    /// Waits for the first event that `pick` makes something of, and takes it out.
    pub fn next<T>(&mut self, what: &str, mut pick: impl FnMut(&mut Seen) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.drain();
            for i in 0..self.seen.len() {
                if let Some(found) = pick(&mut self.seen[i]) {
                    self.seen.remove(i);
                    return found;
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited in vain for {what}; seen: {:.2000?}",
                self.seen
            );
            let rung = lock(&self.bell.rung);
            if !*rung {
                drop(self.bell.swung.wait_timeout(rung, left.min(A_WHILE)));
            }
        }
    }

    /// Delivers for [`A_WHILE`]; whatever comes is left in `seen`.
    pub fn rest(&mut self) {
        let end = Instant::now() + A_WHILE;
        while Instant::now() < end {
            self.drain();
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn message(&mut self, of: u32) -> Vec<u8> {
        self.next("a message", |seen| match seen {
            Seen::Message { conn, data, .. } if *conn == of => Some(std::mem::take(data)),
            _ => None,
        })
    }

    pub fn close_frame(&mut self, of: u32) -> Option<u16> {
        self.next("a close frame", |seen| match seen {
            Seen::Close { conn, code, .. } if *conn == of => Some(*code),
            _ => None,
        })
    }

    pub fn closed(&mut self, of: u32) {
        self.next("the end of a connection", |seen| {
            matches!(seen, Seen::Closed { conn } if *conn == of).then_some(())
        });
    }

    /// Waits until `count` sends of a connection are reported as written.
    pub fn written(&mut self, of: u32, count: u32) {
        let mut sum = 0;
        while sum < count {
            sum += self.next("written sends", |seen| match seen {
                Seen::Written { conn, count } if *conn == of => Some(*count),
                _ => None,
            });
        }
        assert_eq!(sum, count);
    }

    /// The next notice that `pick` makes something of, with its connection.
    pub fn notice<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&mut Notice) -> Option<T>,
    ) -> (u32, T) {
        self.next(what, |seen| match seen {
            Seen::Notice { conn, notice } => pick(notice).map(|found| (*conn, found)),
            _ => None,
        })
    }

    /// The id of the next connection that is accepted.
    pub fn accepted(&mut self) -> u32 {
        self.notice("a connection", |n| {
            matches!(n, Notice::Connection { .. }).then_some(())
        })
        .0
    }

    /// Waits for a client's handshake to succeed.
    pub fn opened(&mut self, conn: u32) {
        let (of, good) = self.notice("the server's answer", |notice| match notice {
            Notice::Response { outcome, .. } => Some(outcome.is_ok()),
            _ => None,
        });
        assert_eq!((of, good), (conn, true));
    }

    pub fn listener_closed(&mut self) -> u32 {
        self.notice("the end of a listener", |notice| match notice {
            Notice::ListenerClosed { listener } => Some(*listener),
            _ => None,
        })
        .1
    }

    /// What a connection has told and nobody has asked for.
    pub fn about(&self, of: u32) -> usize {
        let count = |seen: &&Seen| match seen {
            Seen::Message { conn, .. }
            | Seen::Ping { conn, .. }
            | Seen::Pong { conn, .. }
            | Seen::Close { conn, .. }
            | Seen::Written { conn, .. }
            | Seen::Closed { conn }
            | Seen::Output { conn, .. }
            | Seen::OutputEnd { conn }
            | Seen::Consumed { conn, .. }
            | Seen::Fragments { conn, .. }
            | Seen::Notice { conn, .. } => *conn == of,
        };
        self.seen.iter().filter(count).count()
    }

    /// As at the end of a worker. The environment has no users left afterwards.
    pub fn detach(&mut self) {
        self.env.silence();
        let Some(lease) = self.lease.take() else {
            return;
        };
        lease.detach(self.env.id());
        let env = self.env.clone();
        until("an environment that is let go", || {
            Arc::strong_count(&env) == 2
        });
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // a test that has failed already is not to hang or to abort on top of it
        if std::thread::panicking() {
            self.env.silence();
            std::mem::forget(self.lease.take());
        } else {
            self.detach();
        }
    }
}
