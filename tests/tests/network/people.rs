//! Connections that a person decides about.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use agentsh_protocol::api::SessionInfo;
use agentsh_protocol::approvals::Approval;
use agentsh_tests::child::Child;
use agentsh_tests::record::await_event;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::PRODUCT;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Output, Result, Shell, User, World, fail};

use crate::{TRY, expect, world};

const PATIENCE: Duration = Duration::from_secs(30);

const ASK: &str = "network_rules:
  - {name: ask, cidrs: [203.0.113.10], decision: approve, message: \"may it?\"}
  - {name: rest, decision: deny}
unix_socket_rules:
  - {name: agent, paths: [\"/tmp/agent/**\"], operations: [connect], decision: approve}
";

/// Somebody who watches, seen by the session.
fn watcher(world: &World) -> Result<Child> {
    let child = Shell::program(format!("{PRODUCT}/agentsh"))
        .args(["approve", "--watch", "--json"])
        .stdout(Output::Null)
        .deadline(Duration::from_secs(300))
        .spawn(world)?;
    let sessions: Vec<SessionInfo> = world.agentsh(["session", "list", "--json"])?.json()?;
    let session = sessions.first().ok_or_else(|| fail("there is no session"))?;
    let seen = || {
        world
            .agentsh(["session", "info", "--json", &session.id])
            .is_ok_and(|outcome| !outcome.out().contains("nobody can be asked"))
    };
    match wait_until(PATIENCE, seen) {
        true => Ok(child),
        false => Err(fail("the session does not learn of the watcher")),
    }
}

fn the_question(world: &World) -> Result<Approval> {
    let mut found: Vec<Approval> = Vec::new();
    let there = wait_until(PATIENCE, || {
        let listed = world.agentsh(["approve", "list", "--json"]);
        found = listed.and_then(|outcome| outcome.json()).unwrap_or_default();
        found.len() == 1
    });
    match (there, found.pop()) {
        (true, Some(question)) => Ok(question),
        _ => Err(fail(format!("one question is expected: {found:?}"))),
    }
}

fn start(world: &World, script: &str) -> Result<Child> {
    let path = world.workspace().join("asks.py");
    world.user().write_file(&path, format!("{TRY}{script}"), 0o644)?;
    let shell = Shell::named("bash").args(["-c", "python3 asks.py; true"]);
    shell.spawn_with(world, &Subject::shims())
}

#[test]
fn a_person_sees_who_wants_to_go_where_and_decides() -> Result {
    for user in User::both() {
        let (world, far) = world(user, ASK)?;
        let server = far.serve("203.0.113.10:443")?;
        let _watcher = watcher(&world)?;
        for (word, came, connections) in [("deny", "EACCES", 0), ("allow", "served", 1)] {
            let child = start(&world, "tcp('203.0.113.10',443)")?;
            let question = the_question(&world)?;
            let message = question.message.clone().unwrap_or_default();
            let said =
                message.starts_with("may it? (203.0.113.10:443 by python3") && message.ends_with("child of bash)");
            if !said || question.operation != "connect" {
                return Err(fail(format!("{question:?}")));
            }
            expect(&server.count().to_string(), "0")?;
            world.agentsh(["approve", word, &question.id])?.expect_success(word)?;
            let outcome = child.finish(PATIENCE)?;
            expect(outcome.out().trim_end(), came)?;
            expect(&server.count().to_string(), &connections.to_string())?;
            await_event(&world, "the decision", |event| {
                event.kind == "net_connect"
                    && event
                        .policy
                        .as_ref()
                        .is_some_and(|policy| policy.decision == "approve" && policy.effective.as_deref() == Some(word))
            })?;
        }
    }
    Ok(())
}

#[test]
fn a_conversation_in_datagrams_is_asked_about_once() -> Result {
    let (world, far) = world(User::agent(), ASK)?;
    let datagrams = far.echo("203.0.113.10:443")?;
    let _watcher = watcher(&world)?;
    let script = "
s=socket.socket(F4,U); s.settimeout(20)
for _ in range(50): s.sendto(b'x',('203.0.113.10',443)); s.recv(9)
print('done')";
    let child = start(&world, script)?;
    let question = the_question(&world)?;
    expect(&datagrams.count().to_string(), "0")?;
    world
        .agentsh(["approve", "allow", &question.id])?
        .expect_success("allow")?;
    expect(child.finish(PATIENCE)?.out().trim_end(), "done")?;
    expect(&datagrams.count().to_string(), "50")
}

#[test]
fn somebody_who_is_killed_while_asking_leaves_nothing() -> Result {
    let (world, far) = world(User::agent(), ASK)?;
    let server = far.serve("203.0.113.10:443")?;
    let packets = far.capture()?;
    let _watcher = watcher(&world)?;
    let child = start(&world, "tcp('203.0.113.10',443)")?;
    let question = the_question(&world)?;
    for process in world
        .processes()
        .into_iter()
        .filter(|process| process.pid == question.pid)
    {
        process.signal(libc::SIGKILL);
    }
    child.finish(PATIENCE)?;
    world
        .agentsh(["approve", "allow", &question.id])?
        .expect_success("allow")?;
    expect(&format!("{} {}", server.count(), packets.count()), "0 0")
}

#[test]
fn without_anybody_to_ask_it_is_a_denial() -> Result {
    let (world, far) = world(User::agent(), ASK)?;
    let server = far.serve("203.0.113.10:443")?;
    let outcome = start(&world, "tcp('203.0.113.10',443)")?.finish(PATIENCE)?;
    expect(outcome.out().trim_end(), "EACCES")?;
    expect(&server.count().to_string(), "0")
}

#[test]
fn a_key_agent_is_asked_about_once_in_a_session() -> Result {
    let (world, _far) = world(User::agent(), ASK)?;
    std::fs::create_dir_all("/tmp/agent")?;
    let agent = UnixListener::bind("/tmp/agent/socket")?;
    std::fs::set_permissions("/tmp/agent/socket", std::fs::Permissions::from_mode(0o777))?;
    let _watcher = watcher(&world)?;
    let script = "say(lambda: socket.socket(socket.AF_UNIX).connect('/tmp/agent/socket'))";
    let child = start(&world, script)?;
    let question = the_question(&world)?;
    expect(&question.path.lossy(), "/tmp/agent/socket")?;
    world
        .agentsh(["approve", "allow", &question.id])?
        .expect_success("allow")?;
    expect(child.finish(PATIENCE)?.out().trim_end(), "done")?;
    let again = start(&world, &format!("{script}\n{script}"))?.finish(PATIENCE)?;
    expect(again.out().trim_end(), "done\ndone")?;
    drop(agent);
    Ok(())
}
