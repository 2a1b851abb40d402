//! What the session's use of models has come to, and its limits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::usage::Usage;

/// Limits on the use of models; 0: none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests a minute.
    pub requests: u64,
    /// Tokens a minute.
    pub tokens: u64,
    /// Tokens a session.
    pub budget: u64,
}

impl Limits {
    /// Whether there is one on tokens.
    pub(super) fn count_tokens(&self) -> bool {
        self.tokens > 0 || self.budget > 0
    }
}

/// What one model was used.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelUse {
    /// Requests that left.
    pub requests: u64,
    /// Requests that a limit, or a finding, kept back.
    pub refused: u64,
    /// Answers that were errors.
    pub errors: u64,
    /// Tokens and price of all answers; the price of those that have one.
    pub usage: Usage,
    /// Answers without a known price.
    pub unpriced: u64,
    /// Findings, in both directions.
    pub found: u64,
}

/// Counts the use of models.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    models: BTreeMap<(String, String), ModelUse>,
    /// Requests of the last minute.
    requests: VecDeque<Instant>,
    /// Tokens of the last minute.
    tokens: VecDeque<(Instant, u64)>,
    /// Tokens of the session.
    spent: u64,
    /// Tokens that requests on their way may still use.
    expected: u64,
}

/// A limit is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    /// What the caller is told.
    pub message: String,
    /// After how long it may try again; `None`: never in this session.
    pub retry: Option<Duration>,
}

const MINUTE: Duration = Duration::from_secs(60);

/// Models that are told apart; more are counted together.
const MODELS: usize = 256;

impl Meter {
    pub(crate) fn new(limits: Limits) -> Meter {
        Meter {
            limits,
            state: Mutex::default(),
        }
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Provider, model and use, by name.
    pub fn models(&self) -> Vec<(String, String, ModelUse)> {
        let state = self.lock();
        let models = state.models.iter();
        models
            .map(|((provider, model), one)| (provider.clone(), model.clone(), one.clone()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets one request through, and counts it; until [`Meter::release`] it counts for as many tokens as are expected.
    pub(super) fn admit(&self, now: Instant, provider: &str, model: &str, expected: u64) -> Result<(), Reached> {
        let mut state = self.lock();
        state.forget(now);
        let reached = state.reached(now, self.limits);
        let one = state.model(provider, model);
        if let Some(reached) = reached {
            one.refused += 1;
            return Err(reached);
        }
        one.requests += 1;
        state.requests.push_back(now);
        state.expected = state.expected.saturating_add(expected);
        Ok(())
    }

    /// What was expected of a request that was let through is known by now.
    pub(super) fn release(&self, expected: u64) {
        let mut state = self.lock();
        state.expected = state.expected.saturating_sub(expected);
    }

    /// Counts a request that something else kept back.
    pub(super) fn refuse(&self, provider: &str, model: &str, found: u64) {
        let mut state = self.lock();
        let one = state.model(provider, model);
        one.refused += 1;
        one.found += found;
    }

    /// Counts an answer; `asked` is the model that [`Meter::admit`] was told.
    pub(super) fn spend(&self, now: Instant, (provider, asked): (&str, &str), usage: &Usage, failed: bool, found: u64) {
        let mut state = self.lock();
        state.spent += usage.total();
        if self.limits.tokens > 0 && usage.total() > 0 {
            state.tokens.push_back((now, usage.total()));
        }
        let one = state.model(provider, asked);
        one.errors += u64::from(failed);
        one.found += found;
        let sum = &mut one.usage;
        sum.input += usage.input;
        sum.output += usage.output;
        sum.cached += usage.cached;
        sum.written += usage.written;
        sum.estimated |= usage.estimated && usage.total() > 0;
        match usage.cost {
            Some(cost) => sum.cost = Some(sum.cost.unwrap_or(0.0) + cost),
            None => one.unpriced += u64::from(usage.total() > 0),
        }
    }
}

impl State {
    fn model(&mut self, provider: &str, model: &str) -> &mut ModelUse {
        let key = (provider.to_owned(), model.to_owned());
        let key = match self.models.len() < MODELS || self.models.contains_key(&key) {
            true => key,
            false => (provider.to_owned(), "others".to_owned()),
        };
        self.models.entry(key).or_default()
    }

    fn forget(&mut self, now: Instant) {
        let old = |then: Instant| now.saturating_duration_since(then) >= MINUTE;
        while self.requests.front().is_some_and(|then| old(*then)) {
            self.requests.pop_front();
        }
        while self.tokens.front().is_some_and(|(then, _)| old(*then)) {
            self.tokens.pop_front();
        }
    }

    fn reached(&self, now: Instant, limits: Limits) -> Option<Reached> {
        let wait = |then: Option<Instant>| {
            then.map(|then| (MINUTE - now.saturating_duration_since(then).min(MINUTE)).max(Duration::from_secs(1)))
        };
        if limits.budget > 0 && self.spent >= limits.budget {
            let message = format!(
                "the session's budget of {} tokens is spent ({} used)",
                limits.budget, self.spent
            );
            return Some(Reached { message, retry: None });
        }
        if limits.requests > 0 && self.requests.len() as u64 >= limits.requests {
            let message = format!(
                "the session's limit of {} requests a minute is reached",
                limits.requests
            );
            let retry = wait(self.requests.front().copied());
            return Some(Reached { message, retry });
        }
        let tokens: u64 = self.tokens.iter().map(|(_, tokens)| tokens).sum();
        // One at a time is always let through: what it uses is not known before.
        let full = |limit: u64, used: u64| limit > 0 && used.saturating_add(self.expected) >= limit;
        if self.expected > 0 && (full(limits.budget, self.spent) || full(limits.tokens, tokens)) {
            let message = format!(
                "requests on their way may use {} tokens more, and the session's limit would be reached",
                self.expected
            );
            let retry = Some(Duration::from_secs(1));
            return Some(Reached { message, retry });
        }
        if limits.tokens > 0 && tokens >= limits.tokens {
            let message = format!(
                "the session's limit of {} tokens a minute is reached ({tokens} used)",
                limits.tokens
            );
            let retry = wait(self.tokens.front().map(|(then, _)| *then));
            return Some(Reached { message, retry });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(input: u64, output: u64, cost: Option<f64>) -> Usage {
        Usage {
            input,
            output,
            cost,
            ..Usage::default()
        }
    }

    #[test]
    fn each_limit_holds_and_time_lifts_those_of_a_minute() {
        let limits = Limits {
            requests: 2,
            tokens: 100,
            budget: 250,
        };
        let (meter, start) = (Meter::new(limits), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let refused = |seconds| meter.admit(at(seconds), "p", "m", 0).err().map(|reached| reached.retry);
        assert_eq!(refused(0), None);
        assert_eq!(refused(10), None);
        assert_eq!(refused(20), Some(Some(Duration::from_secs(40))));
        meter.spend(at(30), ("p", "m"), &used(60, 60, None), false, 0);
        assert_eq!(refused(61), Some(Some(Duration::from_secs(29))));
        assert_eq!(refused(91), None);
        meter.spend(at(92), ("p", "m"), &used(130, 0, Some(0.5)), true, 2);
        assert_eq!(refused(500), Some(None));
        let (_, _, one) = meter.models().remove(0);
        assert_eq!(
            (one.requests, one.refused, one.errors, one.unpriced, one.found),
            (3, 3, 1, 1, 2)
        );
        assert_eq!(
            (one.usage.input, one.usage.output, one.usage.cost),
            (190, 60, Some(0.5))
        );
    }

    #[test]
    fn requests_at_the_same_time_do_not_get_past_a_limit_together() {
        for limits in [(0, 100), (100, 0)] {
            let (tokens, budget) = limits;
            let requests = 0;
            let meter = Meter::new(Limits {
                requests,
                tokens,
                budget,
            });
            let (now, moment) = (Instant::now(), Some(Some(Duration::from_secs(1))));
            let refused = |expected| meter.admit(now, "p", "m", expected).err().map(|reached| reached.retry);
            assert_eq!(refused(1_000), None);
            assert_eq!(refused(1), moment);
            meter.release(1_000);
            assert_eq!(refused(60), None);
            assert_eq!(refused(60), None);
            assert_eq!(refused(60), moment);
            meter.spend(now, ("p", "m"), &used(10, 10, None), false, 0);
            meter.release(60);
            assert_eq!(refused(60), None);
        }
    }

    #[test]
    fn names_of_models_without_end_are_counted_together() {
        let meter = Meter::new(Limits::default());
        for number in 0..1000 {
            assert_eq!(meter.admit(Instant::now(), "p", &number.to_string(), 9), Ok(()));
        }
        let models = meter.models();
        assert_eq!(models.len(), MODELS + 1);
        assert_eq!(models.iter().map(|(_, _, one)| one.requests).sum::<u64>(), 1000);
    }
}
