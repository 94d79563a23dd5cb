//! When the bursts are due that are sent at intervals.

use std::time::{Duration, Instant};

/// The next due time of each connection. Those of all are spread over the interval.
pub struct Pace {
    interval: Duration,
    due: Vec<Instant>,
}

impl Pace {
    pub fn new(interval: Duration, connections: usize, start: Instant) -> Self {
        let offset = |index| interval.mul_f64(index as f64 / connections as f64);
        Self {
            interval,
            due: (0..connections)
                .map(|index| start + offset(index))
                .collect(),
        }
    }

    /// The time at which a burst of the connection has been due, if there is one that was not
    /// taken yet. None is left out: behind one that took long several are due.
    pub fn take(&mut self, connection: usize, now: Instant) -> Option<Instant> {
        let due = self.due[connection];
        (due <= now).then(|| {
            self.due[connection] = due + self.interval;
            due
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_burst_has_its_time() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut pace = Pace::new(Duration::from_millis(10), 2, start);
        assert_eq!(pace.take(0, start), Some(start));
        assert_eq!(pace.take(1, at(4)), None);
        assert_eq!(pace.take(1, at(5)), Some(at(5)));
        // The first connection was held up.
        assert_eq!(pace.take(0, at(29)), Some(at(10)));
        assert_eq!(pace.take(0, at(29)), Some(at(20)));
        assert_eq!(pace.take(0, at(29)), None);
    }
}
