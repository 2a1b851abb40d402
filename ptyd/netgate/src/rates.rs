//! How often a rule has let something through.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// What rules let through in the last minute, by their layer and place.
#[derive(Default)]
pub struct Rates(Mutex<HashMap<(usize, usize), VecDeque<Instant>>>);

impl Rates {
    /// Whether a rule that lets `limit` through in a minute lets one more through now.
    pub fn admit(&self, rule: (usize, usize), limit: u32) -> bool {
        self.admit_at(rule, limit, Instant::now())
    }

    fn admit_at(&self, rule: (usize, usize), limit: u32, now: Instant) -> bool {
        let mut rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = rates.entry(rule).or_default();
        while passed
            .front()
            .is_some_and(|time| now.saturating_duration_since(*time) >= MINUTE)
        {
            passed.pop_front();
        }
        let admitted = passed.len() < limit as usize;
        if admitted {
            passed.push_back(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_lets_through_what_it_says_in_every_minute() {
        let (rates, now) = (Rates::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        let passed: Vec<bool> = [0, 1, 2, 59, 60, 61, 62]
            .map(|time| rates.admit_at((0, 1), 2, at(time)))
            .to_vec();
        assert_eq!(passed, [true, true, false, false, true, true, false]);
        assert!(rates.admit_at((0, 2), 2, at(2)), "another rule");
    }
}
