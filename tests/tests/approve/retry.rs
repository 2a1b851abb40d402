//! What a yes covers beyond the call that waits.

use agentsh_protocol::approvals::Grant;
use agentsh_tests::{Result, User, fail, session};

use crate::{PATIENCE, await_questions, the_question, watcher, world};

#[test]
fn a_late_yes_covers_the_identical_retry_once_and_nothing_else() -> Result {
    let (world, id) = world(User::agent())?;
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
}

#[test]
fn a_yes_for_the_session_holds_until_it_is_revoked() -> Result {
    let (world, id) = world(User::agent())?;
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
}
