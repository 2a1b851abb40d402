//! One judged call of each kind, beyond what the call takes by itself; and the matcher alone.

use std::hint::black_box;
use std::time::Instant;

use agentsh_policy::{CommandQuery, FileOp, Variables};
use agentsh_tests::bench::{Limit, Measured};
use agentsh_tests::shell::Subject;
use agentsh_tests::{Result, Shell, User, World, enforced, fail};

use crate::pairs::{PAIRS, warm_world};

/// Microseconds that a judged exec, signal and connect take more than the same unjudged.
pub fn calls() -> Result<Vec<Measured>> {
    let world = warm_world(User::agent())?;
    let mut results = Vec::new();
    for (kind, work, at_most, count) in [
        ("exec", "a judged exec, beyond its own time", 400.0, 200),
        ("signal", "a judged signal to a child, beyond its own time", 60.0, 2_000),
        (
            "connect",
            "a judged connect to a socket, beyond its own time",
            60.0,
            2_000,
        ),
    ] {
        let limit = Limit {
            work,
            at_most,
            unit: "µs",
        };
        let mut differences = Vec::new();
        for _ in 0..PAIRS {
            let native = median(&world, &Subject::Real, kind, count)?;
            differences.push((median(&world, &Subject::shims(), kind, count)? - native) / 1e3);
        }
        results.push(Measured::of(limit, &differences));
    }
    enforced::prove(&world)?;
    Ok(results)
}

/// Nanoseconds of the median call of this kind, made below a shell.
fn median(world: &World, subject: &Subject, kind: &str, count: u32) -> Result<f64> {
    let probe = world.helper("probe");
    let text = format!("{} call {kind} {count}", probe.display());
    let outcome = Shell::named("bash").args(["-c", &text]).run_with(world, subject)?;
    outcome.expect_success("timed calls")?;
    outcome
        .out()
        .trim()
        .parse()
        .map_err(|error| fail(format!("{error}: {outcome:?}")))
}

/// Microseconds of the matcher with this many rules, of which the last matches.
pub fn matcher() -> Result<Vec<Measured>> {
    let mut results = Vec::new();
    for (count, file, command) in [
        (10, "matcher: a file, 10 rules", "matcher: a command, 10 rules"),
        (1_000, "matcher: a file, 1,000 rules", "matcher: a command, 1,000 rules"),
        (
            10_000,
            "matcher: a file, 10,000 rules",
            "matcher: a command, 10,000 rules",
        ),
    ] {
        let policy = policy(count)?;
        let path = format!("/srv/data/{}/x/y", count - 1).into_bytes();
        let program = format!("/opt/tools/tool{}", count - 1).into_bytes();
        let rule = format!("f{}", count - 1);
        if policy.file(FileOp::Read, &path).rule != Some(rule.as_str()) {
            return Err(fail("the wrong rule wins"));
        }
        let of_file = sampled(|| {
            black_box(policy.file(FileOp::Read, black_box(&path)));
        });
        let query = CommandQuery {
            program: &program,
            called: &program,
            args: &[b"--all", b"x"],
            depth: 1,
        };
        let of_command = sampled(|| {
            black_box(policy.command(black_box(&query)));
        });
        for (work, values) in [(file, of_file), (command, of_command)] {
            let limit = Limit {
                work,
                at_most: 10.0,
                unit: "µs",
            };
            results.push(Measured::of(limit, &values));
        }
    }
    Ok(results)
}

/// Microseconds a call, of forty batches.
fn sampled(mut call: impl FnMut()) -> Vec<f64> {
    const BATCH: u32 = 1_000;
    let batch = |_| {
        let start = Instant::now();
        (0..BATCH).for_each(|_| call());
        start.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH)
    };
    (0..40).map(batch).collect()
}

fn policy(count: usize) -> Result<agentsh_policy::Policy> {
    let mut text = String::from("version: 1\nname: many\nfile_rules:\n");
    for n in 0..count {
        text += &format!("  - {{name: f{n}, paths: [\"/srv/data/{n}/**\"], decision: allow}}\n");
    }
    text += "command_rules:\n";
    for n in 0..count {
        text += &format!(
            "  - {{name: c{n}, commands: [\"/opt/tools/tool{n}\"], args_patterns: [\"^--all\"], decision: allow}}\n"
        );
    }
    let variables = Variables {
        home: b"/home/u".to_vec(),
        ..Variables::default()
    };
    let read = agentsh_policy::parse(&text, std::path::Path::new("many.yaml"));
    let resolved = read.and_then(|document| document.resolve(&variables));
    resolved.map_err(|error| fail(error.to_string()))
}
