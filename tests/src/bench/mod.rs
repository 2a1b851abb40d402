//! Numbers with their uncertainty: what a limit is held against.

mod statistics;

pub use statistics::{Interval, interval_of_median};

/// A number that the product promises.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub work: &'static str,
    pub at_most: f64,
    /// `×` for a ratio to the same work without agentsh, else what is counted.
    pub unit: &'static str,
}

/// A limit with what was measured.
#[derive(Debug, Clone)]
pub struct Measured {
    pub limit: Limit,
    pub median: f64,
    /// The 95 % interval of the median.
    pub interval: Interval,
    pub samples: usize,
}

impl Measured {
    /// From one value a pair (a ratio) or a sample.
    pub fn of(limit: Limit, values: &[f64]) -> Measured {
        let (median, interval) = interval_of_median(values);
        Measured {
            limit,
            median,
            interval,
            samples: values.len(),
        }
    }

    /// Held if the lower end of the interval is under the limit.
    pub fn is_held(&self) -> bool {
        self.interval.low <= self.limit.at_most
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Limit { work, at_most, unit } = self.limit;
        let held = match (at_most.is_finite(), self.is_held()) {
            (false, _) => "informs",
            (true, true) => "held",
            (true, false) => "MISSED",
        };
        let at_most = if at_most.is_finite() {
            format!("{at_most:.2}")
        } else {
            "none".to_owned()
        };
        write!(
            f,
            "{work:<58} {at_most:>7} {unit:<3} {:>8.3}   [{:.3}, {:.3}] n={:<3} {held}",
            self.median, self.interval.low, self.interval.high, self.samples
        )
    }
}
