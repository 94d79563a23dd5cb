//! The measured time of a run, and what the server and the generator used in it.

use std::time::Instant;

use crate::report::Report;
use crate::server::{CpuSample, Server};
use crate::sys;

pub struct Window {
    start: Instant,
    server_cpu: Option<CpuSample>,
    generator_cpu_ns: u64,
}

impl Window {
    pub fn open(server: Option<&Server>) -> Result<Self, String> {
        Ok(Self {
            start: Instant::now(),
            server_cpu: server.map(Server::sample_cpu).transpose()?,
            generator_cpu_ns: sys::thread_cpu_ns(),
        })
    }

    /// Reports the rate of the `count` things done, and the server's CPU time and memory. `unit` is
    /// what the fields call one of them.
    pub fn close(
        self,
        server: Option<&Server>,
        count: u64,
        unit: &str,
        report: &mut Report,
    ) -> Result<(), String> {
        let seconds = self.start.elapsed().as_secs_f64();
        let generator_cpu = (sys::thread_cpu_ns() - self.generator_cpu_ns) as f64;
        let server_cpu = server.map(Server::sample_cpu).transpose()?;
        report.number("secs", seconds);
        report.number(&format!("{unit}s_per_s"), count as f64 / seconds);
        report.number("generator_busy", generator_cpu / 1e9 / seconds);
        let (Some(server), Some(before), Some(after)) = (server, self.server_cpu, server_cpu)
        else {
            return Ok(());
        };
        let micros_each = |ns: u64| ns as f64 / 1e3 / count as f64;
        let groups = after.since(&before);
        let total: u64 = groups.values().sum();
        let mut threads = Report::default();
        for (name, ns) in &groups {
            threads.number(name, micros_each(*ns));
        }
        report.number("server_busy", total as f64 / 1e9 / seconds);
        report.number(&format!("cpu_us_per_{unit}"), micros_each(total));
        report.number(
            &format!("js_us_per_{unit}"),
            micros_each(groups.get("js").copied().unwrap_or(0)),
        );
        report.group(&format!("threads_us_per_{unit}"), threads);
        report.integer("rss_kib", server.rss_kib()?);
        report.integer("peak_rss_kib", server.peak_rss_kib()?);
        Ok(())
    }
}
