//! `attempts.py` in a world: some eighty calls, each through every way to name its file.

use std::collections::BTreeMap;
use std::time::Duration;

use agentsh_tests::{Input, Result, Shell, World, fail, session};
use serde_json::Value;

use crate::numbers::numbers;

const SCRIPT: &str = include_str!("attempts.py");

/// Where the folders of the attempts are.
pub const BASE: &str = "/tmp/base";

/// What each attempt said, or what its folders hold.
pub type Told = BTreeMap<String, Value>;

const PATIENCE: Duration = Duration::from_secs(300);

fn argv(world: &World, verb: &str, base: &str) -> Result<Vec<String>> {
    let script = world.user().home.join("attempts.py");
    if !script.exists() {
        world.user().write_file(&script, SCRIPT, 0o644)?;
    }
    let script = script.to_string_lossy().into_owned();
    Ok(["python3", "-S", &script, &numbers(), verb, base]
        .map(str::to_owned)
        .to_vec())
}

fn outside(world: &World, verb: &str, base: &str) -> Result<Shell> {
    let argv = argv(world, verb, base)?;
    Ok(Shell::program(&argv[0]).args(&argv[1..]).deadline(PATIENCE))
}

fn told(shell: Shell, world: &World) -> Result<Told> {
    let outcome = shell.run(world)?;
    outcome.expect_success("the attempts")?;
    outcome.json()
}

/// Lays the folders out.
pub fn lay(world: &World, base: &str) -> Result {
    let outcome = outside(world, "lay", base)?.run(world)?;
    outcome.expect_success("laying out")?;
    Ok(())
}

/// What the folders hold, seen from outside of every session.
pub fn look(world: &World, base: &str) -> Result<Told> {
    told(outside(world, "look", base)?, world)
}

/// Makes the attempts without a session.
pub fn natively(world: &World, base: &str) -> Result<Told> {
    told(
        outside(world, "try", base)?.reads(10, Input::Folder(base.into())),
        world,
    )
}

/// Makes the attempts in a session; the folder on descriptor 10 was opened outside of it.
pub fn inside(world: &World, session: &str, base: &str) -> Result<Told> {
    let argv = argv(world, "try", base)?;
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let shell = session::exec(session, &[], &argv).deadline(PATIENCE);
    told(shell.reads(10, Input::Folder(base.into())), world)
}

/// A session under [`session::BASE`] with this file rule before its own.
pub fn session(world: &World, rule: &str, more: &str) -> Result<String> {
    let base = session::BASE.replacen("file_rules:\n", &format!("file_rules:\n{rule}\n"), 1);
    let path = session::write_policy(world, "attempts", &format!("{base}{more}"))?;
    Ok(session::create(world, &["--policy", &path.to_string_lossy()])?.id)
}

/// A list of what is wrong, as an error if there is anything.
pub fn none(wrong: Vec<String>, of: usize) -> Result {
    match wrong.is_empty() {
        true if of > 900 => Ok(()),
        true => Err(fail(format!("only {of} attempts were made"))),
        false => {
            eprintln!("{}", wrong.join("\n"));
            Err(fail(format!("{} of {of} attempts", wrong.len())))
        }
    }
}
