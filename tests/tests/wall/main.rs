//! The wall in the kernel around a session's commands (`network.engine: ebpf`).

mod above;
mod attacks;
mod shared;

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::{signal_all, wait_until};
use agentsh_tests::{Result, Shell, User, World, fail, record, session, skips};

const PATIENCE: Duration = Duration::from_secs(60);
const WALLED: &str = "network: {engine: ebpf}\n";

/// Behind the wall policy lets one port be reached, by whoever asks for it.
fn one_port(port: u16) -> String {
    format!(
        "{WALLED}network_rules:\n  - {{name: one, ports: [{port}], operations: [connect], decision: allow}}\n  - {{name: rest, operations: [connect, send], decision: deny}}\n"
    )
}

/// A session behind a wall; `None` where this machine has none.
fn walled(world: &World, name: &str, rules: &str) -> Result<Option<agentsh_protocol::api::SessionInfo>> {
    let detected: serde_json::Value = world.agentsh(["detect", "--json"])?.json()?;
    let layers = detected["layers"].as_array().cloned().unwrap_or_default();
    let ebpf = layers.iter().find(|layer| layer["layer"] == "ebpf");
    match ebpf.is_some_and(|layer| layer["works"] == true) {
        true => session::with_rules(world, rules).map(Some),
        false => skips::skip(name, &format!("{ebpf:?}")).map(|()| None),
    }
}

/// A sleeping command of the session, and the v2 folder of its group.
fn sleeper(world: &World) -> Result<(agentsh_tests::child::Child, PathBuf, String)> {
    let child = Shell::named("bash")
        .args(["-c", "sleep 1000; :"])
        .spawn_with(world, &Subject::shims())?;
    let event = record::await_event(world, "a command in a group", |event| event.fields.contains_key("wall"))?;
    let wall = event.fields.get("wall").and_then(|wall| wall.as_str());
    let folder = wall.map(PathBuf::from);
    let folder = folder.ok_or_else(|| fail("no group"))?;
    Ok((child, folder, event.command_id.unwrap_or_default()))
}

/// Tries to reach the port from inside a group, under no filter at all; what came of it.
fn from_the_group(world: &World, folder: &std::path::Path, port: u16) -> Result<String> {
    let text = format!(
        "echo 0 > {}/cgroup.threads && exec python3 -c '
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    try:
        socket.socket(socket.AF_INET, kind).connect((\"127.0.0.1\", {port}))
        print(\"reached\")
    except OSError as error:
        print(error.errno)
'",
        folder.display()
    );
    Ok(Shell::program("sh").args(["-c", &text]).run(world)?.out())
}

#[test]
fn what_is_judged_passes_and_is_recorded() -> Result {
    let world = World::new(User::root())?;
    let Some(info) = walled(&world, "wall-judged", WALLED)? else {
        return Ok(());
    };
    let layer = info.layers.iter().find(|layer| layer.layer == "ebpf");
    if layer.is_none_or(|layer| layer.enforced != agentsh_protocol::api::Enforced::Fully) {
        return Err(fail(format!("{:?}", info.layers)));
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let text = format!(
        "
import socket
tcp = socket.create_connection((\"127.0.0.1\", {port}))
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((\"127.0.0.1\", 0))
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.sendto(b\"one\", server.getsockname())
client.connect(server.getsockname())
client.send(b\"two\")
print(server.recv(9), server.recv(9))
"
    );
    let outcome = session::run(&world, &info.id, &["python3", "-c", &text])?;
    outcome.expect_success("python3")?;
    if outcome.out() != "b'one' b'two'\n" || listener.accept().is_err() {
        return Err(fail(format!("{outcome:?}")));
    }
    record::await_event(&world, "the connection", |event| {
        event.is_connect(&format!("127.0.0.1:{port}")) && event.layer.as_deref() == Some("ebpf")
    })
    .map(drop)
}

#[test]
fn what_went_around_the_judge_does_not_leave_and_is_told() -> Result {
    let world = World::new(User::root())?;
    let allowed = TcpListener::bind("127.0.0.1:0")?;
    allowed.set_nonblocking(true)?;
    let open = allowed.local_addr()?.port();
    if walled(&world, "wall-around", &one_port(open))?.is_none() {
        return Ok(());
    }
    let (mut child, folder, command) = sleeper(&world)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let expected = format!("{0}\n{0}\n", libc::EPERM);
    let came = from_the_group(&world, &folder, port)?;
    if came != expected || listener.accept().is_ok() {
        return Err(fail(format!("from the group: {came}")));
    }
    let event = record::await_event(&world, "what the wall stopped", |event| {
        event.is_connect(&format!("127.0.0.1:{port}")) && event.layer.as_deref() == Some("ebpf")
    })?;
    if event.command_id.as_ref() != Some(&command) {
        return Err(fail(format!("{event:?}")));
    }
    // What policy simply allows the kernel knows by itself, and who it was; datagrams are not among that.
    let came = from_the_group(&world, &folder, open)?;
    if came != format!("reached\n{}\n", libc::EPERM) || allowed.accept().is_err() {
        return Err(fail(format!("to what is allowed: {came}")));
    }
    let event = record::await_event(&world, "what the wall let through", |event| {
        event.is_connect(&format!("127.0.0.1:{open}")) && event.layer.as_deref() == Some("ebpf")
    })?;
    let rule = event.policy.as_ref().and_then(|policy| policy.rule.as_deref());
    if event.command_id.as_ref() != Some(&command) || rule != Some("one") {
        return Err(fail(format!("{event:?}")));
    }
    // With nobody left who judges, nothing passes.
    signal_all(&world.brokers(), libc::SIGSTOP);
    signal_all(&world.supervisors(), libc::SIGKILL);
    if !wait_until(PATIENCE, || world.supervisors().is_empty()) {
        return Err(fail("the supervisor lives"));
    }
    for (port, listener) in [(port, &listener), (open, &allowed)] {
        let came = from_the_group(&world, &folder, port)?;
        if came != expected || listener.accept().is_ok() {
            return Err(fail(format!("after the supervisor's death: {came}")));
        }
    }
    signal_all(&world.brokers(), libc::SIGCONT);
    child.wait(PATIENCE)?;
    match wait_until(PATIENCE, || !folder.exists()) {
        true => Ok(()),
        false => Err(fail("the group is left")),
    }
}

#[test]
fn what_cannot_be_told_is_counted_and_does_not_leave() -> Result {
    let world = World::new(User::root())?;
    let (allowed, listener) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    listener.set_nonblocking(true)?;
    let (open, port) = (allowed.local_addr()?.port(), listener.local_addr()?.port());
    if walled(&world, "wall-flood", &one_port(open))?.is_none() {
        return Ok(());
    }
    std::thread::spawn(move || allowed.incoming().for_each(drop));
    let (mut child, folder, _) = sleeper(&world)?;
    // Nobody takes events away while more of them come than there is room for.
    signal_all(&world.supervisors(), libc::SIGSTOP);
    let text = format!(
        "echo 0 > {}/cgroup.threads && exec python3 -c '
import socket
denied=passed=0
for _ in range(5000):
    try: socket.socket().connect((\"127.0.0.1\", {port}))
    except PermissionError: denied+=1
for _ in range(500): socket.socket().connect((\"127.0.0.1\", {open})); passed+=1
print(denied, passed)'",
        folder.display()
    );
    let came = Shell::program("sh").args(["-c", &text]).run(&world)?.out();
    signal_all(&world.supervisors(), libc::SIGCONT);
    if came != "5000 500\n" || listener.accept().is_ok() {
        return Err(fail(format!("from the group: {came}")));
    }
    record::await_event(&world, "the loss", |event| event.kind == "events_lost")?;
    // Every one of them was told or is among those that are said to be lost.
    let ends = [format!("127.0.0.1:{port}"), format!("127.0.0.1:{open}")];
    let counted = || -> u64 {
        let all = record::events(&world).unwrap_or_default();
        // What is lost of the ends of connections is another matter.
        let by_the_wall = |event: &record::Event| {
            let what = event.fields.get("lost").and_then(serde_json::Value::as_str);
            event.kind == "events_lost" && what.is_some_and(|what| what.contains("the wall"))
        };
        let of_both = |event: &&record::Event| by_the_wall(event) || ends.iter().any(|remote| event.is_connect(remote));
        all.iter().filter(of_both).map(|event| event.count.max(1)).sum()
    };
    if !wait_until(PATIENCE, || counted() == 5500) {
        return Err(fail(format!("{} of 5500 are told or lost", counted())));
    }
    signal_all(&world.strays(), libc::SIGKILL);
    child.wait(PATIENCE).map(drop)
}

#[test]
fn a_session_that_cannot_have_its_wall_is_refused() -> Result {
    let world = World::new(User::agent())?;
    let policy = session::write_policy(&world, "walled", &format!("{}{WALLED}", session::BASE))?;
    let outcome = world.agentsh(["session", "create", "--policy", &policy.to_string_lossy()])?;
    let refused = outcome.expect_exit(1, "session create").is_ok() && outcome.err().contains("network.engine is ebpf");
    match refused {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}
