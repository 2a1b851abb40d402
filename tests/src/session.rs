//! Policies and sessions of a world.

use std::path::PathBuf;

use agentsh_protocol::api::SessionInfo;

use crate::world::World;
use crate::{Outcome, Result, Shell, fail};

/// What every policy of the suites begins with: the workspace and `/tmp` are free, the rest is read.
pub const BASE: &str = r#"version: 1
name: suite
defaults: {read: allow, write: deny, command: allow, network: allow, unix_socket: allow, signal: allow}
file_rules:
  - {name: keys, paths: ["${HOME}/.ssh/**"], operations: ["*"], decision: deny, message: "no keys"}
  - {name: work, paths: ["${PROJECT_ROOT}", "${PROJECT_ROOT}/**", "/tmp", "/tmp/**", "/dev/**"], operations: ["*"], decision: allow}
"#;

/// Writes a policy file of the world's user beside the workspace.
pub fn write_policy(world: &World, name: &str, text: &str) -> Result<PathBuf> {
    let path = world.user().home.join("policies").join(format!("{name}.yaml"));
    world.user().write_file(&path, text, 0o644)?;
    Ok(path)
}

/// Makes a session for the world's workspace with a policy of these rules behind [`BASE`].
pub fn with_rules(world: &World, rules: &str) -> Result<SessionInfo> {
    let path = write_policy(world, "suite", &format!("{BASE}{rules}"))?;
    create(world, &["--policy", &path.to_string_lossy()])
}

/// `agentsh session create --workspace . ARGS`.
pub fn create(world: &World, args: &[&str]) -> Result<SessionInfo> {
    let outcome = world.agentsh(["session", "create", "--workspace", "."].iter().chain(args))?;
    outcome.expect_success("session create")?;
    outcome.json().map_err(|error| fail(format!("session create: {error}")))
}

/// `agentsh exec SESSION -- PROGRAM ARGS` as a start.
pub fn exec(session: &str, options: &[&str], argv: &[&str]) -> Shell {
    let program = format!("{}/agentsh", crate::world::PRODUCT);
    Shell::program(program)
        .args(["exec"])
        .args(options)
        .args([session, "--"])
        .args(argv)
}

/// Runs [`exec`] to its end.
pub fn run(world: &World, session: &str, argv: &[&str]) -> Result<Outcome> {
    exec(session, &[], argv).run(world)
}
