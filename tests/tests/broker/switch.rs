//! The kill switch.

use std::time::Duration;

use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::{signal_all, wait_until};
use agentsh_tests::{Ended, Output, Result, Shell, User, World, enforced, fail, session};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn everything_ends_and_nothing_starts_until_it_is_lifted() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let id = session::create(&world, &[])?.id;
        let text = "setsid sleep 1000 & nohup sh -c 'sleep 1000; true' & sleep 1000";
        let shell = Shell::named("bash")
            .args(["-c", text])
            .stdout(Output::Null)
            .stderr(Output::Null);
        let mut child = shell.spawn_with(&world, &Subject::shims())?;
        if !wait_until(PATIENCE, || {
            world
                .strays()
                .iter()
                .filter(|process| process.line == "sleep 1000")
                .count()
                == 3
        }) {
            return Err(fail(format!("{:#?}", world.strays())));
        }
        world.agentsh(["kill", "--all"])?.expect_success("kill --all")?;
        child.wait(PATIENCE)?;
        if !wait_until(PATIENCE, || world.strays().is_empty()) {
            return Err(fail(format!("left over: {:#?}", world.strays())));
        }
        let refused = |when: &str| -> Result {
            let outcome = world.shimmed("echo in")?;
            let by_exec = session::run(&world, &id, &["echo", "in"])?;
            match outcome.ended == Ended::Exit(126)
                && outcome.stdout.is_empty()
                && by_exec.ended != Ended::Exit(0)
                && by_exec.stdout.is_empty()
            {
                true => Ok(()),
                false => Err(fail(format!("{when}: {outcome:?} {by_exec:?}"))),
            }
        };
        refused("after the switch")?;
        signal_all(&world.brokers(), libc::SIGKILL);
        wait_until(PATIENCE, || world.brokers().is_empty());
        refused("after a new broker")?;
        world.agentsh(["kill", "--lift"])?.expect_success("kill --lift")?;
        let outcome = world.shimmed("echo in")?;
        if outcome.out() != "in\n" {
            return Err(fail(format!("after it was lifted: {outcome:?}")));
        }
        enforced::prove(&world)?;
    }
    Ok(())
}

#[test]
fn it_cannot_be_lifted_from_inside() -> Result {
    let world = World::new(User::agent())?;
    let agentsh = format!("{}/agentsh", agentsh_tests::world::PRODUCT);
    let shell = Shell::named("bash").args(["-c", &format!("{agentsh} kill --lift; echo $?; {agentsh} kill --all; echo $?; {agentsh} session create --workspace .; echo $?; {agentsh} broker stop; echo $?")]);
    let outcome = shell.run_shimmed(&world)?;
    if outcome.out().lines().any(|line| line == "0" || line.contains("\"id\"")) {
        return Err(fail(format!("{outcome:?}")));
    }
    enforced::prove(&world)
}

#[test]
fn one_command_and_one_session_can_be_ended() -> Result {
    let world = World::new(User::agent())?;
    let id = session::create(&world, &["--name", "mine"])?.id;
    let start = |mark: &str| -> Result<agentsh_tests::child::Child> {
        let shell = session::exec("mine", &[], &["sh", "-c", &format!("sleep {mark}; true")])
            .stdout(Output::Null)
            .stderr(Output::Null);
        shell.spawn(&world)
    };
    let runs = |mark: &str| {
        world
            .strays()
            .iter()
            .any(|process| process.line == format!("sleep {mark}"))
    };
    let (mut one, mut two) = (start("5001")?, start("5002")?);
    if !wait_until(PATIENCE, || runs("5001") && runs("5002")) {
        return Err(fail(format!("{:#?}", world.strays())));
    }
    let info = world.agentsh(["session", "info", "mine", "--json"])?;
    info.expect_success("session info")?;
    let started = agentsh_tests::record::await_event(&world, "5001", |event| {
        event.kind == "command_started" && event.line().contains("5001")
    })?;
    world
        .agentsh(["kill", started.command_id.as_deref().unwrap_or_default()])?
        .expect_success("kill COMMAND")?;
    one.wait(PATIENCE)?;
    if runs("5001") || !runs("5002") {
        return Err(fail(format!("{:#?}", world.strays())));
    }
    world.agentsh(["kill", &id])?.expect_success("kill SESSION")?;
    two.wait(PATIENCE)?;
    match wait_until(PATIENCE, || world.strays().is_empty() && world.supervisors().is_empty()) {
        true => Ok(()),
        false => Err(fail(format!("{:#?}", world.processes()))),
    }
}
