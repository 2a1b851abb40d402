//! The packs with real toolchains: what people do all day passes without a question.

mod tasks;

use std::path::Path;
use std::time::Duration;

use agentsh_tests::world::mounts::Tree;
use agentsh_tests::{Ended, Outcome, Result, Shell, User, World, fail, record, session};

/// Where the machine's Rust is in a world: the homes are not the machine's.
const RUST: &str = "/usr/local/lib/agentsh-tests/rust";

/// A world with the machine's Rust.
fn world(user: User) -> Result<World> {
    let sysroot = std::process::Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()?;
    let sysroot = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    let tree = Tree::of(Path::new(&sysroot))?;
    let world = World::new(user)?;
    tree.attach(Path::new(RUST))?;
    Ok(world)
}

fn run(world: &World, text: &str) -> Result<Outcome> {
    Shell::named("bash")
        .args(["-c", text])
        .env(
            "PATH",
            format!("{RUST}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"),
        )
        .env("GOPROXY", "off")
        .env("GOFLAGS", "-mod=mod")
        .deadline(Duration::from_secs(180))
        .run_shimmed(world)
}

/// Runs all tasks; what failed, and what somebody would have been asked.
fn all_tasks(world: &World) -> Result {
    let mut failed = Vec::new();
    for (name, text) in tasks::TASKS {
        let outcome = run(world, text)?;
        if outcome.ended != Ended::Exit(0) {
            failed.push(format!("{name}: {outcome:?}"));
        }
    }
    let asked: Vec<String> = record::events(world)?
        .iter()
        .filter(|event| {
            let policy = event.policy.as_ref();
            policy.is_some_and(|policy| policy.decision == "approve" && policy.effective.as_deref() != Some("allow"))
                || event.kind.starts_with("approval_")
        })
        .map(|event| {
            format!(
                "{} {:?} {:?} {:?} {:?} {}",
                event.kind,
                event.path,
                event.domain,
                event.remote,
                event.policy,
                event.line()
            )
        })
        .collect();
    match failed.is_empty() && asked.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("asked: {asked:#?}\nfailed:\n{}", failed.join("\n")))),
    }
}

#[test]
fn a_users_work_passes_under_the_default_pack_without_a_question() -> Result {
    let world = world(User::agent())?;
    session::create(&world, &["--policy", "default"])?;
    all_tasks(&world)
}

#[test]
fn roots_work_passes_under_the_default_pack_without_a_question() -> Result {
    let world = world(User::root())?;
    session::create(&world, &["--policy", "default"])?;
    all_tasks(&world)
}

fn passes(pack: &str) -> Result {
    let world = world(User::agent())?;
    session::create(&world, &["--policy", pack])?;
    all_tasks(&world)
}

#[test]
fn the_pack_for_agents_lets_the_same_work_pass() -> Result {
    passes("agent-default")
}

#[test]
fn the_observing_pack_lets_the_same_work_pass() -> Result {
    passes("agent-observe")
}

#[test]
fn the_pack_for_signals_lets_the_same_work_pass() -> Result {
    passes("signal-strict")
}

#[test]
fn the_read_only_pack_lets_look_and_refuses_to_change() -> Result {
    let world = world(User::agent())?;
    session::create(&world, &["--policy", "system-readonly"])?;
    let outcome = run(
        &world,
        "cat /etc/passwd >/dev/null && ls / >/dev/null && ps >/dev/null && echo x > made; echo $?",
    )?;
    if outcome.out() != "1\n" || world.workspace().join("made").exists() {
        return Err(fail(format!("{outcome:?}")));
    }
    Ok(())
}
