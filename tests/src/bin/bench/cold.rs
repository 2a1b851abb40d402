//! A host on which nothing of ours runs yet, and one on which nothing happens.

use std::time::Instant;

use agentsh_tests::bench::{Limit, Measured};
use agentsh_tests::{Result, User, World, enforced, fail};

use crate::pairs::{PAIRS, warm_world};

/// Milliseconds until the first command of a fresh world has ended: broker, session, sandbox.
pub fn first_command() -> Result<Vec<Measured>> {
    let mut results = Vec::new();
    // Root's session may have a wall in the kernel, a user's has none.
    for (user, work) in [
        (User::root(), "first command of a cold host, root"),
        (User::agent(), "first command of a cold host, a user"),
    ] {
        let limit = Limit {
            work,
            at_most: 150.0,
            unit: "ms",
        };
        let mut times = Vec::new();
        for _ in 0..PAIRS {
            let world = World::new(user.clone())?;
            let start = Instant::now();
            let outcome = world.shimmed("true")?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
            outcome.expect_success("the first command")?;
            enforced::prove(&world)?;
        }
        results.push(Measured::of(limit, &times));
    }
    Ok(results)
}

/// Private memory of the supervisor of a session in which commands have run and none runs, in MiB.
pub fn idle_memory() -> Result<Vec<Measured>> {
    let limit = Limit {
        work: "memory of an idle session (supervisor, private)",
        at_most: 12.0,
        unit: "MiB",
    };
    let mut sizes = Vec::new();
    for user in User::both() {
        let world = warm_world(user)?;
        for _ in 0..20 {
            world.shimmed("seq 20 | xargs -n 1 true")?.expect_success("some work")?;
        }
        let supervisors = world.supervisors();
        let [supervisor] = supervisors.as_slice() else {
            return Err(fail(format!("{supervisors:#?}")));
        };
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", supervisor.pid))?;
        let private = text.lines().filter(|line| line.starts_with("Private_"));
        let kib: f64 = private
            .filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok())
            .sum();
        sizes.push(kib / 1024.0);
    }
    Ok(vec![Measured::of(limit, &sizes)])
}
