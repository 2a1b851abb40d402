//! Protection of ourselves: from inside of a session nothing of what guards it can be written, signalled, stopped,
//! traced, exhausted or impersonated. By effect: the session still judges afterwards.

mod adopted;
mod daemons;
mod files;
mod floods;
mod people;

use std::time::Duration;

use agentsh_tests::{Result, User, World, enforced, fail, session};

const PATIENCE: Duration = Duration::from_secs(30);

/// Everything but what protects itself is free here: what is refused, is refused by us.
const RULES: &str = r#"version: 1
name: open
defaults: {read: allow, write: allow, command: allow, network: allow, unix_socket: allow, signal: allow}
command_rules:
  - {name: banned, commands: [factor], decision: deny}
  - {name: rest, commands: ["*"], decision: allow}
"#;

fn world(user: User) -> Result<(World, String)> {
    let world = World::new(user)?;
    enforced::prove(&world)?;
    for session in world
        .agentsh(["session", "list", "--json"])?
        .json::<Vec<serde_json::Value>>()?
    {
        let id = session["id"].as_str().unwrap_or_default().to_owned();
        world.agentsh(["session", "destroy", &id])?.expect_success("destroy")?;
    }
    let path = session::write_policy(&world, "open", RULES)?;
    let id = session::create(&world, &["--policy", &path.to_string_lossy()])?.id;
    Ok((world, id))
}

/// The session still judges and records.
fn still_guards(world: &World, id: &str, what: &str) -> Result {
    let outcome = session::run(world, id, &["sh", "-c", "factor 7; echo $?"])?;
    if outcome.out() != "126\n" {
        return Err(fail(format!("{what}: {outcome:?}")));
    }
    if world.brokers().len() != 1 || world.supervisors().is_empty() {
        return Err(fail(format!("{what}: {:#?}", world.daemons())));
    }
    Ok(())
}

fn python(world: &World, id: &str, text: &str) -> Result<String> {
    world.user().write_file(&world.workspace().join("p.py"), text, 0o644)?;
    let outcome = session::run(world, id, &["python3", "p.py"])?;
    outcome.expect_success("p.py")?;
    Ok(outcome.out())
}
