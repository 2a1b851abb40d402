//! `record.pipes`: what goes through pipes is kept, and passes as ever.

use std::path::PathBuf;

use agentsh_tests::record::{await_event, sessions};
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Outcome, Result, Shell, User, World, session};

use super::support::{SOON, check};

fn kept(world: &World) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for session in sessions(world)? {
        found.extend(
            std::fs::read_dir(session.join("output"))?
                .flatten()
                .map(|entry| entry.path()),
        );
    }
    found.sort();
    Ok(found)
}

/// The real bash, which finds ours in `SHELL`.
fn outer(world: &World, text: &str) -> Result<Outcome> {
    Shell::program("/usr/bin/bash").args(["-c", text]).run_shimmed(world)
}

#[test]
fn everything_is_kept_without_secrets_and_passes_unchanged() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        session::with_rules(&world, "record: {pipes: full}\n")?;
        let text =
            "echo ghp_0123456789abcdefghijABCDEFGHIJ012345; printf 'a\\0\\377b'; seq 100000; echo oops >&2; exit 3";
        let real = Shell::named("bash").args(["-c", text]).run(&world)?;
        let ours = Shell::named("bash").args(["-c", text]).run_shimmed(&world)?;
        check(
            (real.ended, &real.stdout, &real.stderr) == (ours.ended, &ours.stdout, &ours.stderr),
            "what the caller sees",
            &(ours.ended, ours.stdout.len(), ours.err()),
        )?;
        let id = await_event(&world, "its end", |event| event.kind == "command_finished")?
            .command_id
            .unwrap_or_default();
        let mut told = world.agentsh(["output", &id])?;
        wait_until(SOON, || {
            told = world.agentsh(["output", &id]).unwrap_or(told.clone());
            told.out().ends_with("\n100000\n")
        });
        let masked = told.stdout.len() == real.stdout.len() && !told.out().contains("ghp_0123");
        check(
            masked && told.err() == "oops\n",
            "what is kept",
            &(told.stdout.len(), told.err()),
        )?;
    }
    Ok(())
}

#[test]
fn order_limits_and_closed_readers_are_those_of_the_pipe() -> Result {
    let world = World::new(User::agent())?;
    session::with_rules(&world, "record: {pipes: head}\n")?;
    let text = "$SHELL -c 'for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done' 2>&1 | cat";
    let seen = outer(&world, text)?.out();
    let expected: String = (1..6).map(|i| format!("out {i}\nerr {i}\n")).collect();
    check(seen == expected, "the order", &seen)?;
    let seen = outer(
        &world,
        "$SHELL -c 'trap \"\" USR1; exec yes' | head -n 1; echo ${PIPESTATUS[0]}",
    )?;
    check(seen.out() == "y\n141\n", "a reader that leaves", &seen)?;
    let seen = outer(&world, "$SHELL -c 'seq 200000' | tail -n 1")?;
    check(seen.out() == "200000\n", "all of it passes", &seen)?;
    let files = kept(&world)?;
    let sizes: Vec<u64> = files
        .iter()
        .map(|file| file.metadata().map_or(0, |data| data.len()))
        .collect();
    check(
        sizes.iter().max() == Some(&(64 << 10)),
        "its head is kept",
        &(&files, &sizes),
    )?;
    let before = files.len();
    let seen = outer(&world, "$SHELL -c 'echo rsync --server' | cat")?;
    check(
        seen.out() == "rsync --server\n" && kept(&world)?.len() == before,
        "transports are left alone",
        &seen,
    )
}

/// Whoever starts it, and however: what a transport says is its own.
#[test]
fn a_transport_that_a_script_starts_is_not_kept() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        session::with_rules(&world, "record: {pipes: full}\n")?;
        let script = "echo before the stream\nset -- upload pack\ngit \"$1-$2\" --advertise-refs .\necho after it\n";
        world
            .user()
            .write_file(&world.workspace().join("deploy"), script, 0o755)?;
        let plain = Shell::program("git")
            .args(["upload-pack", "--advertise-refs", "."])
            .run(&world)?;
        let seen = outer(&world, "$SHELL ./deploy | cat")?;
        let expected = [b"before the stream\n", &plain.stdout[..], b"after it\n"].concat();
        check(seen.stdout == expected, "it passes", &seen)?;
        await_event(&world, "it says so", |event| event.kind == "recording_stopped")?;
        let kept: Vec<u8> = kept(&world)?.iter().flat_map(std::fs::read).flatten().collect();
        check(
            kept == b"before the stream\n" || kept.is_empty(),
            "what is kept",
            &String::from_utf8_lossy(&kept),
        )?;
    }
    Ok(())
}

#[test]
fn a_full_record_of_a_pipe_ends_the_command_if_it_is_to() -> Result {
    let world = World::new(User::agent())?;
    session::with_rules(
        &world,
        "record: {pipes: full, max_size: 20000, on_full: stop_command}\n",
    )?;
    let seen = outer(
        &world,
        "$SHELL -c 'seq 100000; sleep 1000' | cat > /dev/null; echo ${PIPESTATUS[0]}",
    )?;
    check(seen.out() == "137\n", "ended", &seen)?;
    await_event(&world, "it says so", |event| event.kind == "recording_stopped").map(drop)
}
