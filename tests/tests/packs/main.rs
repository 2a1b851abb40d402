//! The packs with real toolchains: what people do all day passes without a question, and each page is kept.

mod around;
mod pages;
mod promise;
mod tasks;
mod warm;

use std::path::Path;
use std::time::Duration;

use agentsh_tests::world::mounts::Tree;
use agentsh_tests::{Ended, Outcome, Result, Shell, User, World, fail, record, session};

/// Where the machine's Rust is in a world: the homes are not the machine's.
const RUST: &str = "/usr/local/lib/agentsh-tests/rust";

/// Where a user has it.
const OWN_RUST: &str = ".rustup/toolchains/stable";

/// Go reaches no network, and changes its module's file as it needs.
const GO: [(&str, &str); 2] = [("GOPROXY", "off"), ("GOFLAGS", "-mod=mod")];

/// The machine's Rust, to be found before a world is laid over it.
fn rust() -> Result<Tree> {
    let sysroot = std::process::Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()?;
    let sysroot = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    Tree::of(Path::new(&sysroot))
}

fn run(world: &World, text: &str) -> Result<Outcome> {
    let own = world.user().home.join(OWN_RUST);
    let path = format!(
        "{RUST}/bin:{}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        own.display()
    );
    let mut shell = Shell::named("bash").args(["-c", text]).env("PATH", path);
    for (name, value) in GO.into_iter().chain([("BASH_ENV", "/nowhere")]) {
        shell = shell.env(name, value);
    }
    for name in [
        "GITHUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "NPM_TOKEN",
        "MY_TEST_TOKEN",
        "ANTHROPIC_API_KEY",
        "OTHER_VARIABLE",
    ] {
        shell = shell.env(name, "/value");
    }
    shell.deadline(Duration::from_secs(180)).run_shimmed(world)
}

/// Runs all tasks but these, each behind `before`; what failed, and what somebody would have been asked.
fn all_tasks(world: &World, before: &str, but: &[&str]) -> Result {
    let mut failed = Vec::new();
    for (name, text) in tasks::TASKS.iter().filter(|(name, _)| !but.contains(name)) {
        let outcome = run(world, &format!("{before}{text}"))?;
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
        .map(promise::show)
        .collect();
    match failed.is_empty() && asked.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("asked: {asked:#?}\nfailed:\n{}", failed.join("\n")))),
    }
}

/// Each user's work passes under this pack, with a toolchain of the system's and with one in the home. Under the default
/// pack nothing has been compiled before.
fn passes(pack: &str, before: &str, but: &[(&str, &str)]) -> Result {
    let trees = [rust()?, rust()?];
    let compiled = (pack != "default").then(warm::go_cache).transpose()?;
    for ((user, own), tree) in [(User::agent(), true), (User::root(), false)].into_iter().zip(trees) {
        let at = if own { user.home.join(OWN_RUST) } else { RUST.into() };
        let but: Vec<&str> = but
            .iter()
            .filter(|(name, _)| *name == user.name)
            .map(|(_, task)| *task)
            .collect();
        let world = World::new(user)?;
        tree.attach(&at)?;
        if let Some(cache) = compiled {
            warm::lay(&world, cache)?;
        }
        session::create(&world, &["--policy", pack])?;
        all_tasks(&world, before, &but).map_err(|error| fail(format!("{pack}, {}: {error}", world.user().name)))?;
    }
    Ok(())
}

#[test]
fn everyday_work_passes_under_the_default_pack_without_a_question() -> Result {
    passes("default", "", &[])
}

#[test]
fn the_pack_for_agents_lets_the_same_work_pass() -> Result {
    passes("agent-default", "", &[])
}

#[test]
fn the_observing_pack_lets_the_same_work_pass() -> Result {
    passes("agent-observe", "", &[])
}

#[test]
fn the_pack_for_signals_lets_the_same_work_pass() -> Result {
    passes("signal-strict", "", &[])
}

#[test]
fn the_pack_for_developers_lets_the_same_work_pass() -> Result {
    passes("dev-safe", "", &[])
}

#[test]
fn the_pack_for_builds_lets_the_same_work_pass() -> Result {
    // Nobody changes who they are there.
    passes("ci-strict", "", &[("root", "shell: other users' eyes")])
}

#[test]
fn the_strict_pack_lets_the_same_work_pass() -> Result {
    passes("agent-strict", "", &[])
}

#[test]
fn the_pack_for_strangers_code_lets_the_same_work_pass() -> Result {
    // Caches in the home are not written there, and these tools do not work without.
    let caches = "export GOCACHE=/tmp/go GOPATH=/tmp/gopath npm_config_cache=/tmp/npm CARGO_HOME=/tmp/cargo; ";
    // A list of names does not know what a build script calls its own.
    let unnamed = ["rust: a build script", "rust: cleaned and checked again"];
    let but: Vec<(&str, &str)> = ["agent", "root"]
        .into_iter()
        .flat_map(|user| unnamed.map(|task| (user, task)))
        .collect();
    passes("agent-sandbox", caches, &but)
}
