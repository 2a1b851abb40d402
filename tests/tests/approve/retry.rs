//! What a yes covers beyond the call that waits.

use agentsh_protocol::approvals::Grant;
use agentsh_tests::{Result, fail, session};

use crate::{PATIENCE, await_questions, for_each_user, the_question, watcher};

#[test]
fn a_late_yes_covers_the_identical_retry_once_and_nothing_else() -> Result {
    for_each_user(|world, id| {
        let _watcher = watcher(&world, &id)?;
        let child = session::exec(&id, &[], &["timeout", "-s", "KILL", "60", "seq", "2"]).spawn(&world)?;
        let asker = the_question(&world)?.pid;
        agentsh_tests::sys::kill(asker, libc::SIGKILL)?;
        let question = await_questions(&world, 1, |approval| approval.waiting == 0)?;
        child.finish(PATIENCE)?;
        world
            .agentsh(["approve", "allow", &question[0].id])?
            .expect_success("allow")?;
        let other = session::exec(&id, &[], &["seq", "3"]).spawn(&world)?;
        world
            .agentsh(["approve", "deny", &the_question(&world)?.id])?
            .expect_success("deny")?;
        other.finish(PATIENCE)?.expect_exit(126, "other arguments")?;
        session::run(&world, &id, &["seq", "2"])?.expect_success("the retry")?;
        let third = session::exec(&id, &[], &["seq", "2"]).spawn(&world)?;
        world
            .agentsh(["approve", "deny", &the_question(&world)?.id])?
            .expect_success("deny")?;
        third.finish(PATIENCE)?.expect_exit(126, "after the retry")?;
        Ok(())
    })
}

#[test]
fn a_yes_for_the_session_holds_until_it_is_revoked() -> Result {
    for_each_user(|world, id| {
        let mut watcher = watcher(&world, &id)?;
        let child = session::exec(&id, &[], &["seq", "2"]).spawn(&world)?;
        world
            .agentsh(["approve", "allow", "--session", &the_question(&world)?.id])?
            .expect_success("allow")?;
        child.finish(PATIENCE)?.expect_success("seq")?;
        session::run(&world, &id, &["seq", "2"])?.expect_success("again")?;
        let grants: Vec<Grant> = world.agentsh(["grants", "list", "--json"])?.json()?;
        let [grant] = grants.as_slice() else {
            return Err(fail(format!("{grants:?}")));
        };
        world
            .agentsh(["grants", "revoke", &grant.id])?
            .expect_success("revoke")?;
        watcher.signal(libc::SIGKILL)?;
        watcher.wait(PATIENCE)?;
        session::run(&world, &id, &["seq", "2"])?.expect_exit(126, "after it was revoked")?;
        Ok(())
    })
}

#[test]
fn a_yes_holds_for_what_steers_the_program_and_for_nothing_else() -> Result {
    for_each_user(|world, id| {
        let _watcher = watcher(&world, &id)?;
        let call = |steered: &str| session::exec(&id, &[], &["sh", "-c", &format!("{steered} seq 2")]).spawn(&world);
        let child = call("HOME=/one HTTPS_PROXY=http://u:secret@proxy MINE=secret")?;
        let question = the_question(&world)?;
        let shown = world.agentsh(["approve", "show", &question.id])?.out();
        let told = ["HOME=/one", "HTTPS_PROXY=http://…@proxy", "PATH="];
        if told.iter().any(|entry| !shown.contains(entry)) || shown.contains("secret") {
            return Err(fail(shown));
        }
        world
            .agentsh(["approve", "allow", "--session", &question.id])?
            .expect_success("allow")?;
        child.finish(PATIENCE)?.expect_success("seq")?;
        call("MINE=other HOME=/one HTTPS_PROXY=http://u:secret@proxy")?
            .finish(PATIENCE)?
            .expect_success("the same, steered alike")?;
        for other in ["HOME=/two", "HOME=/one PATH=/tmp:/usr/bin", "HOME=/one GIT_DIR=/x"] {
            let child = call(&format!("{other} HTTPS_PROXY=http://u:secret@proxy"))?;
            world
                .agentsh(["approve", "deny", &the_question(&world)?.id])?
                .expect_success("deny")?;
            child.finish(PATIENCE)?.expect_exit(126, other)?;
        }
        Ok(())
    })
}
