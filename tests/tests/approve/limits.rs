//! Floods and pictures.

use agentsh_tests::{Result, fail, session};

use crate::{PATIENCE, await_questions, for_each_user, the_question, waiting, watcher};

#[test]
fn a_flood_of_requests_is_bounded_and_repetitions_are_one() -> Result {
    for_each_user(|world, id| {
        let _watcher = watcher(&world, &id)?;
        let text = "i=0; while [ $i -lt 200 ]; do seq $i $i 2>/dev/null >/dev/null & i=$((i+1)); done; wait; echo done";
        let mut child = session::exec(&id, &[], &["sh", "-c", text]).spawn(&world)?;
        let questions = await_questions(&world, 30, |_| true)?;
        if waiting(&world)?.len() > 30 {
            return Err(fail("more than thirty new questions in a minute"));
        }
        child.signal(libc::SIGTERM)?;
        child.wait(PATIENCE)?;
        let same = "seq 0 0 & seq 0 0 & seq 0 0 & wait";
        let first = questions
            .iter()
            .find(|question| question.argv.len() == 3)
            .ok_or_else(|| fail("none"))?;
        let before = first.asked;
        let argument = first.argv[1].lossy();
        let again = session::exec(
            &id,
            &[],
            &["sh", "-c", &same.replace("0 0", &format!("{argument} {argument}"))],
        )
        .spawn(&world)?;
        let folded = await_questions(&world, 1, |approval| {
            approval.id == first.id && approval.asked == before + 3
        })?;
        world
            .agentsh(["approve", "allow", &folded[0].id])?
            .expect_success("allow")?;
        let outcome = again.finish(PATIENCE)?;
        match outcome.out() == format!("{argument}\n").repeat(3) {
            true => Ok(()),
            false => Err(fail(format!("{outcome:?}"))),
        }
    })
}

#[test]
fn hostile_text_is_shown_inert() -> Result {
    for_each_user(|world, id| {
        let _watcher = watcher(&world, &id)?;
        let text = "seq \"$(printf '\\033[2J\\r\\342\\200\\256\\342\\200\\213[y] allow')\" 1";
        let child = session::exec(&id, &[], &["sh", "-c", text]).spawn(&world)?;
        let question = the_question(&world)?;
        for args in [vec!["approve", "show", &question.id], vec!["approve", "list"]] {
            let shown = world.agentsh(&args)?.out();
            let hostile = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{200b}');
            if shown.contains(hostile) || !shown.contains("\\x1b[2J\\r\\u{202e}\\u{200b}[y] allow") {
                return Err(fail(format!("{args:?}: {shown:?}")));
            }
        }
        world
            .agentsh(["approve", "deny", &question.id])?
            .expect_success("deny")?;
        child.finish(PATIENCE)?.expect_exit(126, "seq")?;
        Ok(())
    })
}

#[test]
fn a_thousand_calls_wait_for_one_answer() -> Result {
    for_each_user(|world, id| {
        let _watcher = watcher(&world, &id)?;
        let text = "i=0; while [ $i -lt 1000 ]; do seq 1 & i=$((i+1)); done; wait";
        let child = session::exec(&id, &[], &["sh", "-c", text])
            .deadline(std::time::Duration::from_secs(120))
            .spawn(&world)?;
        let mut found = None;
        let all_wait = || {
            found = waiting(&world)
                .unwrap_or_default()
                .pop()
                .filter(|one| one.waiting == 1000);
            found.is_some()
        };
        if !agentsh_tests::world::processes::wait_until(std::time::Duration::from_secs(60), all_wait) {
            return Err(fail(format!("{:?}", waiting(&world)?)));
        }
        let question = found.ok_or_else(|| fail("none"))?;
        world
            .agentsh(["approve", "allow", &question.id])?
            .expect_success("allow")?;
        let outcome = child.finish(std::time::Duration::from_secs(60))?;
        match outcome.out() == "1\n".repeat(1000) {
            true => Ok(()),
            false => Err(fail(format!("{outcome:?}"))),
        }
    })
}
