//! What ran and what was stopped is on record.

use agentsh_tests::record::await_event;
use agentsh_tests::{Result, User, fail};

#[test]
fn every_exec_is_on_record_with_program_arguments_parent_and_command() -> Result {
    for user in User::both() {
        let (world, id) = crate::world(user)?;
        world.shimmed("sh -c 'sha1sum --version | head -n 1; true'; uname -s; md5sum x; true")?;
        let started = await_event(&world, "command_started", |event| event.kind == "command_started")?;
        let sum = await_event(&world, "sha1sum", |event| {
            event.is("process_exec", "allow", "/usr/bin/sha1sum")
        })?;
        let audited = await_event(&world, "uname", |event| {
            event.is("process_exec", "audit", "/usr/bin/uname")
        })?;
        let denied = await_event(&world, "md5sum", |event| {
            event.is("process_exec", "deny", "/usr/bin/md5sum")
        })?;
        await_event(&world, "command_finished", |event| {
            event.kind == "command_finished" && event.command_id == started.command_id
        })?;
        if sum.line() != "sha1sum --version" || audited.line() != "uname -s" || denied.line() != "md5sum x" {
            return Err(fail(format!(
                "{:?} {:?} {:?}",
                sum.line(),
                audited.line(),
                denied.line()
            )));
        }
        for event in [&sum, &audited, &denied] {
            if event.command_id != started.command_id
                || event.session_id != id
                || event.pid.is_none()
                || event.ppid.is_none()
            {
                return Err(fail(format!("{event:?}")));
            }
        }
        let policy = denied.policy.as_ref();
        if policy.is_none_or(|policy| policy.rule.as_deref() != Some("banned")) || denied.result.as_deref() == Some("0")
        {
            return Err(fail(format!("{denied:?}")));
        }
    }
    Ok(())
}

#[test]
fn the_end_of_a_command_is_on_record_as_its_parent_saw_it() -> Result {
    let (world, _) = crate::world(User::agent())?;
    for (text, word) in [("exit 42", "42"), ("kill -9 $$", "9"), ("true", "0")] {
        let mark = format!("{text}; : mark-{word}");
        world.shimmed(&mark)?;
        let started = await_event(&world, "the start", |event| {
            event.kind == "command_started" && event.line().ends_with(&mark)
        })?;
        let end = await_event(&world, "its end", |event| {
            event.kind == "command_finished" && event.command_id == started.command_id
        })?;
        let told =
            serde_json::to_string(&end.fields)? + &end.signal.map(|signal| format!(":{signal}")).unwrap_or_default();
        if !told.contains(&format!(":{word}")) {
            return Err(fail(format!("{text}: {end:?}")));
        }
    }
    Ok(())
}

#[test]
fn why_tells_the_rules_the_winner_the_layer_and_what_would_change_it() -> Result {
    let (world, _) = crate::world(User::agent())?;
    world.shimmed("seq 7 8")?;
    await_event(&world, "the denial", |event| {
        event.is("process_exec", "deny", "/usr/bin/seq")
    })?;
    let outcome = world.agentsh(["why", "--last"])?;
    outcome.expect_success("why")?;
    for word in [
        "banned-arguments",
        "RULES THAT MATCH",
        "held by",
        "Without `banned-arguments` the rule `rest` would answer allow",
    ] {
        if !outcome.out().contains(word) {
            return Err(fail(format!("{word}: {outcome:?}")));
        }
    }
    Ok(())
}
