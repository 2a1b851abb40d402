//! The other verbs.

use agentsh_tests::record::{Event, await_event};
use agentsh_tests::world::PRODUCT;
use agentsh_tests::{Outcome, Result, Shell, User, World, fail, session};
use serde_json::Value;

use agentsh_tests::mirror::Session;

fn says(outcome: &Outcome, words: &[&str]) -> Result {
    let all = outcome.out() + &outcome.err();
    match words.iter().find(|word| !all.contains(**word)) {
        None => Ok(()),
        Some(word) => Err(fail(format!("{word:?} is not said: {outcome:?}"))),
    }
}

#[test]
fn of_a_workspace_that_nobody_may_enter_it_is_the_folder_that_is_told() -> Result {
    let world = World::new(User::agent())?;
    let closed = world.workspace().join("closed");
    std::fs::create_dir(&closed)?;
    std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    let refused = world.agentsh(["session", "create", "--workspace", "closed"])?;
    says(&refused, &["/closed: Permission denied", "has to be seen"])?;
    match refused.err().contains("policy validate") {
        true => Err(fail(format!("{refused:?}"))),
        false => Ok(()),
    }
}

#[test]
fn a_session_is_made_shown_listed_and_ended() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let outcome = world.agentsh(["session", "create", "--workspace", ".", "--name", "mine"])?;
        let made: Session = outcome.json()?;
        if made.workspace.as_ref().map(|path| path.lossy()) != Some(world.workspace().to_string_lossy().into_owned())
            || made.state != "running"
            || made.automatic
        {
            return Err(fail(format!("{made:?}")));
        }
        if !std::path::Path::new(&made.path).join("policy.yaml").exists()
            || made.layers.is_empty()
            || made.policy != "default"
        {
            return Err(fail(format!("{made:?}")));
        }
        for word in ["mine", &made.id, &made.id[..made.id.len() - 4]] {
            let info: Session = world.agentsh(["session", "info", word, "--json"])?.json()?;
            if info.id != made.id {
                return Err(fail(format!("{word}: {info:?}")));
            }
        }
        let listed: Vec<Session> = world.agentsh(["session", "list", "--json"])?.json()?;
        if listed.len() != 1 {
            return Err(fail(format!("{listed:?}")));
        }
        says(
            &world.agentsh(["session", "info", "mine"])?,
            &["landlock", "notify", "seccomp"],
        )?;
        world
            .agentsh(["session", "destroy", "mine"])?
            .expect_success("destroy")?;
        session::run(&world, "mine", &["true"])?.expect_exit(125, "after its end")?;
        await_event(&world, "its end", |event| event.kind == "session_destroyed")?;
        world.agentsh(["audit", "verify", &made.id])?.expect_success("verify")?;
    }
    Ok(())
}

#[test]
fn names_ids_and_what_is_wrong_with_them() -> Result {
    let world = World::new(User::agent())?;
    session::create(&world, &["--name", "one"])?;
    for (args, status) in [
        (vec!["session", "info", "nothing"], 1),
        (vec!["session", "create", "--workspace", ".", "--name", "one"], 1),
        (vec!["session", "create", "--workspace", "/no/such/folder"], 1),
        (
            vec!["session", "create", "--workspace", ".", "--policy", "no-such-policy"],
            1,
        ),
        (vec!["session", "frobnicate"], 2),
        (vec!["exec"], 2),
        (vec!["kill"], 2),
    ] {
        let outcome = world.agentsh(&args)?;
        outcome.expect_exit(status, &args.join(" "))?;
        if outcome.stderr.is_empty() || !outcome.stdout.is_empty() {
            return Err(fail(format!("{args:?}: {outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn events_are_shown_and_searched() -> Result {
    let world = World::new(User::agent())?;
    let rules = "command_rules:\n  - {name: banned, commands: [md5sum], decision: deny}\n  - {name: rest, commands: [\"*\"], decision: allow}\n";
    let id = session::with_rules(&world, rules)?.id;
    world.shimmed("sha1sum --version; md5sum --version; true")?;
    await_event(&world, "the denial", |event| {
        event.is("process_exec", "deny", "/usr/bin/md5sum")
    })?;
    let denied = world.agentsh(["events", "query", &id, "--decision", "deny", "--json"])?;
    let lines: Vec<Event> = denied
        .out()
        .lines()
        .map(serde_json::from_str)
        .collect::<std::result::Result<_, _>>()?;
    let [line] = lines.as_slice() else {
        return Err(fail(format!("{denied:?}")));
    };
    if !line.is("process_exec", "deny", "/usr/bin/md5sum") {
        return Err(fail(format!("{line:?}")));
    }
    says(
        &world.agentsh(["events", "query", &id, "--decision", "deny"])?,
        &["md5sum", "banned"],
    )?;
    says(&world.agentsh(["why", "--last"])?, &["md5sum", "banned"])?;
    says(&world.agentsh(["why", &line.id])?, &["md5sum", "banned"])?;
    let inside = Shell::named("bash")
        .args([
            "-c",
            &format!("md5sum --version; {PRODUCT}/agentsh why --last; {PRODUCT}/agentsh policy show | grep version:"),
        ])
        .run_shimmed(&world)?;
    says(&inside, &["md5sum", "banned", "version: 1"])
}

#[test]
fn a_record_that_was_touched_does_not_verify() -> Result {
    let world = World::new(User::agent())?;
    let made = session::create(&world, &[])?;
    session::run(&world, &made.id, &["true"])?;
    world
        .agentsh(["session", "destroy", &made.id])?
        .expect_success("destroy")?;
    world
        .agentsh(["audit", "verify", &made.id])?
        .expect_success("untouched")?;
    let file = std::path::Path::new(&made.path).join("events.jsonl");
    let text = std::fs::read_to_string(&file)?;
    let lines: Vec<&str> = text.lines().collect();
    let without_second = [&lines[..1], &lines[2..]].concat().join("\n") + "\n";
    let cut = lines[..lines.len() - 1].join("\n") + "\n";
    let edited = text.replacen("/usr/bin/true", "/usr/bin/eurt", 1);
    for (what, changed) in [
        ("a line is missing", without_second),
        ("the end is missing", cut),
        ("a word is changed", edited),
    ] {
        std::fs::write(&file, &changed)?;
        let outcome = world.agentsh(["audit", "verify", &made.id])?;
        if changed == text || outcome.expect_exit(1, what).is_err() {
            return Err(fail(format!("{what}: {outcome:?}")));
        }
    }
    // What cannot be read is not as if nothing were there.
    std::fs::write(&file, lines[0].to_owned() + "\nno event\n")?;
    for count in [&[][..], &["--count"]] {
        let query = world.agentsh([&["events", "query", &made.id], count].concat())?;
        query.expect_exit(1, "a line that is no event")?;
        says(&query, &["session_created"])?;
    }
    Ok(())
}

#[test]
fn what_the_host_can_do_is_told() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let found: Value = world.agentsh(["detect", "--json"])?.json()?;
        if found.to_string().len() < 100 {
            return Err(fail(format!("{found}")));
        }
        says(&world.agentsh(["detect"])?, &["landlock", "seccomp"])?;
        world.agentsh(["doctor"])?;
        world.shimmed("true")?;
        let status: Value = world.agentsh(["status", "--json"])?.json()?;
        if status["sessions"] != 1 {
            return Err(fail(format!("{status}")));
        }
        says(&world.agentsh(["shim", "status"])?, &["bash"])?;
        says(&world.agentsh(["--version"])?, &["agentsh 0.1.0 ("])?;
        world.agentsh(["gc"])?.expect_success("gc")?;
        world.agentsh(["logs"])?.expect_success("logs")?;
    }
    Ok(())
}

#[test]
fn every_verb_has_help_and_no_broker_is_needed_for_it() -> Result {
    let world = World::new(User::agent())?;
    for verb in [
        "session", "exec", "kill", "status", "logs", "shim", "broker", "events", "audit", "why", "output", "gc",
        "detect", "doctor", "policy", "config",
    ] {
        let outcome = world.agentsh([verb, "--help"])?;
        outcome.expect_success(verb)?;
        says(&outcome, &["Usage:"])?;
    }
    match world.daemons().is_empty() {
        true => Ok(()),
        false => Err(fail(format!("{:#?}", world.daemons()))),
    }
}
