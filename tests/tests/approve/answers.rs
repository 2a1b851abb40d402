//! Yes, no, no answer, nobody.

use agentsh_tests::record::await_event;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Result, User, World, fail, session};

use crate::{PATIENCE, for_each_user, the_question, watcher, world};

#[test]
fn a_yes_lets_the_waiting_call_run() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let _watcher = watcher(&world, &id)?;
        let child = session::exec(&id, &[], &["sh", "-c", "seq 2; echo $?"]).spawn(&world)?;
        let question = the_question(&world)?;
        if question.rule.as_deref() != Some("ask-seq") || question.message.as_deref() != Some("may it count?") {
            return Err(fail(format!("{question:?}")));
        }
        world
            .agentsh(["approve", "allow", &question.id])?
            .expect_success("allow")?;
        let outcome = child.finish(PATIENCE)?;
        if outcome.out() != "1\n2\n0\n" {
            return Err(fail(format!("{outcome:?}")));
        }
        await_event(&world, "the exec with its approval", |event| {
            event.kind == "process_exec"
                && event.policy.as_ref().is_some_and(|policy| {
                    policy.effective.as_deref() == Some("allow")
                        && policy.approval.as_ref().and_then(|id| id.as_str()) == Some(&question.id)
                })
        })?;
        await_event(&world, "the answer", |event| event.kind == "approval_resolved")?;
    }
    Ok(())
}

#[test]
fn a_command_that_is_asked_about_itself_waits_as_well() -> Result {
    for_each_user(|world, id| {
        let _watcher = watcher(&world, &id)?;
        let child = session::exec(&id, &[], &["seq", "1"]).spawn(&world)?;
        world
            .agentsh(["approve", "allow", &the_question(&world)?.id])?
            .expect_success("allow")?;
        child.finish(PATIENCE)?.expect_success("seq")?;
        Ok(())
    })
}

#[test]
fn a_no_is_a_plain_errno() -> Result {
    for_each_user(|world, id| {
        let _watcher = watcher(&world, &id)?;
        let child = session::exec(&id, &[], &["sh", "-c", "seq 2; echo $?"]).spawn(&world)?;
        let question = the_question(&world)?;
        world
            .agentsh(["approve", "deny", &question.id, "--reason", "not today"])?
            .expect_success("deny")?;
        let outcome = child.finish(PATIENCE)?;
        if outcome.out() != "126\n" || !outcome.err().contains("Permission denied") {
            return Err(fail(format!("{outcome:?}")));
        }
        await_event(&world, "the reason", |event| {
            event.policy.as_ref().is_some_and(|policy| {
                policy
                    .message
                    .as_deref()
                    .is_some_and(|text| text.ends_with("not today"))
            })
        })?;
        Ok(())
    })
}

#[test]
fn no_answer_in_time_is_a_no() -> Result {
    for_each_user(|world, id| {
        let _watcher = watcher(&world, &id)?;
        session::run(&world, &id, &["sh", "-c", "tac /dev/null"])?.expect_exit(126, "tac")?;
        Ok(())
    })
}

#[test]
fn with_nobody_to_ask_it_is_denied_at_once_and_the_session_says_so() -> Result {
    for_each_user(|world, id| {
        let info = world.agentsh(["session", "info", "--json", &id])?;
        if !info.out().contains("nobody can be asked") {
            return Err(fail(format!("{info:?}")));
        }
        session::run(&world, &id, &["sh", "-c", "seq 2"])?.expect_exit(126, "seq below")?;
        let outcome = session::run(&world, &id, &["seq", "2"])?;
        match outcome.ended == Ended::Exit(126) && outcome.err().contains("nobody can be asked") {
            true => Ok(()),
            false => Err(fail(format!("{outcome:?}"))),
        }
    })
}

#[test]
fn a_file_that_is_asked_about_is_made_after_a_yes_and_not_after_a_no() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        world.user().make_folder(&world.workspace().join("asked"))?;
        let _watcher = watcher(&world, &id)?;
        for (word, there) in [("deny", false), ("allow", true)] {
            let child = session::exec(&id, &[], &["sh", "-c", "echo x > asked/new"]).spawn(&world)?;
            world
                .agentsh(["approve", word, &the_question(&world)?.id])?
                .expect_success(word)?;
            let outcome = child.finish(PATIENCE)?;
            if world.workspace().join("asked/new").exists() != there {
                return Err(fail(format!("{word}: {outcome:?}")));
            }
        }
    }
    Ok(())
}

#[test]
fn nobody_inside_can_answer() -> Result {
    for_each_user(|world, id| {
        let _watcher = watcher(&world, &id)?;
        let child = session::exec(&id, &[], &["sh", "-c", "seq 2"]).spawn(&world)?;
        let question = the_question(&world)?;
        let text = format!(
            "{}/agentsh approve allow {}",
            agentsh_tests::world::PRODUCT,
            question.id
        );
        let outcome = session::run(&world, &id, &["sh", "-c", &text])?;
        if outcome.ended == Ended::Exit(0) || the_question(&world)?.id != question.id {
            return Err(fail(format!("{outcome:?}")));
        }
        world
            .agentsh(["approve", "deny", &question.id])?
            .expect_success("deny")?;
        child.finish(PATIENCE)?.expect_exit(126, "seq")?;
        Ok(())
    })
}

#[test]
fn the_operators_command_is_told_what_is_asked() -> Result {
    let world = World::new(User::agent())?;
    let told = world.user().home.join("told.json");
    let rules = crate::RULES.replace(
        "approvals: {",
        &format!("approvals: {{notify: {{command: \"cat > {}\"}}, ", told.display()),
    );
    let id = session::with_rules(&world, &rules)?.id;
    let child = session::exec(&id, &[], &["seq", "2"]).spawn(&world)?;
    let question = the_question(&world)?;
    let heard = || std::fs::read_to_string(&told).is_ok_and(|text| text.ends_with('\n') && text.contains(&question.id));
    if !wait_until(PATIENCE, heard) {
        return Err(fail("nothing was told"));
    }
    world
        .agentsh(["approve", "allow", &question.id])?
        .expect_success("allow")?;
    child.finish(PATIENCE)?.expect_success("seq")?;
    Ok(())
}

#[test]
fn a_webhook_is_told_what_is_asked() -> Result {
    use std::io::{Read as _, Write as _};
    let world = World::new(User::agent())?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let heard = std::thread::spawn(move || -> std::io::Result<String> {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut text = Vec::new();
        while !text.ends_with(b"}\n") {
            let mut part = [0; 4096];
            match stream.read(&mut part)? {
                0 => break,
                count => text.extend_from_slice(&part[..count]),
            }
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    });
    let address = format!("approvals: {{notify: {{webhook: \"http://127.0.0.1:{port}/asked\"}}, ");
    let id = session::with_rules(&world, &crate::RULES.replace("approvals: {", &address))?.id;
    let child = session::exec(&id, &[], &["seq", "2"]).spawn(&world)?;
    let question = the_question(&world)?;
    let text = heard.join().map_err(|_| fail("the listener panicked"))??;
    if !text.starts_with("POST /asked ") || !text.contains(&question.id) || !text.contains("\"operation\":\"exec\"") {
        return Err(fail(text));
    }
    world
        .agentsh(["approve", "allow", &question.id])?
        .expect_success("allow")?;
    child.finish(PATIENCE)?.expect_success("seq")?;
    Ok(())
}
