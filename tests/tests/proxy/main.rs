//! The session's proxy: models, services and plain HTTP through it, by effect and on record.

mod fake;
mod foreign;
mod http;
mod intercept;
mod llm;
mod private;
mod sdk;
mod services;
mod smuggling;
mod streams;
mod tls;
mod transparent;

use agentsh_protocol::api::{ProxyInfo, SessionInfo};
use agentsh_tests::{Outcome, Result, Shell, World, fail, session};

/// Writes the configuration of the world's host.
fn configure(text: &str) -> Result {
    std::fs::create_dir_all("/etc/agentsh")?;
    std::fs::write("/etc/agentsh/config.yaml", text)?;
    Ok(())
}

fn check(yes: bool, what: &str, seen: &impl std::fmt::Debug) -> Result {
    match yes {
        true => Ok(()),
        false => Err(fail(format!("{what}: {seen:?}"))),
    }
}

/// A text of bash in the session, as `agentsh exec` runs it.
fn bash(session: &SessionInfo, text: &str) -> Shell {
    session::exec(&session.id, &[], &["/bin/bash", "-c", text])
}

fn run(world: &World, session: &SessionInfo, text: &str) -> Result<Outcome> {
    bash(session, text).run(world)
}

fn proxy(world: &World, session: &SessionInfo) -> Result<ProxyInfo> {
    let outcome = world.agentsh(["llm", "usage", "--json", &session.id])?;
    let mut all: Vec<ProxyInfo> = outcome.json()?;
    all.pop().ok_or_else(|| fail("no session runs"))
}

/// Whether a text stands anywhere in the product's files of this world.
fn is_kept(world: &World, text: &str) -> Result<bool> {
    let found = Shell::program("grep")
        .args(["-raqF", "--", text])
        .args([world.state_dir()])
        .inherit(|inherit| inherit.as_root = true);
    Ok(found.run(world)?.expect_exit(0, "grep").is_ok())
}
