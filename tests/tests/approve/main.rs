//! Questions to a person: what waits, what an answer covers, and who may give one.

mod always;
mod answers;
mod change;
mod http;
mod kinds;
mod limits;
mod narrows;
mod retry;
mod terminal;

use std::time::Duration;

use agentsh_protocol::approvals::Approval;
use agentsh_tests::child::Child;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::world::{PRODUCT, World};
use agentsh_tests::{Output, Result, Shell, User, fail, session};

/// `seq` and what lies under `asked/` are for a person to decide; `tac` too, with little time.
const RULES: &str = r#"command_rules:
  - {name: ask-seq, commands: [seq], decision: approve, message: "may it count?"}
  - {name: ask-soon, commands: [tac], decision: approve, timeout: 1s}
  - {name: rest, commands: ["*"], decision: allow}
approvals: {timeout: 60s, retry_window: 5m}
"#;

const PATIENCE: Duration = Duration::from_secs(20);

/// A world with a session under [`RULES`], in which files of `asked/` are asked about.
fn world(user: User) -> Result<(World, String)> {
    let world = World::new(user)?;
    let base = session::BASE.replace(
        "file_rules:\n",
        "file_rules:\n  - {name: ask-file, paths: [\"${PROJECT_ROOT}/asked/**\"], operations: [\"*\"], decision: approve}\n",
    );
    let path = session::write_policy(&world, "asks", &format!("{base}{RULES}"))?;
    let id = session::create(&world, &["--policy", &path.to_string_lossy()])?.id;
    Ok((world, id))
}

/// As root and unprivileged.
fn for_each_user(test: impl Fn(World, String) -> Result) -> Result {
    User::both().into_iter().try_for_each(|user| {
        let (world, id) = world(user)?;
        test(world, id)
    })
}

fn agentsh(args: &[&str]) -> Shell {
    Shell::program(format!("{PRODUCT}/agentsh")).args(args)
}

/// Somebody who watches, seen by the session.
fn watcher(world: &World, session: &str) -> Result<Child> {
    let child = agentsh(&["approve", "--watch", "--json"])
        .stdout(Output::Null)
        .deadline(Duration::from_secs(300))
        .spawn(world)?;
    let seen = || {
        world
            .agentsh(["session", "info", "--json", session])
            .is_ok_and(|outcome| !outcome.out().contains("nobody can be asked"))
    };
    match wait_until(PATIENCE, seen) {
        true => Ok(child),
        false => Err(fail("the session does not learn of the watcher")),
    }
}

fn waiting(world: &World) -> Result<Vec<Approval>> {
    world.agentsh(["approve", "list", "--json"])?.json()
}

/// Waits until exactly this many questions wait that `is_it` accepts.
fn await_questions(world: &World, count: usize, is_it: impl Fn(&Approval) -> bool) -> Result<Vec<Approval>> {
    let mut found = Vec::new();
    let there = wait_until(PATIENCE, || {
        found = waiting(world).unwrap_or_default();
        found.retain(|approval| is_it(approval));
        found.len() == count
    });
    match there {
        true => Ok(found),
        false => Err(fail(format!("{count} questions are expected, there are {found:#?}"))),
    }
}

fn the_question(world: &World) -> Result<Approval> {
    await_questions(world, 1, |_| true)?
        .pop()
        .ok_or_else(|| fail("no question"))
}
