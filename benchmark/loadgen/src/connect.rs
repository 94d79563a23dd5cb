//! The connect mode: each slot opens a connection, closes it, and begins anew.

use std::os::fd::AsRawFd;
use std::rc::Rc;

use crate::event_loop::{EventLoop, Load};
use crate::histogram::Histogram;
use crate::options::Options;
use crate::report::Report;
use crate::server::Server;
use crate::sys::{Epoll, Ready};
use crate::tls;
use crate::visit::{Plan, Visit};
use crate::window::Window;

const READ_BUFFER: usize = 64 * 1024;

pub fn run(options: &Options) -> Result<Report, String> {
    let server = options.server_pid.map(Server::new).transpose()?;
    if let Some(server) = &server {
        server.reset_peak();
    }
    let mut events = EventLoop::new(options);
    let mut visitors = Visitors::new(options)?;
    visitors.start(options.conns)?;
    events.run_for(&mut visitors, options.warmup)?;
    visitors.reset();
    let window = Window::open(server.as_ref())?;
    events.run_for(&mut visitors, options.secs)?;
    let mut report = visitors.report(options);
    window.close(server.as_ref(), visitors.completed, "conn", &mut report)?;
    visitors.closing = true;
    events.run_until(&mut visitors, |this, _| this.waiting() == 0)?;
    report.integer("errors", 0);
    Ok(report)
}

struct Visitors {
    plan: Rc<Plan>,
    epoll: Epoll,
    /// The visit of each slot and whether the poll set asks for its writability.
    slots: Vec<Option<(Visit, bool)>>,
    begun: u64,
    /// No visit is begun any more.
    closing: bool,
    buffer: Vec<u8>,
    /// From the SYN to the end of the stream.
    life: Histogram,
    completed: u64,
}

impl Visitors {
    fn new(options: &Options) -> Result<Self, String> {
        Ok(Self {
            plan: Rc::new(Plan::new(
                options.server,
                options.tls.then(tls::config).transpose()?,
                options.echo.then_some(options.shape),
            )),
            epoll: Epoll::new().map_err(|error| format!("epoll: {error}"))?,
            slots: Vec::new(),
            begun: 0,
            closing: false,
            buffer: vec![0; READ_BUFFER],
            life: Histogram::new(),
            completed: 0,
        })
    }

    fn start(&mut self, slots: usize) -> Result<(), String> {
        self.slots.resize_with(slots, || None);
        (0..slots).try_for_each(|slot| self.begin(slot))
    }

    /// Forgets what was measured so far.
    fn reset(&mut self) {
        self.life.clear();
        self.completed = 0;
    }

    fn begin(&mut self, slot: usize) -> Result<(), String> {
        let visit = Visit::begin(&self.plan, self.begun)?;
        self.begun += 1;
        self.epoll
            .add(visit.as_raw_fd(), slot, true)
            .map_err(|error| format!("epoll: {error}"))?;
        self.slots[slot] = Some((visit, true));
        Ok(())
    }

    /// The visit of a slot is over: its socket is closed and the next one begins.
    fn end(&mut self, slot: usize) -> Result<(), String> {
        if let Some((visit, _)) = self.slots[slot].take() {
            self.life
                .record(visit.started().elapsed().as_nanos() as u64, 1);
            self.completed += 1;
        }
        if self.closing {
            return Ok(());
        }
        self.begin(slot)
    }

    fn report(&self, options: &Options) -> Report {
        let mut report = Report::default();
        report.text("mode", "connect");
        report.text("carrier", options.carrier());
        report.integer("conns", options.conns as u64);
        report.integer("echoes_per_conn", u64::from(options.echo));
        report.integer("completed", self.completed);
        report.latency(&self.life);
        report
    }
}

impl Load for Visitors {
    fn epoll(&mut self) -> &mut Epoll {
        &mut self.epoll
    }

    fn handle(&mut self, event: Ready) -> Result<(), String> {
        let slot = event.token;
        let Some((visit, polls_write)) = &mut self.slots[slot] else {
            return Ok(());
        };
        visit.handle(event, &mut self.buffer)?;
        if visit.is_over() {
            return self.end(slot);
        }
        let wants_write = visit.wants_write();
        if *polls_write != wants_write {
            *polls_write = wants_write;
            self.epoll
                .modify(visit.as_raw_fd(), slot, wants_write)
                .map_err(|error| format!("epoll: {error}"))?;
        }
        Ok(())
    }

    fn waiting(&self) -> usize {
        self.slots.iter().flatten().count()
    }
}
