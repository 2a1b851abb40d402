//! A full disk, a broken configuration, a broken policy: each a clear error, nothing lost, nobody let in.

use std::fs;
use std::io::Write;

use agentsh_tests::world::mounts;
use agentsh_tests::{Ended, Outcome, Result, User, World, enforced, fail, record};

fn refused(outcome: &Outcome, why: &str) -> Result {
    match outcome.ended == Ended::Exit(126)
        && outcome.stdout.is_empty()
        && outcome.err().lines().count() == 1
        && outcome.err().contains(why)
    {
        true => Ok(()),
        false => Err(fail(format!(
            "expected one line that says {why:?}, and 126: {outcome:?}"
        ))),
    }
}

/// Fills a file system to its last byte.
fn fill(path: &std::path::Path) -> Result {
    let mut file = fs::File::create(path)?;
    let mut piece = 1 << 20;
    while piece > 0 {
        if file.write_all(&vec![0; piece]).is_err() {
            piece /= 2;
        }
    }
    Ok(())
}

#[test]
fn a_full_state_folder_takes_no_new_command_and_loses_nothing() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let state = world.state_dir();
        world.user().make_folder(&state)?;
        mounts::memory_of_size(&state, 0o700, "24m")?;
        world.user().own(&state)?;
        world
            .shimmed("echo accepted; true mark-of-the-first")?
            .expect_success("before")?;
        record::await_event(&world, "the first", |event| event.line().contains("mark-of-the-first"))?;
        let filler = state.join("filler");
        fill(&filler)?;
        // What was accepted before the disk was full must come through; when the spool has room, some more is accepted.
        let outcome = (0..200)
            .map(|_| world.shimmed("echo more; seq 200 | xargs -n 1 true"))
            .find_map(|outcome| match outcome {
                Ok(outcome) if outcome.ended == Ended::Exit(0) => None,
                other => Some(other),
            });
        match outcome {
            Some(outcome) => refused(&outcome?, "")?,
            None => return Err(fail("commands start for ever on a full disk")),
        }
        fs::remove_file(filler)?;
        let again = agentsh_tests::world::processes::wait_until(std::time::Duration::from_secs(30), || {
            world
                .shimmed("echo again")
                .is_ok_and(|outcome| outcome.out() == "again\n")
        });
        if !again {
            return Err(fail("no command starts after there is room again"));
        }
        record::await_event(&world, "the first, still", |event| {
            event.line().contains("mark-of-the-first")
        })?;
        enforced::prove(&world)?;
        for session in record::sessions(&world)? {
            let id = session.file_name().unwrap_or_default().to_string_lossy().into_owned();
            world
                .agentsh(["audit", "verify", &id])?
                .expect_success("audit verify")?;
        }
    }
    Ok(())
}

#[test]
fn a_state_folder_without_any_room_refuses_the_first_command() -> Result {
    let world = World::new(User::agent())?;
    let state = world.state_dir();
    world.user().make_folder(&state)?;
    mounts::memory_of_size(&state, 0o700, "64k")?;
    world.user().own(&state)?;
    refused(&world.shimmed("echo in")?, "")
}

#[test]
fn a_malformed_configuration_refuses_and_names_the_place() -> Result {
    let world = World::new(User::agent())?;
    let path = world.user().home.join(".config/agentsh/config.yaml");
    world
        .user()
        .write_file(&path, "security:\n  mode: auto\n  strickt: true\n", 0o644)?;
    refused(&world.shimmed("echo in")?, "config.yaml")?;
    fs::remove_file(path)?;
    world.shimmed("true")?.expect_success("without it")?;
    Ok(())
}

#[test]
fn a_malformed_default_policy_refuses_and_names_the_place() -> Result {
    let world = World::new(User::agent())?;
    world.user().write_file(
        &world.user().home.join(".config/agentsh/policies/mine.yaml"),
        "version: 1\nname: mine\nfile_rules:\n  - {name: a, paths: [\"/**\"], decision: alow}\n",
        0o644,
    )?;
    world.user().write_file(
        &world.user().home.join(".config/agentsh/config.yaml"),
        "sessions: {default_policy: mine}\n",
        0o644,
    )?;
    refused(&world.shimmed("echo in")?, "mine.yaml")
}
