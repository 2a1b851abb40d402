//! Time: of a command, of a session, of idleness.

use agentsh_tests::shell::{Ended, Subject};
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, Shell, User, World, fail, record, session};

use crate::{PATIENCE, limited, reached};

/// A tree of which a part ignores what it is asked.
const STUBBORN: &str =
    "(trap '' TERM; sleep 1000; sleep 1000) & setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' & sleep 1000";

#[test]
fn a_command_that_takes_too_long_ends_with_all_of_its_tree() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let info = limited(&world, "command_timeout: 1s")?;
        let outcome = session::run(&world, &info.id, &["bash", "-c", STUBBORN])?;
        outcome.expect_exit(124, "a command whose time was up")?;
        if !wait_until(PATIENCE, || world.strays().is_empty()) {
            return Err(fail(format!("left: {:?}", world.strays())));
        }
        let event = reached(&world, "command_timeout")?;
        let command = record::await_event(&world, "its end", |other| {
            other.kind == "command_finished" && other.command_id == event.command_id
        })?;
        if command.fields.get("limit").and_then(|limit| limit.as_str()) != Some("command_timeout") {
            return Err(fail(format!("{command:?}")));
        }
        // The next one has its own time.
        session::run(&world, &info.id, &["true"])?.expect_success("the next command")?;
    }
    Ok(())
}

#[test]
fn a_caller_of_the_shim_sees_the_signal() -> Result {
    let world = World::new(User::agent())?;
    limited(&world, "command_timeout: 1s")?;
    let outcome = world.shimmed("sleep 1000")?;
    match outcome.ended {
        Ended::Signal {
            number: libc::SIGTERM, ..
        } => Ok(()),
        _ => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn a_session_whose_time_is_over_ends_and_says_so() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        limited(&world, "session_timeout: 2s")?;
        let shell = Shell::named("bash").args(["-c", STUBBORN]);
        let mut child = shell.spawn_with(&world, &Subject::shims())?;
        child.wait(PATIENCE)?;
        ended(&world, "session_timeout")?;
        if !wait_until(PATIENCE, || world.strays().is_empty() && world.supervisors().is_empty()) {
            return Err(fail(format!("left: {:?}", world.processes())));
        }
    }
    Ok(())
}

#[test]
fn an_idle_session_ends_and_one_with_a_command_does_not() -> Result {
    let world = World::new(User::agent())?;
    limited(&world, "idle_timeout: 1s")?;
    let text = "sleep 2; echo was not idle";
    let outcome = world.shimmed(text)?;
    if outcome.out() != "was not idle\n" {
        return Err(fail(format!("{outcome:?}")));
    }
    ended(&world, "idle_timeout")
}

fn ended(world: &World, limit: &str) -> Result {
    reached(world, limit)?;
    record::await_event(world, "the session's end", |event| {
        event.kind == "session_destroyed" && event.fields.get("reason").and_then(|why| why.as_str()) == Some(limit)
    })
    .map(drop)
}
