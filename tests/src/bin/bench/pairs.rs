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
    let measured = compare(
        world,
        limit,
        count,
        [(&Subject::Real, &words), (&Subject::shims(), &words)],
    )?;
    enforced::prove(world)?;
    Ok(measured)
}

/// The same under a supervisor that lets every open go on and looks at nothing: what this machine makes of being asked.
pub fn floor(world: &World, limit: Limit, text: &str) -> Result<Measured> {
    let words = ["@bash@", "-c", text];
    let probe = world.helper("probe").to_string_lossy().into_owned();
    let supervised = [&[&*probe, "under-nobody"], &words[..]].concat();
    compare(
        world,
        limit,
        1,
        [(&Subject::Real, &words), (&Subject::Real, &supervised)],
    )
}

/// The ratio of the second to the first.
fn compare(world: &World, limit: Limit, count: usize, both: [(&Subject, &[&str]); 2]) -> Result<Measured> {
    // The first of each kind fills caches and is not counted.
    for (subject, words) in both {
        time(world, subject, 1, words)?;
    }
    let mut ratios = Vec::new();
    for pair in 0..PAIRS {
        // Which goes first alternates, so that a drift of the machine favours neither.
        let swapped = pair % 2 == 1;
        let order = if swapped { [both[1], both[0]] } else { both };
        let first = time(world, order[0].0, count, order[0].1)?;
        let second = time(world, order[1].0, count, order[1].1)?;
        ratios.push(if swapped { first / second } else { second / first });
    }
    Ok(Measured::of(limit, &ratios))
}
