//! The session's proxy: models, services and plain HTTP through it, by effect and on record.

mod death;
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
mod suites;
mod tls;
mod transparent;

use agentsh_protocol::api::{ProxyInfo, SessionInfo};
use agentsh_tests::{Outcome, Result, Shell, User, World, fail, session, skips};

/// Both users under every engine of the network that this machine has for them: what asks for it in a policy.
fn everywhere() -> Result<Vec<(User, &'static str)>> {
    let keys = ["", "network: {namespace: private}\n"];
    let mut cases: Vec<(User, &str)> = Vec::new();
    for key in keys {
        cases.extend(User::both().map(|user| (user, key)));
    }
    let ebpf = agentsh_sandbox::probe::ebpf();
    match ebpf.works() {
        true => cases.push((User::root(), "network: {engine: ebpf}\n")),
        false => skips::skip("network-engines", ebpf.detail())?,
    }
    Ok(cases)
}

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
