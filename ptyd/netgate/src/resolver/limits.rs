//! What a session may ask for: enough for every program, too little to carry anything out in names.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Names that were asked for before cost little; so many are remembered.
const SEEN: usize = 16_384;

/// So many registered domains are counted apart.
const PARENTS: usize = 4_096;

/// Tokens that come back with time.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// How much a bucket holds, and how much comes back in a second.
#[derive(Debug, Clone, Copy)]
struct Size {
    most: f64,
    per_second: f64,
}

/// Queries of any kind.
const QUERIES: Size = Size {
    most: 500.0,
    per_second: 100.0,
};
/// Bytes of new names below one registered domain: some sixty names at once, then about half a kilobyte a minute.
const OF_ONE: Size = Size {
    most: 2_048.0,
    per_second: 8.0,
};
/// Bytes of new names altogether.
const OF_ALL: Size = Size {
    most: 32_768.0,
    per_second: 64.0,
};

/// What a new name costs beside its length, so that many short ones are no cheaper.
const NAME: f64 = 24.0;

impl Bucket {
    fn full(size: Size, now: Instant) -> Bucket {
        Bucket {
            tokens: size.most,
            at: now,
        }
    }

    fn fill(&mut self, size: Size, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * size.per_second).min(size.most);
        self.at = now;
    }
}

/// What became of one registered domain's share.
struct Parent {
    bucket: Bucket,
    /// How many names and types below it were let out.
    known: usize,
}

struct State {
    queries: Bucket,
    all: Bucket,
    parents: HashMap<Box<str>, Parent>,
    seen: HashSet<u64>,
}

/// What may become of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It goes out.
    Goes,
    /// It was asked before, and is answered as then: nobody outside is to hear of it.
    Again,
    /// It is refused.
    No,
}

/// The budgets of one session.
pub(super) struct Limits {
    state: Mutex<State>,
    hasher: RandomState,
}

impl Limits {
    pub fn new(now: Instant) -> Limits {
        let state = State {
            queries: Bucket::full(QUERIES, now),
            all: Bucket::full(OF_ALL, now),
            parents: HashMap::new(),
            seen: HashSet::new(),
        };
        Limits {
            state: Mutex::new(state),
            hasher: RandomState::new(),
        }
    }

    /// Whether a query for `name` (lower case, without a dot at its end) goes out. `weight`: how much more than an
    /// address its answer can carry in.
    pub fn admit(&self, name: &str, kind: u16, weight: f64, now: Instant) -> Admission {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let hash = self.hasher.hash_one((name, kind));
        let seen = state.seen.contains(&hash);
        let beyond = if seen { Admission::Again } else { Admission::No };
        state.queries.fill(QUERIES, now);
        if state.queries.tokens < 1.0 {
            return beyond;
        }
        state.queries.tokens -= 1.0;
        let parent = parent(name);
        state.all.fill(OF_ALL, now);
        if !state.parents.contains_key(parent) && state.parents.len() >= PARENTS {
            state.parents.retain(|_, parent| {
                parent.bucket.fill(OF_ONE, now);
                parent.bucket.tokens < OF_ONE.most
            });
            if state.parents.len() >= PARENTS {
                return beyond;
            }
        }
        let one = state.parents.entry(parent.into()).or_insert_with(|| Parent {
            bucket: Bucket::full(OF_ONE, now),
            known: 0,
        });
        one.bucket.fill(OF_ONE, now);
        let (of_one, of_all) = match seen {
            // Which of those that were asked before it is can say something, too.
            true => (choice(one.known), choice(state.seen.len())),
            // Below a name's registered domain is what can carry something.
            false => {
                let cost = ((name.len() - parent.len()) as f64 + NAME) * weight;
                (cost, cost)
            }
        };
        if one.bucket.tokens < of_one || state.all.tokens < of_all {
            return beyond;
        }
        one.bucket.tokens -= of_one;
        state.all.tokens -= of_all;
        if !seen {
            one.known += 1;
            if state.seen.len() >= SEEN {
                state.seen.clear();
            }
            state.seen.insert(hash);
        }
        Admission::Goes
    }
}

/// The bytes that one of so many can say, and that it comes now.
fn choice(of: usize) -> f64 {
    (of as f64).log2().max(1.0) / 8.0
}

/// The registered domain of a name, near enough: its last two labels, or three under a registry such as `co.uk`.
fn parent(name: &str) -> &str {
    let mut dots = name.rmatch_indices('.').map(|(at, _)| at);
    let (Some(last), Some(second)) = (dots.next(), dots.next()) else {
        return name;
    };
    let (top, middle) = (name.len() - last - 1, last - second - 1);
    match (top == 2 && middle <= 3, dots.next()) {
        (true, Some(third)) => &name[third + 1..],
        (true, None) => name,
        (false, _) => &name[second + 1..],
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_are_counted_by_what_somebody_can_own() {
        assert_eq!(parent("a.b.example.org"), "example.org");
        assert_eq!(parent("example.org"), "example.org");
        assert_eq!(parent("a.b.example.co.uk"), "example.co.uk");
        assert_eq!(parent("example.co.uk"), "example.co.uk");
        assert_eq!(parent("localhost"), "localhost");
    }

    #[test]
    fn a_flood_of_names_below_one_domain_dries_up_and_others_go_on() {
        let now = Instant::now();
        let limits = Limits::new(now);
        let name = |number: u32| format!("{number:032x}.evil.example");
        // Ten thousand names, one each ten milliseconds.
        let at = |number: u32| now + Duration::from_millis(u64::from(number) * 10);
        let goes = |name: &str, at| limits.admit(name, 1, 1.0, at) == Admission::Goes;
        let passed = (0..10_000).filter(|number| goes(&name(*number), at(*number))).count();
        assert!((30..60).contains(&passed), "{passed}");
        assert!(goes("good.example.org", at(10_000)));
        assert!(goes(&name(0), at(10_000)), "what was asked for before");
    }

    #[test]
    fn many_domains_dry_up_together() {
        let now = Instant::now();
        let limits = Limits::new(now);
        let passed = (0..10_000)
            .filter(|number| limits.admit(&format!("x.e{number}.example"), 1, 1.0, now) == Admission::Goes)
            .count();
        assert!(passed <= 500, "{passed}");
    }

    /// One program that asks for its two addresses again and again, and one that spells something out with the names
    /// that it was once told.
    #[test]
    fn who_repeats_itself_says_little_by_that() {
        let now = Instant::now();
        let seconds = |number: u32| now + Duration::from_secs(u64::from(number / 50));
        let limits = Limits::new(now);
        let plain =
            (0..20_000u32).map(|number| limits.admit("www.example.org", (number % 2) as u16, 1.0, seconds(number)));
        assert!(plain.into_iter().all(|one| one == Admission::Goes));
        let limits = Limits::new(now);
        let name = |number: u32| format!("n{}.evil.example", number % 64);
        let spelled: Vec<Admission> = (0..20_000)
            .map(|number| limits.admit(&name(number), 1, 1.0, seconds(number)))
            .collect();
        let goes = spelled.iter().filter(|one| **one == Admission::Goes).count();
        // What the share of one domain and eight bytes a second are good for, at six bits each.
        assert!((4_000..7_500).contains(&goes), "{goes}");
        assert!(spelled.iter().all(|one| *one != Admission::No));
    }
}
