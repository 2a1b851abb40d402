//! Policies through the command line: what is wrong is named with its place, what is right is judged and explained, and
//! a change reaches a running session.

mod changes;

use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Output, Result, Shell, User, World, fail, session};

/// A malformed policy, the place, and a word of what is expected.
const MALFORMED: [(&str, &str, &str); 14] = [
    ("version: 1\nname: x\nfile_rulez: []\n", "3:1", "file_rules"),
    (
        "version: 1\nname: x\nfile_rules:\n  - {name: a, paths: [\"/x\"], decision: alow}\n",
        "4:40",
        "allow",
    ),
    ("version: 2\nname: x\n", "1:10", "1"),
    ("version: \"1\"\nname: x\n", "1:10", "quotes"),
    (
        "version: 1\nname: x\naudit: {log_allowed: \"false\"}\n",
        "3:22",
        "`true` or `false`",
    ),
    ("name: x\n", "", "version"),
    ("version: 1\nname: \"a b\"\n", "2:7", ""),
    (
        "version: 1\nname: x\nfile_rules:\n  - {name: a, path: [\"/x\"], decision: allow}\n",
        "4:15",
        "paths",
    ),
    (
        "version: 1\nname: x\nfile_rules:\n  - {name: a, paths: [\"/x\"], operations: [raed], decision: allow}\n",
        "4:",
        "read",
    ),
    (
        "version: 1\nname: x\nfile_rules:\n  - {name: a, paths: [\"${NOWHERE}/x\"], decision: allow}\n",
        "4:",
        "NOWHERE",
    ),
    (
        "version: 1\nname: x\ncommand_rules:\n  - {name: a, commands: [x], args_patterns: [\"(\"], decision: deny}\n",
        "4:",
        "",
    ),
    (
        "version: 1\nname: x\ncommand_rules:\n  - {name: a, commands: [x], decision: deny}\n  - {name: a, commands: [y], decision: deny}\n",
        "5:",
        "a",
    ),
    (
        "version: 1\nname: x\ncommand_rules:\n  - {name: a, commands: [x], decision: soft_delete}\n",
        "4:",
        "soft_delete",
    ),
    ("version: 1\nname: [x\n", "", ""),
];

#[test]
fn what_is_wrong_is_named_with_file_line_and_column() -> Result {
    let world = World::new(User::agent())?;
    for (text, place, word) in MALFORMED {
        let path = session::write_policy(&world, "wrong", text)?;
        let outcome = world.agentsh(["policy", "validate", &path.to_string_lossy()])?;
        let at = format!("wrong.yaml:{place}");
        if outcome.ended != Ended::Exit(1)
            || !outcome.err().contains(at.trim_end_matches(':'))
            || !outcome.err().contains(word)
        {
            return Err(fail(format!("{text}\nexpected {at} and {word:?}: {outcome:?}")));
        }
        let created = world.agentsh([
            "session",
            "create",
            "--workspace",
            ".",
            "--policy",
            &path.to_string_lossy(),
        ])?;
        if created.ended != Ended::Exit(1) || !created.stdout.is_empty() {
            return Err(fail(format!("a session was made with it: {created:?}")));
        }
    }
    Ok(())
}

#[test]
fn the_shipped_policies_are_listed_shown_and_valid() -> Result {
    let world = World::new(User::agent())?;
    let listed = world.agentsh(["policy", "list"])?;
    for name in ["default", "agent-observe"] {
        if !listed.out().contains(name) {
            return Err(fail(format!("{name}: {listed:?}")));
        }
        let shown = world.agentsh(["policy", "show", name])?;
        shown.expect_success("show")?;
        let path = session::write_policy(&world, "shown", &shown.out())?;
        world
            .agentsh(["policy", "validate", &path.to_string_lossy()])?
            .expect_success("validate")?;
        session::create(&world, &["--policy", name])?;
    }
    let schema: serde_json::Value = world.agentsh(["policy", "schema"])?.json()?;
    if schema["properties"]["command_rules"].is_null() {
        return Err(fail(format!("{schema}")));
    }
    Ok(())
}

#[test]
fn one_operation_is_judged_and_explained_without_a_session() -> Result {
    let world = World::new(User::agent())?;
    let rules = "command_rules:\n  - {name: banned, commands: [md5sum], decision: deny, message: \"use sha1sum\"}\n  - {name: rest, commands: [\"*\"], decision: allow}\n";
    let path = session::write_policy(&world, "suite", &format!("{}{rules}", session::BASE))?;
    let policy = path.to_string_lossy();
    for (args, status) in [(["command", "md5sum"], 3), (["command", "sha1sum"], 0)] {
        let test = world.agentsh(["policy", "test", "--policy", &policy].iter().chain(&args))?;
        test.expect_exit(status, "policy test")?;
        let explain = world.agentsh(["policy", "explain", "--policy", &policy].iter().chain(&args))?;
        explain.expect_exit(status, "policy explain")?;
        let rule = if status == 3 { "banned" } else { "rest" };
        if !explain.out().contains(rule) {
            return Err(fail(format!("{explain:?}")));
        }
    }
    match world.daemons().is_empty() {
        true => Ok(()),
        false => Err(fail("a broker was started for it")),
    }
}

#[test]
fn a_tighter_policy_reaches_a_running_command_at_once() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let loose = "command_rules:\n  - {name: rest, commands: [\"*\"], decision: allow}\n";
        session::with_rules(&world, loose)?;
        let text = "while :; do if sha1sum --version >/dev/null 2>&1; then echo ran >> ran; else echo denied > denied; fi; done";
        let shell = Shell::named("bash")
            .args(["-c", text])
            .stdout(Output::Null)
            .stderr(Output::Null);
        let mut child = shell.spawn_with(&world, &Subject::shims())?;
        let patience = std::time::Duration::from_secs(30);
        if !wait_until(patience, || world.workspace().join("ran").exists()) {
            return Err(fail("the allowed program never ran"));
        }
        let tight = "command_rules:\n  - {name: no, commands: [sha1sum], decision: deny}\n  - {name: rest, commands: [\"*\"], decision: allow}\n";
        session::write_policy(&world, "suite", &format!("{}{tight}", session::BASE))?;
        if !wait_until(patience, || world.workspace().join("denied").exists()) {
            return Err(fail("the change does not reach the running command"));
        }
        let count = || {
            std::fs::metadata(world.workspace().join("ran"))
                .map(|meta| meta.len())
                .unwrap_or_default()
        };
        let at_once = count();
        let denied = world.shimmed("sha1sum --version; echo $?")?;
        if denied.out() != "126\n" || count() != at_once {
            return Err(fail(format!("{denied:?}")));
        }
        child.signal(libc::SIGKILL)?;
        child.wait(patience)?;
        agentsh_tests::record::await_event(&world, "the change", |event| event.kind == "policy_changed")?;
    }
    Ok(())
}

#[test]
fn a_workspaces_own_policy_may_only_narrow() -> Result {
    let world = World::new(User::agent())?;
    world.user().write_file(&world.workspace().join(".agentsh/policy.yaml"), "version: 1\nname: narrow\nfile_rules:\n  - {name: all, paths: [\"/**\"], operations: [\"*\"], decision: allow}\ncommand_rules:\n  - {name: no, commands: [md5sum], decision: deny}\n  - {name: rest, commands: [\"*\"], decision: allow}\n", 0o644)?;
    let outcome = world.shimmed("md5sum --version; echo $?; cat ~/.ssh/id_ed25519; echo $?")?;
    match outcome.out() == "126\n1\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn every_shipped_policy_lets_loaders_and_runtimes_start() -> Result {
    for user in User::both() {
        for name in ["default", "agent-observe"] {
            let world = World::new(user.clone())?;
            let id = session::create(&world, &["--policy", name])?.id;
            for text in [
                "/lib64/ld-linux-x86-64.so.2 --version | head -n 1",
                "bash -lc true",
                "/usr/bin/python3 -c 'import json, ssl, sqlite3'",
                "node -e 1",
                "git status --short",
                "perl -e 1",
                "echo > /dev/null",
                "cd /usr && ls > /dev/null",
                "cat /etc/ld.so.cache > /dev/null",
                "ls /proc/self > /dev/null",
            ] {
                session::run(&world, &id, &["bash", "-c", text])?.expect_success(&format!("{name}: {text}"))?;
            }
        }
    }
    Ok(())
}
