//! The server under test, seen through /proc.

use std::collections::BTreeMap;
use std::fs;

/// CPU time of each thread that was alive, in nanoseconds.
pub struct CpuSample {
    threads: BTreeMap<u32, (String, u64)>,
}

pub struct Server {
    pid: u32,
}

impl Server {
    pub fn new(pid: u32) -> Result<Self, String> {
        let server = Self { pid };
        server.rss_kib()?;
        Ok(server)
    }

    /// Makes `peak_rss_kib` count from now on. Where the kernel forbids it the peak is that of
    /// the process's whole life.
    pub fn reset_peak(&self) {
        let _ = fs::write(format!("/proc/{}/clear_refs", self.pid), "5");
    }

    pub fn rss_kib(&self) -> Result<u64, String> {
        self.status("VmRSS:")
    }

    pub fn peak_rss_kib(&self) -> Result<u64, String> {
        self.status("VmHWM:")
    }

    fn status(&self, field: &str) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.pid);
        let status = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| format!("{path} has no {field}"))
    }

    pub fn sample_cpu(&self) -> Result<CpuSample, String> {
        let path = format!("/proc/{}/task", self.pid);
        let tasks = fs::read_dir(&path).map_err(|error| format!("{path}: {error}"))?;
        let mut threads = BTreeMap::new();
        for task in tasks.flatten() {
            // A thread may end between the listing and the reading.
            let (Some(tid), Ok(stat), Ok(comm)) = (
                task.file_name().to_str().and_then(|name| name.parse().ok()),
                fs::read_to_string(task.path().join("schedstat")),
                fs::read_to_string(task.path().join("comm")),
            ) else {
                continue;
            };
            let on_cpu = stat
                .split_whitespace()
                .next()
                .and_then(|ns| ns.parse().ok());
            let on_cpu = on_cpu.ok_or_else(|| format!("{path}/{tid}/schedstat: {stat:?}"))?;
            let name = if tid == self.pid {
                "js"
            } else {
                group(comm.trim())
            };
            threads.insert(tid, (name.to_owned(), on_cpu));
        }
        Ok(CpuSample { threads })
    }
}

impl CpuSample {
    /// Nanoseconds used since `earlier`, by group of threads; "js" is the main thread.
    pub fn since(&self, earlier: &CpuSample) -> BTreeMap<String, u64> {
        let mut groups = BTreeMap::new();
        for (tid, (name, now)) in &self.threads {
            let before = earlier.threads.get(tid).map_or(0, |(_, before)| *before);
            *groups.entry(name.clone()).or_default() += now.saturating_sub(before);
        }
        groups
    }
}

/// A thread's name without its number: "hawser-io-3" and "hawser-io-4" are one group.
fn group(comm: &str) -> &str {
    let group =
        comm.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '#' | ' ' | ':'));
    if group.is_empty() { comm } else { group }
}
