//! The group that commands share behind the wall.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agentsh_sandbox::cgroup::{Hierarchies, Version};
use agentsh_tests::network::Far;
use agentsh_tests::world::SHIMS;
use agentsh_tests::world::processes::{signal_all, wait_until};
use agentsh_tests::{Result, Shell, User, World, fail, record, session};

use crate::above::Above;
use crate::{PATIENCE, WALLED, walled};

/// Policy leaves the engine to the host.
const PLAIN: &str = "";

/// The group behind the wall of the command with this line.
fn group_of(world: &World, line: &str) -> Result<Option<PathBuf>> {
    let event = record::await_event(world, line, |event| {
        event.kind == "command_started" && event.line().contains(line)
    })?;
    let wall = event.fields.get("wall").and_then(|wall| wall.as_str());
    Ok(wall.map(PathBuf::from))
}

/// The folder of the group in which the calling process is.
fn own() -> Result<PathBuf> {
    let below = Hierarchies::mounted()?.group_of(std::process::id() as i32, Version::V2, "")?;
    below.ok_or_else(|| fail("no v2 hierarchy"))
}

fn expect(found: &str, wanted: &str) -> Result {
    match found == wanted {
        true => Ok(()),
        false => Err(fail(format!("expected {wanted:?}, found {found:?}"))),
    }
}

#[test]
fn commands_from_one_group_share_another_below_it_that_goes_with_the_session() -> Result {
    let world = World::new(User::root())?;
    let Some(info) = walled(&world, "wall-shared", PLAIN)? else {
        return Ok(());
    };
    let above = Above::new()?;
    for word in ["one", "two"] {
        world
            .shimmed(&format!("echo {word}"))?
            .expect_out(&format!("{word}\n"))?;
        above
            .run(&world, &format!("echo below-{word}"))?
            .expect_out(&format!("below-{word}\n"))?;
    }
    let name = format!("agentsh-{}", info.id);
    let (here, there) = (own()?.join(&name), above.folder().join(&name));
    for word in ["one", "two"] {
        let found = (
            group_of(&world, &format!("-c echo {word}"))?,
            group_of(&world, &format!("echo below-{word}"))?,
        );
        if found != (Some(here.clone()), Some(there.clone())) {
            return Err(fail(format!("{found:?}")));
        }
    }
    if !here.exists() {
        return Err(fail("the group is gone before its session"));
    }
    world
        .agentsh(["session", "destroy", &info.id])?
        .expect_success("session destroy")?;
    match here.exists() || there.exists() {
        true => Err(fail("the session's groups are left")),
        false => Ok(()),
    }
}

#[test]
fn what_programs_read_of_their_groups_is_what_they_read_outside() -> Result {
    let world = World::new(User::root())?;
    if walled(&world, "wall-hidden", PLAIN)?.is_none() {
        return Ok(());
    }
    let above = Above::new()?;
    let text = "cat /proc/self/cgroup /proc/thread-self/cgroup /proc/self/task/*/cgroup; cd /proc/self && cat cgroup; sleep 1000 & cat /proc/$!/cgroup; kill $!;
python3 -c '
import os, stat
f = os.open(\"/proc/self/cgroup\", os.O_RDONLY)
os.set_inheritable(f, True)
print(stat.S_ISREG(os.fstat(f).st_mode), oct(os.fstat(f).st_mode & 0o777), os.read(f, 1 << 16).decode(), os.lseek(f, 0, 0))
try: os.write(f, b\"x\")
except OSError as e: print(e.errno)
print(os.read(os.open(f\"/proc/self/fd/{f}\", os.O_RDONLY), 1 << 16).decode())'";
    let real = Shell::program("bash").args(["-c", text]).run(&world)?;
    real.expect_success("the real shell")?;
    expect(&world.shimmed(text)?.out(), &real.out())?;
    let entered = format!(
        "echo 0 >'{}/cgroup.procs' && exec bash -c \"$1\"",
        above.folder().display()
    );
    let real = Shell::program("sh").args(["-c", &entered, "sh", text]).run(&world)?;
    if !real.out().contains("/tests-") {
        return Err(fail(format!("{real:?}")));
    }
    expect(&above.run(&world, text)?.out(), &real.out())
}

#[test]
fn where_the_wall_cannot_be_every_call_is_judged_and_the_record_says_it() -> Result {
    let world = World::new(User::root())?;
    let (reached, shut) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    let (open, shut_port) = (reached.local_addr()?.port(), shut.local_addr()?.port());
    shut.set_nonblocking(true)?;
    let rules = format!(
        "network_rules:\n  - {{name: one, ports: [{open}], operations: [connect], decision: allow}}\n  - {{name: rest, operations: [connect, send], decision: deny}}\n"
    );
    if walled(&world, "wall-not-there", &rules)?.is_none() {
        return Ok(());
    }
    let above = Above::new()?;
    above.close()?;
    let text = format!(
        "python3 -c '
import socket
for port in ({open}, {shut_port}):
    try:
        socket.socket().connect((\"127.0.0.1\", port))
        print(\"reached\")
    except OSError as error: print(error.errno)'"
    );
    let outcome = above.run(&world, &text)?;
    expect(&outcome.out(), &format!("reached\n{}\n", libc::EACCES))
        .map_err(|error| fail(format!("{error}: {outcome:?}")))?;
    if shut.accept().is_ok() || reached.accept().is_err() {
        return Err(fail("it left, or what may leave did not"));
    }
    let degraded = record::await_event(&world, "what is missing", |event| event.kind == "sandbox_degraded")?;
    let told = format!("{:?}", degraded.fields.get("not_held"));
    if !told.contains("network.engine") || degraded.command_id.is_none() {
        return Err(fail(told));
    }
    let event = record::await_event(&world, "the refusal", |event| {
        event.is_connect(&format!("127.0.0.1:{shut_port}"))
    })?;
    expect(event.layer.as_deref().unwrap_or_default(), "notify")
}

#[test]
fn what_the_kernel_let_through_is_told_before_the_end_of_its_command() -> Result {
    let world = World::new(User::root())?;
    // This machine's own addresses are the supervisor's to judge.
    let far = Far::enter()?;
    let server = far.serve("203.0.113.10:443")?;
    let rules = "network_rules:\n  - {name: one, cidrs: [203.0.113.0/24], operations: [connect], decision: allow}\n";
    let Some(info) = walled(&world, "wall-told", rules)? else {
        return Ok(());
    };
    // The end of a connection has its beginning told first: here it goes on.
    let text = "import socket,os,time
s=socket.create_connection((\"203.0.113.10\", 443))
if os.fork() == 0:
    os.closerange(0, 3); time.sleep(1000)
os._exit(0)";
    for round in 0..10 {
        let options = ["--output", "json", "--events", "all"];
        let shell = session::exec(&info.id, &options, &["python3", "-c", text]);
        let told: serde_json::Value = shell.run(&world)?.json()?;
        let events = told["events"].as_array().cloned().unwrap_or_default();
        let connects = events
            .iter()
            .filter(|event| event["type"] == "net_connect" && event["layer"] == "ebpf");
        if connects.count() != 1 {
            return Err(fail(format!("round {round}: {told:#}")));
        }
    }
    let all = record::events(&world)?;
    let place = |kind: &str, command: &Option<String>| {
        all.iter()
            .position(|event| event.kind == kind && event.command_id == *command)
    };
    for connect in all.iter().filter(|event| event.kind == "net_connect") {
        let command = &connect.command_id;
        if place("net_connect", command) > place("command_finished", command) {
            return Err(fail(format!("told after its command's end: {connect:?}")));
        }
    }
    match server.count() {
        10 => Ok(()),
        other => Err(fail(format!("{other} of 10 arrived"))),
    }
}

#[test]
fn where_nothing_less_is_taken_no_command_runs_without_a_wall_that_the_host_has() -> Result {
    let world = World::new(User::root())?;
    fs::create_dir_all("/etc/agentsh")?;
    fs::write("/etc/agentsh/config.yaml", "security: {strict: true}\n")?;
    if walled(&world, "wall-strict", PLAIN)?.is_none() {
        return Ok(());
    }
    world.shimmed("echo ran")?.expect_out("ran\n")?;
    let above = Above::new()?;
    above.close()?;
    let outcome = above.run(&world, "echo ran")?;
    match outcome.expect_exit(126, "the stand-in").is_ok() && outcome.err().contains("its control group") {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn where_the_wall_is_asked_for_no_command_runs_without() -> Result {
    let world = World::new(User::root())?;
    if walled(&world, "wall-asked", WALLED)?.is_none() {
        return Ok(());
    }
    world.shimmed("echo ran")?.expect_out("ran\n")?;
    let above = Above::new()?;
    above.close()?;
    let outcome = above.run(&world, "echo ran")?;
    outcome.expect_exit(126, "the stand-in")?;
    if !outcome.out().is_empty() || !outcome.err().contains("its control group") || outcome.err().lines().count() != 1 {
        return Err(fail(format!("{outcome:?}")));
    }
    Ok(())
}

#[test]
fn a_group_that_nobody_is_left_in_can_be_taken_away_while_the_session_lives() -> Result {
    let world = World::new(User::root())?;
    if walled(&world, "wall-left", PLAIN)?.is_none() {
        return Ok(());
    }
    // The daemons stand elsewhere.
    world.shimmed("true")?.expect_success("the first")?;
    let above = Above::new()?;
    for _ in 0..3 {
        above.run(&world, "echo ran")?.expect_out("ran\n")?;
        if !above.goes() {
            return Err(fail("somebody else's group cannot be removed"));
        }
        fs::create_dir(above.folder())?;
    }
    Ok(())
}

#[test]
fn a_group_that_somebody_removed_is_made_anew() -> Result {
    let world = World::new(User::root())?;
    let Some(info) = walled(&world, "wall-removed", PLAIN)? else {
        return Ok(());
    };
    let folder = own()?.join(format!("agentsh-{}", info.id));
    for _ in 0..3 {
        world.shimmed("cat /proc/self/cgroup")?.expect_success("a command")?;
        if !wait_until(PATIENCE, || fs::remove_dir(&folder).is_ok()) {
            return Err(fail("the group stays in use"));
        }
    }
    world.shimmed("echo ran")?.expect_out("ran\n")?;
    match folder.exists() {
        true => Ok(()),
        false => Err(fail("no group")),
    }
}

#[test]
fn sessions_that_come_from_one_group_have_walls_of_their_own() -> Result {
    let world = World::new(User::root())?;
    let Some(first) = walled(&world, "wall-two", PLAIN)? else {
        return Ok(());
    };
    let other = world.user().home.join("work/other");
    world.user().make_folder(&other)?;
    let outcome = world.agentsh(["session", "create", "--workspace", &other.to_string_lossy()])?;
    outcome.expect_success("session create")?;
    let second: agentsh_protocol::api::SessionInfo = outcome.json()?;
    let sleeper = |folder: &Path, time: &str| {
        Shell::program(format!("{SHIMS}/bash"))
            .args(["-c", &format!("sleep {time}; :")])
            .cwd(folder)
            .spawn(&world)
    };
    let (mut one, mut two) = (sleeper(&world.workspace(), "1001")?, sleeper(&other, "1002")?);
    let (sleep_one, sleep_two) = (world.await_process("sleep 1001")?, world.await_process("sleep 1002")?);
    let threads = |session: &str| -> Result<String> {
        Ok(fs::read_to_string(
            own()?.join(format!("agentsh-{session}/cgroup.threads")),
        )?)
    };
    let is_in = |text: &str, pid: i32| text.lines().any(|line| line == pid.to_string());
    let (in_first, in_second) = (threads(&first.id)?, threads(&second.id)?);
    if !is_in(&in_first, sleep_one.pid) || !is_in(&in_second, sleep_two.pid) || is_in(&in_first, sleep_two.pid) {
        return Err(fail(format!("{in_first:?} {in_second:?}")));
    }
    world
        .agentsh(["session", "destroy", &first.id])?
        .expect_success("session destroy")?;
    one.wait(PATIENCE)?;
    if sleep_one.is_alive() || !sleep_two.is_alive() || !is_in(&threads(&second.id)?, sleep_two.pid) {
        return Err(fail("the other session's command is gone"));
    }
    signal_all(&[sleep_two], libc::SIGKILL);
    two.wait(Duration::from_secs(20)).map(drop)
}

#[test]
fn groups_of_processes_beside_ours_stay_what_they_are() -> Result {
    for rules in [PLAIN, WALLED] {
        let world = World::new(User::root())?;
        let Some(info) = walled(&world, "wall-beside", rules)? else {
            return Ok(());
        };
        let kind = |folder: &Path| fs::read_to_string(folder.join("cgroup.type"));
        let above = Above::new()?;
        let beside = above.folder().join("beside");
        fs::create_dir(&beside)?;
        above.run(&world, "echo ran")?.expect_out("ran\n")?;
        let found = group_of(&world, "echo ran")?;
        let kinds = (kind(&beside)?, kind(above.folder())?);
        fs::remove_dir(&beside)?;
        expect(&format!("{} {}", kinds.0.trim(), kinds.1.trim()), "domain domain")?;
        // Only whoever asks for the wall pays for going into a group of processes.
        let ours = above.folder().join(format!("agentsh-{}", info.id));
        if found != (rules == WALLED).then_some(ours) {
            return Err(fail(format!("{rules}: {found:?}")));
        }
        if rules == PLAIN {
            record::await_event(&world, "what is missing", |event| event.kind == "sandbox_degraded")?;
            // With nobody beside, ours is there until the session ends, and the group above is what it was then.
            above.run(&world, "echo again")?.expect_out("again\n")?;
            world
                .agentsh(["session", "destroy", &info.id])?
                .expect_success("session destroy")?;
            expect(kind(above.folder())?.trim(), "domain")?;
        }
    }
    Ok(())
}
