//! `agentsh exec`: streams, statuses, reports.

use agentsh_tests::{Ended, Input, Output, Result, User, World, fail, session};

use agentsh_tests::mirror::Report;

fn world() -> Result<(World, String)> {
    let world = World::new(User::agent())?;
    let rules = "command_rules:\n  - {name: banned, commands: [md5sum], decision: deny, message: \"use sha1sum\"}\n  - {name: rest, commands: [\"*\"], decision: allow}\n";
    let id = session::with_rules(&world, rules)?.id;
    Ok((world, id))
}

fn report(world: &World, id: &str, options: &[&str], argv: &[&str]) -> Result<Report> {
    let options: Vec<&str> = ["--output", "json"].iter().chain(options).copied().collect();
    session::exec(id, &options, argv).run(world)?.json()
}

#[test]
fn the_commands_end_is_its_own() -> Result {
    let (world, id) = world()?;
    for status in [0, 1, 42, 124, 125, 126, 255] {
        session::run(&world, &id, &["sh", "-c", &format!("exit {status}")])?.expect_exit(status, "exit")?;
    }
    for signal in [libc::SIGTERM, libc::SIGKILL, libc::SIGSEGV] {
        let outcome = session::run(&world, &id, &["sh", "-c", &format!("ulimit -c 0; kill -{signal} $$")])?;
        if !matches!(outcome.ended, Ended::Signal { number, .. } if number == signal) {
            return Err(fail(format!("{signal}: {outcome:?}")));
        }
    }
    session::run(&world, &id, &["nosuchprogram"])?.expect_exit(127, "not found")?;
    let told = report(&world, &id, &[], &["nosuchprogram"])?;
    if told.exit_code != Some(127) || told.guidance.status != "failed" {
        return Err(fail(format!("{told:?}")));
    }
    session::run(&world, "nosuchsession", &["true"])?.expect_exit(125, "no session")?;
    Ok(())
}

#[test]
fn the_streams_are_the_callers_own() -> Result {
    let (world, id) = world()?;
    let start = session::exec(&id, &[], &["sh", "-c", "cat; echo err >&2; echo three >&3"]);
    let outcome = start
        .stdin(Input::Bytes(vec![0, 255, 10, 1]))
        .writes(3, Output::Pipe)
        .run(&world)?;
    if outcome.stdout != [0, 255, 10, 1] || outcome.err() != "err\n" || outcome.extra[&3] != b"three\n" {
        return Err(fail(format!("{outcome:?}")));
    }
    Ok(())
}

#[test]
fn folder_environment_and_arguments_arrive() -> Result {
    let (world, id) = world()?;
    let start = session::exec(
        &id,
        &["--cwd", "/usr", "--env", "GIVEN=a b"],
        &["sh", "-c", "pwd; echo \"$GIVEN|$1|$2\"", "x", "--output", ""],
    );
    let outcome = start.run(&world)?;
    match outcome.out() == "/usr\na b|--output|\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn the_time_limit_ends_the_command_and_all_it_started() -> Result {
    let (world, id) = world()?;
    let outcome = session::exec(&id, &["--timeout", "1s"], &["sh", "-c", "sleep 1000 & sleep 1000"]).run(&world)?;
    outcome.expect_exit(124, "timeout")?;
    let gone = || world.strays().is_empty();
    match agentsh_tests::world::processes::wait_until(std::time::Duration::from_secs(20), gone) {
        true => Ok(()),
        false => Err(fail(format!("{:#?}", world.strays()))),
    }
}

#[test]
fn the_report_says_what_came_of_it() -> Result {
    let (world, id) = world()?;
    let done = report(
        &world,
        &id,
        &["--events", "all"],
        &["sh", "-c", "printf 'a\\377'; echo e >&2; exit 3"],
    )?;
    if done.exit_code != Some(3)
        || done.signal.is_some()
        || done.stdout.0 != b"a\xff"
        || done.stderr_bytes != 2
        || done.truncated
    {
        return Err(fail(format!("{done:?}")));
    }
    if done.schema_version != 1
        || done.session_id != id
        || done.guidance.status != "failed"
        || done.resources.max_rss_kb == 0
    {
        return Err(fail(format!("{done:?}")));
    }
    let killed = report(&world, &id, &[], &["sh", "-c", "kill -9 $$"])?;
    if killed.exit_code.is_some() || killed.signal != Some(9) {
        return Err(fail(format!("{killed:?}")));
    }
    let blocked = report(
        &world,
        &id,
        &["--events", "blocked"],
        &[
            "sh",
            "-c",
            "md5sum --version 2>/dev/null; sha1sum --version > /dev/null",
        ],
    )?;
    let only_denials = blocked
        .events
        .iter()
        .all(|event| event.policy.as_ref().is_some_and(|policy| policy.decision == "deny"));
    let guidance = &blocked.guidance;
    if blocked.events.is_empty()
        || !only_denials
        || guidance.rule.as_deref() != Some("banned")
        || guidance.target.is_none()
    {
        return Err(fail(format!("{blocked:?}")));
    }
    let refused = report(&world, &id, &["--events", "none"], &["md5sum", "--version"])?;
    if refused.exit_code != Some(126)
        || refused.policy.decision != "deny"
        || refused.policy.rule.as_deref() != Some("banned")
        || refused.guidance.status != "blocked"
        || !refused.events.is_empty()
    {
        return Err(fail(format!("{refused:?}")));
    }
    Ok(())
}

#[test]
fn long_output_is_cut_in_the_report_and_whole_on_the_disk() -> Result {
    let (world, id) = world()?;
    let long = report(
        &world,
        &id,
        &["--events", "none"],
        &["head", "-c", "3000000", "/dev/zero"],
    )?;
    if !long.truncated || long.stdout_bytes != 3_000_000 || long.stdout.0.len() != 1 << 20 {
        return Err(fail(format!("{} of {}", long.stdout.0.len(), long.stdout_bytes)));
    }
    let whole = world.agentsh(["output", &long.command_id])?;
    match whole.stdout.len() == 3_000_000 && whole.stdout.iter().all(|byte| *byte == 0) {
        true => Ok(()),
        false => Err(fail(format!("{} bytes, {:?}", whole.stdout.len(), whole.ended))),
    }
}
