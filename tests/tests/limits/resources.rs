//! Memory, processes, processor.

use agentsh_tests::shell::Ended;
use agentsh_tests::{Result, User, World, fail, session, skips};

use crate::delegated::Delegated;
use crate::{limited, reached};

/// Takes 400 MB, page by page.
const HOG: &str = "x = bytearray(400 << 20)\nfor at in range(0, len(x), 4096): x[at] = 1\nprint('all of it')";

/// Starts processes until no more are given, and says how many there were.
const BOMB: &str = "import os, signal, time
children = []
for _ in range(400):
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        time.sleep(600)
    children.append(child)
for child in children:
    os.kill(child, signal.SIGKILL)
print(len(children))";

/// Uses half a second of a processor.
const BURN: &str = "import time\nwhile time.process_time() < 0.5: pass\nprint('done')";

/// The worlds in which groups can be made: root's, and one of a user who was given some.
fn grouped(name: &str, check: impl Fn(&World) -> Result) -> Result {
    check(&World::new(User::root())?)?;
    let world = World::new(User::agent())?;
    let Some(_delegated) = Delegated::to(world.user(), &["memory", "pids", "cpu"])? else {
        return skips::skip(name, "no v1 controllers to give to a user");
    };
    check(&world)?;
    drop(world);
    Ok(())
}

fn says(lines: &[String], key: &str) -> bool {
    lines.iter().any(|line| line.contains(key))
}

#[test]
fn a_process_that_takes_too_much_memory_is_killed_and_the_limit_is_named() -> Result {
    grouped("limits-memory", |world| {
        let info = limited(world, "max_memory_mb: 64")?;
        if says(&info.not_held, "max_memory_mb") {
            return Err(fail(format!("not held: {:?}", info.not_held)));
        }
        let outcome = session::run(world, &info.id, &["python3", "-c", HOG])?;
        let killed = matches!(
            outcome.ended,
            Ended::Signal {
                number: libc::SIGKILL,
                ..
            }
        );
        if !killed || outcome.out().contains("all of it") {
            return Err(fail(format!("the hog was not stopped: {outcome:?}")));
        }
        let event = reached(world, "max_memory_mb")?;
        match event.fields.get("value").and_then(serde_json::Value::as_u64) {
            Some(value) if value == 64 << 20 => Ok(()),
            other => Err(fail(format!("the event says {other:?}"))),
        }
    })
}

#[test]
fn the_limit_is_the_commands_and_not_one_processs() -> Result {
    grouped("limits-memory-tree", |world| {
        let info = limited(world, "max_memory_mb: 64")?;
        let text = "for i in 1 2 3 4; do python3 -c 'import time; x = bytearray(b\"x\") * (30 << 20); time.sleep(600)' & done; wait -n; kill $(jobs -p) 2>/dev/null; echo over";
        session::run(world, &info.id, &["bash", "-c", text])?;
        reached(world, "max_memory_mb").map(drop)
    })
}

#[test]
fn a_fork_bomb_ends_at_the_limit() -> Result {
    grouped("limits-pids", |world| {
        let info = limited(world, "pids_max: 40")?;
        let outcome = session::run(world, &info.id, &["python3", "-c", BOMB])?;
        let started: u32 = outcome.out().trim().parse().map_err(|_| fail(format!("{outcome:?}")))?;
        if started == 0 || started >= 40 {
            return Err(fail(format!("{started} processes were started")));
        }
        reached(world, "pids_max").map(drop)
    })
}

#[test]
fn a_busy_command_is_held_back() -> Result {
    grouped("limits-cpu", |world| {
        let info = limited(world, "cpu_quota_percent: 10")?;
        session::run(world, &info.id, &["python3", "-c", BURN])?.expect_success("burn")?;
        reached(world, "cpu_quota_percent").map(drop)
    })
}

#[test]
fn without_groups_each_process_is_limited_and_that_is_said() -> Result {
    let world = World::new(User::agent())?;
    let info = limited(&world, "max_memory_mb: 100, pids_max: 40, cpu_quota_percent: 10")?;
    for (key, words) in [
        ("max_memory_mb", "for each process by itself"),
        ("pids_max", "together with the user's other processes"),
        ("cpu_quota_percent", "not held here"),
    ] {
        if !info
            .not_held
            .iter()
            .any(|line| line.contains(key) && line.contains(words))
        {
            return Err(fail(format!("{key}: {:?}", info.not_held)));
        }
    }
    let outcome = session::run(&world, &info.id, &["python3", "-c", HOG])?;
    if outcome.out().contains("all of it") || !outcome.err().contains("MemoryError") {
        return Err(fail(format!("the hog was not stopped: {outcome:?}")));
    }
    let outcome = session::run(&world, &info.id, &["python3", "-c", BOMB])?;
    let started: u32 = outcome.out().trim().parse().map_err(|_| fail(format!("{outcome:?}")))?;
    // The user's other processes come and go meanwhile: what counts is that the bomb ends.
    match started > 0 && started < 200 {
        true => Ok(()),
        false => Err(fail(format!("{started} processes were started"))),
    }
}
