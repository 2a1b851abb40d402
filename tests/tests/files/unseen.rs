//! `audit.log_allowed: false`: what is simply allowed is not recorded, and reads are not even asked about where no rule
//! needs it.

use std::fs;
use std::time::Duration;

use agentsh_tests::world::processes::{Process, wait_until};
use agentsh_tests::{Result, User, World, fail, record, session, sys};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// No rule on reads, and nothing new can appear beside our own folders.
const QUIET: &str = r#"version: 1
name: quiet
defaults: {read: allow, write: deny, command: allow, network: allow, unix_socket: allow, signal: allow}
audit: {log_allowed: false}
file_rules:
  - {name: work, paths: ["${PROJECT_ROOT}", "${PROJECT_ROOT}/**", "/tmp", "/tmp/**", "/dev/**"], operations: ["*"], decision: allow}
"#;

fn create(world: &World, text: &str) -> Result<(String, Vec<String>)> {
    let path = session::write_policy(world, "quiet", text)?;
    let info = session::create(world, &["--policy", &path.to_string_lossy()])?;
    Ok((info.id, info.not_observed))
}

#[test]
fn what_is_allowed_is_not_recorded_and_the_session_says_so() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        world.user().write_file(&world.workspace().join("a"), "text\n", 0o644)?;
        let (id, unseen) = create(&world, QUIET)?;
        if !unseen.iter().any(|line| line.starts_with("opens that only read")) {
            return Err(fail(format!("{unseen:?}")));
        }
        let text = "cat a; echo b > b; cat b; mkdir c; ls; cat < a; rm b; touch /etc/no 2>/dev/null; echo $?; (cat a > /tmp/x; cat /tmp/x)";
        let outcome = session::run(&world, &id, &["bash", "-c", text])?;
        if outcome.out() != "text\nb\na\nb\nc\ntext\n1\ntext\n" {
            return Err(fail(format!("{outcome:?}")));
        }
        // Our own folders stay closed: there is only the hull to do that.
        let state = world.state_dir();
        let text = format!(
            "cat {0}/sessions/{id}/events.jsonl {0}/sessions/{id}/session.json; ls {0} {0}/sessions; grep -c quiet {0}/sessions/{id}/policy.yaml; ls / ~ /etc /var /run > /dev/null && echo listed",
            state.display()
        );
        let outcome = session::run(&world, &id, &["bash", "-c", &text])?;
        if !outcome.out().ends_with("listed\n") || outcome.out().lines().count() != 2 {
            return Err(fail(format!("{outcome:?}")));
        }
        world.agentsh(["session", "destroy", &id])?.expect_success("destroy")?;
        let events = record::events(&world)?;
        let files: Vec<&record::Event> = events.iter().filter(|event| event.kind.starts_with("file_")).collect();
        let denied = |event: &&record::Event| event.policy.as_ref().is_some_and(|policy| policy.decision == "deny");
        let told = files
            .iter()
            .any(|event| event.path.as_ref().is_some_and(|path| path.0 == b"/etc/no"));
        if !files.iter().all(denied) || !told || !events.iter().any(|event| event.kind == "process_exec") {
            return Err(fail(format!("{files:#?}")));
        }
    }
    Ok(())
}

#[test]
fn reads_are_asked_about_where_a_rule_or_our_own_folders_need_it() -> Result {
    let world = World::new(User::agent())?;
    world
        .user()
        .write_file(&world.user().home.join(".ssh/id"), "key\n", 0o600)?;
    let rule = "file_rules:\n  - {name: keys, paths: [\"${HOME}/.ssh/**\"], operations: [read], decision: deny}\n";
    let with_rule = QUIET.replace("file_rules:\n", rule);
    let with_names = QUIET.replace("\"/dev/**\"]", "\"/dev/**\", \"${HOME}/*\"]");
    for (text, expected) in [(with_rule, ""), (with_names, "key\nnew\n")] {
        let (id, unseen) = create(&world, &text)?;
        let says = |words: &str| unseen.iter().any(|line| line.starts_with(words));
        if says("opens that only read") || !says("file operations that are simply allowed") {
            return Err(fail(format!("{unseen:?}")));
        }
        let text = "cat ~/.ssh/id; echo new > ~/new; cat ~/new";
        let outcome = session::run(&world, &id, &["bash", "-c", text])?;
        if outcome.out() != expected {
            return Err(fail(format!("{outcome:?}")));
        }
        world.agentsh(["session", "destroy", &id])?.expect_success("destroy")?;
    }
    Ok(())
}

#[test]
fn such_reads_pass_while_the_supervisor_stands_still() -> Result {
    let world = World::new(User::agent())?;
    let top = world.workspace();
    world.user().write_file(&top.join("a"), "text\n", 0o644)?;
    let (id, _) = create(&world, QUIET)?;
    let info: Value = world.agentsh(["session", "info", "--json", &id])?.json()?;
    let own = |process: &Process| info["supervisor_pid"] == process.pid;
    let supervisor = world.supervisors().into_iter().find(own);
    let supervisor = supervisor.ok_or_else(|| fail("no supervisor"))?;
    let text =
        "exec 5> out 2> /dev/null; echo ready >&5; until read -r go < go; do :; done; read -r line < a; echo $line >&5";
    let child = session::exec(&id, &[], &["bash", "-c", text]).spawn(&world)?;
    let written = |text: &str| {
        let out = top.join("out");
        wait_until(PATIENCE, || {
            fs::read_to_string(&out).is_ok_and(|found| found.ends_with(text))
        })
    };
    if !written("ready\n") {
        return Err(fail("it does not begin"));
    }
    sys::kill(supervisor.pid, libc::SIGSTOP)?;
    world.user().write_file(&top.join("go"), "go\n", 0o644)?;
    let read = written("text\n");
    sys::kill(supervisor.pid, libc::SIGCONT)?;
    child.finish(PATIENCE)?.expect_success("reads")?;
    match read {
        true => Ok(()),
        false => Err(fail("a read waited for the supervisor")),
    }
}
