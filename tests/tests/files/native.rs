//! The table of calls and path forms, in a session and without one, must print the same.

use std::time::Duration;

use agentsh_tests::{Outcome, Result, Shell, User, World, fail, session};

use crate::numbers::numbers;

/// Makes every call with every form of path and prints what came of it.
const TABLE: &str = include_str!("../../../ptyd/intercept/tests/files/table.py");

/// What root keeps in a session (`docs/policy.md`): the oracle gets no more.
const KEPT: &str = "-all,+chown,+dac_override,+fowner,+fsetid,+setuid,+setgid,+setpcap,+setfcap,+net_bind_service,\
    +sys_chroot,+audit_write,+kill";

const PATIENCE: Duration = Duration::from_secs(400);

fn lines(outcome: &Outcome) -> Result<Vec<String>> {
    outcome.expect_success("the table")?;
    Ok(outcome.out().lines().map(str::to_owned).collect())
}

fn table(user: User, who: &str) -> Result {
    let world = World::new(user)?;
    let script = world.user().home.join("table.py");
    world.user().write_file(&script, TABLE, 0o644)?;
    let script = script.to_string_lossy().into_owned();
    let numbers = numbers();
    let argv = ["python3", "-S", &script, &numbers, "/tmp/base", who];
    let oracle = match world.user().uid {
        0 => Shell::program("setpriv")
            .args(["--bounding-set", KEPT, "--inh-caps", "-all"])
            .args(argv),
        _ => Shell::program(argv[0]).args(&argv[1..]),
    };
    let native = lines(&oracle.deadline(PATIENCE).run(&world)?)?;
    // Whatever the user may do is allowed: what differs is our doing.
    let policy = session::BASE.replace("write: deny", "write: allow");
    let policy = session::write_policy(&world, "free", &policy)?;
    let session = session::create(&world, &["--policy", &policy.to_string_lossy()])?.id;
    let caged = lines(&session::exec(&session, &[], &argv).deadline(PATIENCE).run(&world)?)?;
    let differences: Vec<String> = native
        .iter()
        .zip(&caged)
        .filter(|(native, caged)| native != caged)
        .map(|(native, caged)| format!("native  {native}\nsession {caged}"))
        .collect();
    if !differences.is_empty() || native.len() != caged.len() {
        eprintln!("{}", differences.join("\n"));
        return Err(fail(format!(
            "{} of {} ({}) lines differ",
            differences.len(),
            native.len(),
            caged.len()
        )));
    }
    match native.len() > 3000 {
        true => Ok(()),
        false => Err(fail(format!("the table has only {} lines", native.len()))),
    }
}

#[test]
fn every_call_with_every_form_of_path_comes_out_as_without_a_session() -> Result {
    table(User::agent(), "self")
}

#[test]
fn so_it_does_for_root_and_for_those_whom_root_becomes() -> Result {
    table(User::root(), "self")?;
    table(User::root(), "nobody")
}

#[test]
fn so_it_does_in_a_chroot() -> Result {
    table(User::root(), "chrooted")
}
