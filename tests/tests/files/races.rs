//! Second threads that change what a call means while it is judged: nothing denied is ever reached.
//!
//! Fifteen seconds each, one after the other; `AGENTSH_RACE_SECONDS=900` makes it an hour.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use agentsh_tests::{Result, Shell, User, World, fail, session};

const ATTACKS: &str = include_str!("../../../ptyd/intercept/tests/files/attacks.c");

const RULE: &str = r#"  - {name: guard, paths: ["${PROJECT_ROOT}/{guarded,repo/git/hooks}", "${PROJECT_ROOT}/{guarded,repo/git/hooks}/**"], operations: ["*"], decision: deny}"#;

/// Names decide, in one tree only: what is far from it is read without a doubt.
const BY_NAME: &str = r#"  - {name: guard, paths: ["${PROJECT_ROOT}/**/secret"], operations: ["*"], decision: deny}"#;

fn seconds() -> Result<u64> {
    match std::env::var("AGENTSH_RACE_SECONDS") {
        Ok(text) => Ok(text.parse()?),
        Err(_) => Ok(15),
    }
}

fn race(user: User, kind: &str) -> Result {
    let world = World::new(user)?;
    let top = world.workspace();
    for (file, text) in [
        ("guarded/secret", "secret text"),
        ("free/file", "free"),
        ("one/secret", "free"),
    ] {
        world.user().write_file(&top.join(file), text, 0o644)?;
    }
    world.user().make_folder(&top.join("repo"))?;
    std::os::unix::fs::symlink("guarded", top.join("two"))?;
    let source = world.user().home.join("attacks.c");
    world.user().write_file(&source, ATTACKS, 0o644)?;
    let attacks = world.user().home.join("attacks");
    let compile = Shell::program("cc")
        .args(["-O1", "-pthread", "-o"])
        .args([&attacks, &source]);
    compile.run(&world)?.expect_success("cc")?;
    let rule = if kind == "outside" { BY_NAME } else { RULE };
    let session = crate::attempts::session(&world, rule, "")?;
    let seconds = seconds()?;
    let argv = [&*attacks.to_string_lossy(), kind, &seconds.to_string()];
    let outcome = session::exec(&session, &[], &argv)
        .deadline(Duration::from_secs(seconds + 60))
        .run(&world)?;
    outcome.expect_success(kind)?;
    eprintln!("{}", outcome.err().trim_end());
    let secret = top.join("guarded/secret");
    let guarded = fs::metadata(&secret)?;
    let untouched = (guarded.nlink(), guarded.mode() & 0o7777) == (1, 0o644);
    let whole = fs::read_to_string(&secret)? == "secret text" && !top.join("repo/git/hooks").exists();
    match outcome.out() == "leaks 0\n" && untouched && whole {
        true => Ok(()),
        false => Err(fail(format!("{kind}: {outcome:?} {guarded:?}"))),
    }
}

#[test]
fn second_threads_gain_nothing() -> Result {
    race(User::agent(), "text")?;
    race(User::root(), "outside")?;
    race(User::root(), "symlink")?;
    race(User::agent(), "exchange")?;
    race(User::root(), "move")
}
