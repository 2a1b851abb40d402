//! Whom a signal reaches that somebody sends to the process that they have started: as with the real shell.

use std::fs;
use std::time::Duration;

use agentsh_tests::pty::Terminal;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Result, Shell, User, World};

use super::support::{SOON, check};

/// A shell and a child in its process group, which write down what they get.
const SCRIPT: &str = "exec 2>/dev/null
trap 'echo shell >> had; exit 4' TERM
(trap '' HUP; trap 'echo child >> had; touch gone; exit' TERM; touch up; until [ -e over ]; do sleep 0.02; done; touch gone) &
until [ -e up ]; do sleep 0.02; done; touch ready; echo ready
while :; do sleep 0.02; done
";

/// Signals it, by its number or (`-`) by that of its group, and tells what was had.
const SENDER: &str = "$SHELL ./script & p=$!
until [ -e ready ]; do sleep 0.02; done; kill -TERM -- $1$p; wait $p; echo status $?
touch over; until [ -e gone ]; do sleep 0.02; done
echo had $(sort had) so far; rm had up ready over gone
";

/// How the sender is started, and so how the shell stands to its terminal.
const SENDERS: [(&str, &str); 4] = [
    ("a job, by its number", "bash ./sender"),
    ("a job, by its group", "bash -m ./sender -"),
    ("nobody's terminal, by its number", "setsid -w bash ./sender"),
    (
        "nobody's terminal, by its group",
        "setsid -w bash -c 'set -m; . ./sender' sender -",
    ),
];

fn prepared(user: User) -> Result<World> {
    let world = World::new(user)?;
    for (name, text) in [("script", SCRIPT), ("sender", SENDER)] {
        world.user().write_file(&world.workspace().join(name), text, 0o644)?;
    }
    Ok(world)
}

#[test]
fn a_signal_to_the_shell_alone_reaches_it_alone_and_one_to_its_group_the_group() -> Result {
    for user in User::both() {
        let world = prepared(user)?;
        for subject in [Subject::Real, Subject::shims()] {
            for (name, line) in SENDERS {
                let shell = Shell::program("/usr/bin/bash").args(["--norc", "--noprofile", "-i"]);
                let shell = shell.on_terminal().env("PS1", "P> ").env("HISTFILE", "/dev/null");
                let mut terminal = Terminal::open(&shell.cwd(world.workspace()), &world, &subject)?;
                terminal.at("P> $", line)?;
                terminal.expect("status 4\r\n")?;
                let had = terminal.expect("had .*so far\r\n")?;
                let expected = match line.ends_with('-') {
                    true => "had child shell so far\r\n",
                    false => "had shell so far\r\n",
                };
                check(had.ends_with(expected), name, &(&subject, had))?;
                terminal.at("P> $", "exit")?;
                terminal.finish()?;
            }
        }
    }
    Ok(())
}

#[test]
fn so_it_is_with_a_shell_that_leads_its_session() -> Result {
    let world = prepared(User::agent())?;
    let folder = world.workspace();
    for subject in [Subject::Real, Subject::shims()] {
        for group in [false, true] {
            let shell = Shell::named("bash").args(["./script"]).on_terminal().cwd(&folder);
            let mut terminal = Terminal::open(&shell, &world, &subject)?;
            terminal.expect("ready")?;
            match group {
                false => terminal.child().signal(libc::SIGTERM)?,
                true => terminal.child().signal_group(libc::SIGTERM)?,
            }
            let ended = terminal.child().wait(Duration::from_secs(30))?;
            check(ended == Ended::Exit(4), "its end", &(&subject, ended))?;
            world.user().write_file(&folder.join("over"), "", 0o644)?;
            check(
                wait_until(SOON, || folder.join("gone").exists()),
                "the child's end",
                &subject,
            )?;
            let mut had: Vec<String> = fs::read_to_string(folder.join("had"))?
                .lines()
                .map(str::to_owned)
                .collect();
            had.sort();
            let expected: &[&str] = if group { &["child", "shell"] } else { &["shell"] };
            check(had == expected, "who had it", &(&subject, group, had))?;
            for name in ["had", "up", "ready", "over", "gone"] {
                fs::remove_file(folder.join(name))?;
            }
        }
    }
    Ok(())
}

/// What a shell with job control brings to the front, and who goes on telling it so.
const NESTED: [(&str, &str); 3] = [
    ("nested", "set -m; sh ./reader; echo ended $?\n"),
    (
        "reader",
        "touch up; until [ -e continued ]; do sleep 0.02; done; read line; echo got $line\n",
    ),
    (
        "teller",
        "until [ -e up ]; do sleep 0.02; done; kill -CONT -- -$(cat pid); sleep 0.3; touch continued\n",
    ),
];

#[test]
fn what_was_not_stopped_is_continued_where_it_is() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let folder = world.workspace();
        for (name, text) in NESTED {
            world.user().write_file(&folder.join(name), text, 0o644)?;
        }
        for subject in [Subject::Real, Subject::shims()] {
            let shell = Shell::program("/usr/bin/bash").args(["--norc", "--noprofile", "-i"]);
            let shell = shell.on_terminal().env("PS1", "P> ").env("HISTFILE", "/dev/null");
            let mut terminal = Terminal::open(&shell.cwd(&folder), &world, &subject)?;
            terminal.at("P> $", "rm -f up continued; bash ./teller &")?;
            terminal.at("P> $", "bash -c 'echo $$ > pid; exec $SHELL ./nested'")?;
            let told = wait_until(SOON, || folder.join("continued").exists());
            check(told, "it is told to go on", &subject)?;
            terminal.send("word\n")?;
            terminal.expect("got word\r\nended 0\r\n")?;
            terminal.at("P> $", "exit")?;
            terminal.finish()?;
        }
    }
    Ok(())
}
