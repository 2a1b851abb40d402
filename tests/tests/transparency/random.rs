//! Starts that nobody thought of: random ones, each compared with the real shell's.
//!
//! A run tries the same few dozen each time; `AGENTSH_RANDOM_SECONDS=3600` goes on with new ones for an hour, from
//! `AGENTSH_RANDOM_FROM` on if that is set.

use std::time::{Duration, Instant};

use agentsh_tests::shell::Subject;
use agentsh_tests::{Result, User, World, compare, enforced, fail, random};

/// Starts of a usual run.
const STARTS: u64 = 60;

/// After how many starts it is proven that policy still holds.
const PROVE_EVERY: u64 = 10;

/// At most one start of so many may be one in which the real shell varies.
const MOST_DOUBTFUL: usize = 20;

fn number(variable: &str) -> Result<Option<u64>> {
    match std::env::var(variable) {
        Ok(text) => Ok(Some(text.parse()?)),
        Err(_) => Ok(None),
    }
}

fn starts(user: User) -> Result {
    let until = number("AGENTSH_RANDOM_SECONDS")?.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let from = number("AGENTSH_RANDOM_FROM")?.unwrap_or(0);
    let world = World::new(user)?;
    enforced::control(&world)?;
    enforced::prove(&world)?;
    let root = world.user().uid == 0;
    let (mut failed, mut ran, mut doubtful) = (Vec::new(), 0, Vec::new());
    for seed in from.. {
        if until.map_or(seed >= from + STARTS, |until| Instant::now() > until) {
            break;
        }
        let case = random::case(seed, root);
        if !case.is_possible()? {
            break;
        }
        ran += 1;
        if let Err(error) = compare::same(&case, &world, &Subject::shims()) {
            match compare::varies(&case, &world).unwrap_or(true) {
                // What the real shell itself does in two ways proves nothing.
                true => doubtful.push(case.name),
                false => failed.push(format!("{error}\n{}", case.shell)),
            }
        }
        if (seed + 1) % PROVE_EVERY == 0 {
            enforced::prove(&world)?;
        }
    }
    if failed.is_empty() && doubtful.len() * MOST_DOUBTFUL <= ran {
        return Ok(());
    }
    Err(fail(format!(
        "{ran} starts; the real shell varies in {doubtful:?}; {} differ:\n{}",
        failed.len(),
        failed.join("\n")
    )))
}

#[test]
fn no_random_start_tells_the_shells_apart_for_root() -> Result {
    starts(User::root())
}

#[test]
fn no_random_start_tells_the_shells_apart_for_a_user() -> Result {
    starts(User::agent())
}
