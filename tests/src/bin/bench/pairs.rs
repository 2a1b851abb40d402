//! Interleaved pairs: the same starts with the real shell and with the stand-in, timed by a small program that does
//! nothing else.

use agentsh_tests::bench::{Limit, Measured};
use agentsh_tests::shell::Subject;
use agentsh_tests::{Result, Shell, User, World, enforced, fail};

/// At least so many pairs.
pub const PAIRS: usize = 15;

/// A world in which the workspace's session stands.
pub fn warm_world(user: User) -> Result<World> {
    let world = World::new(user)?;
    enforced::control(&world)?;
    enforced::prove(&world)?;
    Ok(world)
}

/// Nanoseconds that `count` starts of these words take, one after the other.
pub fn time(world: &World, subject: &Subject, count: usize, words: &[&str]) -> Result<f64> {
    let shell = Shell::program(world.helper("probe"))
        .args(["time", &count.to_string()])
        .args(words);
    let outcome = shell.run_with(world, subject)?;
    outcome.expect_success("a timed run")?;
    outcome
        .out()
        .trim()
        .parse()
        .map_err(|error| fail(format!("{error}: {outcome:?}")))
}

/// The ratio of `bash -c TEXT` through the stand-in to the same with the real bash.
pub fn ratio(world: &World, limit: Limit, count: usize, text: &str) -> Result<Measured> {
    let words = ["@bash@", "-c", text];
    // The first of each kind fills caches and is not counted.
    time(world, &Subject::Real, 1, &words)?;
    time(world, &Subject::shims(), 1, &words)?;
    let mut ratios = Vec::new();
    for pair in 0..PAIRS {
        // Which goes first alternates, so that a drift of the machine favours neither.
        let order = if pair % 2 == 0 {
            [Subject::Real, Subject::shims()]
        } else {
            [Subject::shims(), Subject::Real]
        };
        let first = time(world, &order[0], count, &words)?;
        let second = time(world, &order[1], count, &words)?;
        ratios.push(if pair % 2 == 0 { second / first } else { first / second });
    }
    enforced::prove(world)?;
    Ok(Measured::of(limit, &ratios))
}
