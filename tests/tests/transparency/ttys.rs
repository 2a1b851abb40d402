//! Programs that make terminals of their own and lead sessions on them, in a session and without one: a table of small
//! cases, of which each line must be the same.

use std::time::Duration;

use agentsh_tests::{Result, Shell, User, World, enforced, oracle};

const TABLE: &str = include_str!("ttys.py");

const PATIENCE: Duration = Duration::from_secs(300);

fn same(user: User) -> Result {
    let world = World::new(user)?;
    let script = world.user().home.join("ttys.py");
    world.user().write_file(&script, TABLE, 0o644)?;
    let script = script.to_string_lossy().into_owned();
    let argv = ["python3", "-S", &script];
    let native = oracle::program(&world, &argv).deadline(PATIENCE).run(&world)?;
    let text = format!("exec python3 -S {script}");
    let inside = Shell::named("bash").args(["-c", &text]).deadline(PATIENCE);
    let inside = inside.run_shimmed(&world)?;
    enforced::prove(&world)?;
    oracle::same(&native, &inside, 39)
}

#[test]
fn terminals_that_a_user_makes_are_what_they_are_without_us() -> Result {
    same(User::agent())
}

#[test]
fn and_those_that_root_makes() -> Result {
    same(User::root())
}
