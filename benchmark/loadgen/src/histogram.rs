//! A log-linear histogram: 128 buckets for each power of two, so a value is off by less than 1 %.

const PRECISION_BITS: u32 = 7;
const SUB_BUCKETS: usize = 1 << PRECISION_BITS;
const BUCKETS: usize = (64 - PRECISION_BITS as usize + 1) * SUB_BUCKETS;

pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Histogram {
    pub fn new() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
            max: 0,
        }
    }

    pub fn record(&mut self, value: u64, times: u64) {
        self.counts[bucket(value)] += times;
        self.total += times;
        self.max = self.max.max(value);
    }

    pub fn clear(&mut self) {
        *self = Self::new();
    }

    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that a share `q` (0 to 1) of the records does not exceed; 0 without records.
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = ((self.total as f64 * q).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= rank {
                return upper_bound(index).min(self.max);
            }
        }
        self.max
    }
}

fn bucket(value: u64) -> usize {
    let magnitude = 63 - (value | 1).leading_zeros();
    let shift = magnitude.saturating_sub(PRECISION_BITS);
    shift as usize * SUB_BUCKETS + (value >> shift) as usize
}

fn upper_bound(index: usize) -> u64 {
    if index < 2 * SUB_BUCKETS {
        return index as u64;
    }
    let shift = index / SUB_BUCKETS - 1;
    let leading = (index - shift * SUB_BUCKETS) as u128;
    (((leading + 1) << shift) - 1).min(u64::MAX as u128) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_a_bucket_less_than_one_percent_wide() {
        for value in (0..64).flat_map(|bit| [1u64 << bit, (1 << bit) + (1 << bit) / 3, u64::MAX]) {
            let upper = upper_bound(bucket(value));
            assert!(upper >= value, "{value} above its bucket's bound {upper}");
            assert!(
                upper - value <= value / 100,
                "{value} in a bucket up to {upper}"
            );
        }
    }

    #[test]
    fn quantiles_of_a_ramp() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|value| histogram.record(value, 1));
        assert!((495..=505).contains(&histogram.quantile(0.5)));
        assert!((985..=1000).contains(&histogram.quantile(0.99)));
        assert_eq!(histogram.quantile(1.0), 1000);
        assert_eq!(Histogram::new().quantile(0.5), 0);
    }
}
