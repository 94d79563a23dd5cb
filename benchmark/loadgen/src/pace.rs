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

    /// If a burst of the connection is due: since when. `held_up`: it had to wait for the echoes of
    /// the one before, and none is left out however many are due by now. Otherwise it is the
    /// generator that comes late, to one burst or to several, which says nothing about the server.
    pub fn take(&mut self, connection: usize, now: Instant, held_up: bool) -> Option<Instant> {
        let due = &mut self.due[connection];
        let late = now.checked_duration_since(*due)?;
        if held_up {
            let since = *due;
            *due += self.interval;
            return Some(since);
        }
        let missed = late.as_nanos() / self.interval.as_nanos();
        *due += self.interval * (missed as u32 + 1);
        Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn due_times_are_spread_and_come_again() {
        let start = Instant::now();
        let mut pace = Pace::new(Duration::from_millis(10), 2, start);
        assert_eq!(pace.take(0, start, false), Some(start));
        assert_eq!(pace.take(0, at(start, 9), false), None);
        assert_eq!(pace.take(1, at(start, 4), false), None);
        assert_eq!(pace.take(1, at(start, 5), false), Some(at(start, 5)));
        assert_eq!(pace.take(0, at(start, 10), false), Some(at(start, 10)));
    }

    #[test]
    fn what_the_server_held_up_is_sent_later_and_counts_from_its_time() {
        let start = Instant::now();
        let mut pace = Pace::new(Duration::from_millis(10), 1, start);
        let now = at(start, 19);
        assert_eq!(pace.take(0, now, true), Some(start));
        assert_eq!(pace.take(0, now, true), Some(at(start, 10)));
        assert_eq!(pace.take(0, now, true), None);
    }

    #[test]
    fn what_the_generator_missed_is_left_out() {
        let start = Instant::now();
        let mut pace = Pace::new(Duration::from_millis(10), 1, start);
        let now = at(start, 2015);
        assert_eq!(pace.take(0, now, false), Some(now));
        assert_eq!(pace.take(0, now, true), None);
        assert_eq!(pace.take(0, at(start, 2021), true), Some(at(start, 2020)));
    }
}
