//! The end of lines of processes each of which starts the next and ends, where no control group holds them.

use std::time::{Duration, Instant};

use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::{signal_all, wait_until};
use agentsh_tests::{Output, Result, Shell, User, World, enforced, fail, record, session};

const PATIENCE: Duration = Duration::from_secs(30);

/// How long nobody must have been seen.
const QUIET: Duration = Duration::from_millis(300);

const ENDLESS: [&str; 9] = [
    "exits",
    "exits as a thread",
    "faults",
    "kills itself",
    "leaves its session",
    "is its parent's sibling",
    "executes itself",
    "is spawned",
    "forks in a thread",
];

/// How many links there were.
fn beats(world: &World) -> u64 {
    let bytes = std::fs::read(world.workspace().join("beats")).unwrap_or_default();
    bytes.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}

fn start(world: &World, kind: &str) -> Result {
    let before = beats(world);
    let text = format!("exec {} chain \"$1\"", world.helper("probe").display());
    let shell = Shell::named("bash")
        .args(["-c", &text, "x", kind])
        .stdout(Output::Null)
        .stderr(Output::Null);
    let mut child = shell.spawn_with(world, &Subject::shims())?;
    let goes_on = || beats(world) > before + 20;
    if !wait_until(PATIENCE, goes_on) {
        return Err(fail(format!("{kind}: no chain: {:#?}", world.strays())));
    }
    child.wait(PATIENCE).map(drop)
}

/// Nobody but those whose line is `other` is seen, and nobody unseen counts on.
fn nobody_is_left(world: &World, what: &str, other: &str) -> Result {
    let (since, before) = (Instant::now(), beats(world));
    while since.elapsed() < QUIET {
        let mut left = world.strays();
        left.retain(|process| process.line != other);
        if !left.is_empty() || beats(world) != before {
            return Err(fail(format!(
                "{what}: {} links more, and {left:#?}",
                beats(world) - before
            )));
        }
    }
    Ok(())
}

/// Two processes of one command, one of them in a session of its own.
fn two(world: &World, lines: [&str; 2]) -> Result<agentsh_tests::child::Child> {
    let shell = Shell::named("bash")
        .args(["-c", &format!("setsid {} & exec {}", lines[0], lines[1])])
        .stdout(Output::Null)
        .stderr(Output::Null);
    let child = shell.spawn_with(world, &Subject::shims())?;
    let runs = |line: &&str| world.strays().iter().any(|process| process.line == **line);
    match wait_until(PATIENCE, || lines.iter().all(&runs)) {
        true => Ok(child),
        false => Err(fail(format!("{:#?}", world.strays()))),
    }
}

#[test]
fn every_chain_ends_with_its_session() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        for kind in ENDLESS {
            start(&world, kind)?;
            let begun = Instant::now();
            world.agentsh(["kill", "--all"])?.expect_success(kind)?;
            nobody_is_left(&world, kind, "")?;
            if begun.elapsed() > Duration::from_secs(5) {
                return Err(fail(format!("{kind}: its end took {:?}", begun.elapsed())));
            }
            world.agentsh(["kill", "--lift"])?.expect_success("lift")?;
        }
    }
    Ok(())
}

#[test]
fn every_chain_ends_with_its_command_and_nobody_else_does() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let shell = Shell::named("bash")
            .args(["-c", "exec sleep 6001"])
            .stdout(Output::Null);
        let mut other = shell.spawn_with(&world, &Subject::shims())?;
        for kind in ENDLESS {
            start(&world, kind)?;
            let started = record::await_event(&world, kind, |event| {
                event.kind == "command_started" && event.line().contains(kind)
            })?;
            let id = started.command_id.unwrap_or_default();
            world.agentsh(["kill", &id])?.expect_success(kind)?;
            nobody_is_left(&world, kind, "sleep 6001")?;
        }
        if !world.strays().iter().any(|process| process.line == "sleep 6001") {
            return Err(fail("another command was ended"));
        }
        other.signal(libc::SIGKILL)?;
        other.wait(PATIENCE)?;
    }
    Ok(())
}

#[test]
fn the_switch_ends_a_session_that_its_broker_has_left() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let mut child = two(&world, ["sleep 6002", "sleep 6003"])?;
        signal_all(&world.brokers(), libc::SIGKILL);
        if !wait_until(PATIENCE, || world.brokers().is_empty()) {
            return Err(fail("it does not die"));
        }
        world.agentsh(["kill", "--all"])?.expect_success("kill --all")?;
        nobody_is_left(&world, "forsaken", "")?;
        child.wait(PATIENCE)?;
    }
    Ok(())
}

#[test]
fn a_stopped_supervisor_does_not_stop_the_switch() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let mut child = two(&world, ["sleep 6004", "sleep 6005"])?;
        signal_all(&world.supervisors(), libc::SIGSTOP);
        let begun = Instant::now();
        world.agentsh(["kill", "--all"])?.expect_success("kill --all")?;
        nobody_is_left(&world, "stopped", "")?;
        child.wait(PATIENCE)?;
        if begun.elapsed() > Duration::from_secs(20) {
            return Err(fail(format!("it took {:?}", begun.elapsed())));
        }
    }
    Ok(())
}

#[test]
fn a_stopped_supervisor_keeps_nobody_from_the_commands_of_another_session() -> Result {
    let world = World::new(User::agent())?;
    session::create(&world, &["--name", "stopped"])?;
    signal_all(&world.supervisors(), libc::SIGSTOP);
    let id = session::create(&world, &["--name", "other"])?.id;
    let child = session::exec(&id, &[], &["sleep", "6006"]).spawn(&world)?;
    world.await_process("sleep 6006")?;
    let started = record::await_event(&world, "sleep", |event| {
        event.kind == "command_started" && event.line().contains("6006")
    })?;
    let begun = Instant::now();
    let killed = world.agentsh(["kill", &started.command_id.unwrap_or_default()])?;
    killed.expect_success("the command")?;
    if !killed.err().contains("is left out") {
        return Err(fail(format!("{killed:?}")));
    }
    child.finish(PATIENCE)?;
    world.agentsh(["approve", "list"])?.expect_success("approve list")?;
    world.agentsh(["llm", "usage"])?.expect_success("llm usage")?;
    world.agentsh(["kill", "stopped"])?.expect_success("the stopped one")?;
    match begun.elapsed() < Duration::from_secs(30) {
        true => Ok(()),
        false => Err(fail(format!("it took {:?}", begun.elapsed()))),
    }
}
