//! A yes for good: where it is kept, what it covers, and that no session gives one to itself.

use std::path::PathBuf;

use agentsh_protocol::approvals::{Grant, Scope};
use agentsh_tests::{Result, User, World, fail, session};

use crate::{PATIENCE, for_each_user, the_question, watcher, world};

fn file(world: &World) -> PathBuf {
    world.user().home.join(".config/agentsh/approved.json")
}

#[test]
fn it_holds_in_later_sessions_for_the_identical_call_until_it_is_revoked() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let mut watcher = watcher(&world, &id)?;
        let child = session::exec(&id, &[], &["seq", "2"]).spawn(&world)?;
        let said = world.agentsh(["approve", "allow", "--always", &the_question(&world)?.id])?;
        said.expect_success("allow --always")?;
        child.finish(PATIENCE)?.expect_success("seq")?;
        // It says where it is kept.
        if !said.err().contains(&*file(&world).to_string_lossy()) || !file(&world).is_file() {
            return Err(fail(format!("{said:?}")));
        }
        watcher.signal(libc::SIGKILL)?;
        watcher.wait(PATIENCE)?;
        world.agentsh(["session", "destroy", &id])?.expect_success("destroy")?;
        let policy = world.user().home.join("policies/asks.yaml");
        let later = session::create(&world, &["--policy", &policy.to_string_lossy()])?.id;
        session::run(&world, &later, &["seq", "2"])?.expect_success("the identical call")?;
        session::run(&world, &later, &["seq", "3"])?.expect_exit(126, "other arguments")?;
        session::run(&world, &later, &["sh", "-c", "cd / && seq 2"])?.expect_exit(126, "another folder")?;
        let grants: Vec<Grant> = world.agentsh(["grants", "list", "--json"])?.json()?;
        let [grant] = grants.as_slice() else {
            return Err(fail(format!("{grants:?}")));
        };
        if grant.scope != Scope::Always {
            return Err(fail(format!("{grant:?}")));
        }
        world
            .agentsh(["grants", "revoke", &grant.id])?
            .expect_success("revoke")?;
        session::run(&world, &later, &["seq", "2"])?.expect_exit(126, "after it was revoked")?;
    }
    Ok(())
}

#[test]
fn no_session_writes_or_reads_one() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let _watcher = watcher(&world, &id)?;
        let child = session::exec(&id, &[], &["seq", "2"]).spawn(&world)?;
        let said = world.agentsh(["approve", "allow", "--always", &the_question(&world)?.id])?;
        said.expect_success("allow --always")?;
        child.finish(PATIENCE)?.expect_success("seq")?;
        let before = std::fs::read(file(&world))?;
        let path = file(&world);
        let path = path.display();
        let text = format!(
            "sed s/seq/tac/ {path} > x; cp x {path}; echo '[]' > {path}; rm {path}; mv x {path}; ln -sf /x {path}; mv ~/.config/agentsh ~/.config/other; touch {path}.new; chmod 777 {path}; cat {path}"
        );
        let outcome = session::run(&world, &id, &["bash", "-c", &text])?;
        if std::fs::read(file(&world))? != before || outcome.out().contains("seq") {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn a_file_that_others_may_write_counts_for_nothing() -> Result {
    for_each_user(|world, id| {
        let watcher = watcher(&world, &id)?;
        let child = session::exec(&id, &[], &["seq", "2"]).spawn(&world)?;
        world
            .agentsh(["approve", "allow", "--always", &the_question(&world)?.id])?
            .expect_success("allow --always")?;
        child.finish(PATIENCE)?.expect_success("seq")?;
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(file(&world), std::fs::Permissions::from_mode(0o666))?;
        let child = session::exec(&id, &[], &["seq", "2"]).spawn(&world)?;
        world
            .agentsh(["approve", "deny", &the_question(&world)?.id])?
            .expect_success("deny")?;
        child.finish(PATIENCE)?.expect_exit(126, "seq")?;
        drop(watcher);
        Ok(())
    })
}

#[test]
fn it_does_not_hold_for_another_content_under_the_same_name() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let rules = "command_rules:\n  - {name: ask, commands: [tool], decision: approve}\n  - {name: rest, commands: ['*'], decision: allow}\napprovals: {timeout: 60s}\n";
        let id = session::with_rules(&world, rules)?.id;
        let tool = world.workspace().join("tool");
        world.user().write_file(&tool, "#!/bin/sh\necho good\n", 0o755)?;
        let mut watcher = watcher(&world, &id)?;
        let child = session::exec(&id, &[], &["sh", "-c", "./tool"]).spawn(&world)?;
        world
            .agentsh(["approve", "allow", "--always", &the_question(&world)?.id])?
            .expect_success("allow --always")?;
        child.finish(PATIENCE)?.expect_success("tool")?;
        watcher.signal(libc::SIGKILL)?;
        watcher.wait(PATIENCE)?;
        // A copy of the same content is the same program; another content is asked about.
        for (change, status) in [
            ("true", 0),
            ("cp tool copy && mv copy tool", 0),
            ("echo 'echo bad' >> tool", 126),
            (
                "rm tool && printf '#!/bin/sh\\necho good\\n' > tool && chmod 755 tool",
                0,
            ),
        ] {
            let outcome = session::run(&world, &id, &["sh", "-c", &format!("{change} && ./tool")])?;
            outcome.expect_exit(status, change)?;
            if outcome.out().contains("bad") {
                return Err(fail(format!("{change}: {outcome:?}")));
            }
        }
    }
    Ok(())
}
