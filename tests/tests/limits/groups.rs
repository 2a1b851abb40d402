//! The groups themselves: nobody leaves them, and nothing is left of them.

use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::{Process, signal_all, wait_until};
use agentsh_tests::{Result, Shell, User, World, fail, record, session};

use crate::{PATIENCE, limited, recorded_groups};

const LIMITS: &str = "max_memory_mb: 512, pids_max: 100";

/// The groups that are there now, of at least one that was made.
fn left(world: &World) -> Result<Vec<std::path::PathBuf>> {
    let groups = recorded_groups(world)?;
    match groups.is_empty() {
        true => Err(fail("no group was made")),
        false => Ok(groups.into_iter().filter(|folder| folder.exists()).collect()),
    }
}

fn all_gone(world: &World) -> Result {
    match wait_until(PATIENCE, || left(world).is_ok_and(|left| left.is_empty())) {
        true => Ok(()),
        false => Err(fail(format!("left: {:?}", left(world)))),
    }
}

/// A command in a session with limits, which has started.
fn running(world: &World, text: &str) -> Result<agentsh_tests::child::Child> {
    limited(world, LIMITS)?;
    let text = format!("touch started; {text}");
    let child = Shell::named("bash")
        .args(["-c", &text])
        .spawn_with(world, &Subject::shims())?;
    let on_record = || recorded_groups(world).is_ok_and(|groups| !groups.is_empty());
    match wait_until(PATIENCE, || world.workspace().join("started").exists() && on_record()) {
        true => Ok(child),
        false => Err(fail("it does not start")),
    }
}

#[test]
fn a_group_goes_with_its_last_process() -> Result {
    let world = World::new(User::root())?;
    let mut child = running(&world, "sleep 3 &")?;
    child.wait(PATIENCE)?;
    if left(&world)?.len() != 2 {
        return Err(fail("the group went before its last process"));
    }
    all_gone(&world)
}

#[test]
fn a_command_without_limits_has_no_group() -> Result {
    let world = World::new(User::root())?;
    let info = session::with_rules(&world, "")?;
    session::run(&world, &info.id, &["true"])?.expect_success("true")?;
    record::await_event(&world, "the command", |event| event.kind == "command_started")?;
    match recorded_groups(&world)?.is_empty() {
        true => Ok(()),
        false => Err(fail("a group was made for nothing")),
    }
}

#[test]
fn the_end_of_a_session_leaves_neither_processes_nor_groups() -> Result {
    let world = World::new(User::root())?;
    let mut child = running(&world, "setsid sleep 1000 & sleep 1000")?;
    let id = agentsh_tests::record::sessions(&world)?
        .pop()
        .ok_or_else(|| fail("no session"))?;
    let id = id.file_name().unwrap_or_default().to_string_lossy().into_owned();
    world.agentsh(["session", "destroy", &id])?.expect_success("destroy")?;
    child.wait(PATIENCE)?;
    all_gone(&world)?;
    match wait_until(PATIENCE, || world.strays().is_empty()) {
        true => Ok(()),
        false => Err(fail(format!("left: {:?}", world.strays()))),
    }
}

#[test]
fn a_dead_supervisor_leaves_no_group() -> Result {
    let world = World::new(User::root())?;
    let mut child = running(&world, "sleep 1000")?;
    signal_all(&world.supervisors(), libc::SIGKILL);
    child.wait(PATIENCE)?;
    all_gone(&world)
}

#[test]
fn the_next_broker_removes_what_dead_ones_left() -> Result {
    let world = World::new(User::root())?;
    let mut child = running(&world, "sleep 1000")?;
    // Stopped first, so that none of them can react to the other's end.
    for signal in [libc::SIGSTOP, libc::SIGKILL] {
        signal_all(&world.daemons(), signal);
    }
    if !wait_until(PATIENCE, || world.daemons().is_empty()) {
        return Err(fail("they do not die"));
    }
    if left(&world)?.is_empty() {
        return Err(fail("nothing was left to be removed"));
    }
    world.shimmed("true")?;
    child.wait(PATIENCE)?;
    all_gone(&world)
}

#[test]
fn a_supervisor_that_outlived_its_broker_leaves_nothing_when_it_dies() -> Result {
    let world = World::new(User::root())?;
    let mut child = running(&world, "sleep 1000")?;
    signal_all(&world.brokers(), libc::SIGKILL);
    if !wait_until(PATIENCE, || world.brokers().is_empty()) {
        return Err(fail("the broker does not die"));
    }
    let supervisors = world.supervisors();
    world.shimmed("true")?;
    if left(&world)?.is_empty() || !supervisors.iter().all(Process::is_alive) {
        return Err(fail("the next broker ended what had a supervisor"));
    }
    signal_all(&supervisors, libc::SIGKILL);
    child.wait(PATIENCE)?;
    all_gone(&world)
}

#[test]
fn nobody_inside_leaves_the_group_whatever_policy_says() -> Result {
    let world = World::new(User::root())?;
    let rules = format!("  - {{name: all, paths: ['/**'], decision: allow}}\nresource_limits: {{{LIMITS}}}\n");
    let info = session::with_rules(&world, &rules)?;
    let text = "before=$(cat /proc/self/cgroup); for file in $(find /sys/fs/cgroup -maxdepth 2 -name tasks -o -maxdepth 2 -name cgroup.procs); do { echo $$ > $file; } 2>/dev/null && echo \"left by $file\"; done; mkdir /sys/fs/cgroup/pids/mine 2>/dev/null && echo made; [ \"$before\" = \"$(cat /proc/self/cgroup)\" ] && echo same";
    let outcome = session::run(&world, &info.id, &["bash", "-c", text])?;
    match outcome.out() == "same\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}
