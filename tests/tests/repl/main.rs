//! `agentsh` by hand, on a real terminal and without one.

mod lines;
mod prompts;
mod recorded;
mod verbs;

use std::time::Duration;

use agentsh_tests::pty::Terminal;
use agentsh_tests::record::events;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::PRODUCT;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Input, Result, Shell, User, World, fail, session, skips};

fn check(yes: bool, what: &str, seen: &impl std::fmt::Debug) -> Result {
    if yes {
        Ok(())
    } else {
        Err(fail(format!("{what}: {seen:?}")))
    }
}

fn agentsh(args: &[&str]) -> Shell {
    Shell::program(format!("{PRODUCT}/agentsh")).args(args)
}

fn open(world: &World, args: &[&str]) -> Result<Terminal> {
    let shell = agentsh(args).on_terminal().env("TERM", "xterm").env("NO_COLOR", "1");
    Terminal::open(&shell, world, &Subject::Real)
}

/// Waits until `sleep` has the terminal: in the moment before, a key is the shell's.
fn sleeping(world: &World) -> Result {
    let sleeps = || world.processes().iter().any(|process| process.exe.ends_with("sleep"));
    check(
        wait_until(Duration::from_secs(30), sleeps),
        "sleep runs",
        &world.processes(),
    )
}

const SOON: Duration = Duration::from_secs(30);

const PROMPT: &str = "default/seccomp [^ ]+ > ";

#[test]
fn lines_run_in_one_shell_of_the_folders_session() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let mut terminal = open(&world, &[])?;
        terminal.at(PROMPT, "x=5; f() { echo f-$x; }; mkdir -p sub")?;
        terminal.at(PROMPT, "cd sub")?;
        terminal.at("sub > ", "f; test -t 0 && echo on a terminal")?;
        terminal.expect("f-5\r\non a terminal")?;
        terminal.at(PROMPT, "(exit 7)")?;
        terminal.expect("exit 7")?;
        terminal.at(PROMPT, "cat ~/.ssh/id_ed25519")?;
        terminal.expect("denied: file_read [^ ]*id_ed25519")?;
        terminal.send(":why\r")?;
        terminal.expect("decision +deny")?;
        terminal.at(PROMPT, "exit 3")?;
        let (ended, _) = terminal.finish()?;
        check(ended == Ended::Exit(3), "the status of the shell", &ended)?;
        let sessions: Vec<serde_json::Value> = world.agentsh(["session", "list", "--json"])?.json()?;
        check(sessions.len() == 1, "one session", &sessions)?;
    }
    Ok(())
}

#[test]
fn keys_mean_what_they_mean_in_a_shell() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&world, &[])?;
    terminal.expect(PROMPT)?;
    terminal.send("half a line\u{3}")?;
    terminal.at(PROMPT, "echo started; sleep 1000; echo never")?;
    terminal.expect("started\r\n")?;
    sleeping(&world)?;
    terminal.send("\u{3}")?;
    terminal.expect("exit 130")?;
    terminal.at(PROMPT, "echo again; sleep 1000")?;
    terminal.expect("again\r\n")?;
    sleeping(&world)?;
    terminal.send("\u{1a}")?;
    terminal.expect("exit 148")?;
    terminal.at(PROMPT, "jobs")?;
    terminal.expect("Stopped +.*sleep")?;
    terminal.at(PROMPT, "kill -9 %1; while jobs -s | grep -q .; do :; done; echo gone")?;
    terminal.expect("gone\r\n")?;
    terminal.at(PROMPT, "for i in 1 2; do")?;
    terminal.send("echo item $i; done\r")?;
    terminal.expect("item 1\r\nitem 2")?;
    terminal.at(PROMPT, "if; fi")?;
    terminal.expect("syntax error")?;
    terminal.at(PROMPT, "echo asks; read answer")?;
    terminal.expect("asks\r\n")?;
    terminal.send("typed\r")?;
    terminal.at(PROMPT, "echo got-$answer")?;
    terminal.expect("got-typed")?;
    terminal.expect(PROMPT)?;
    terminal.send("\u{4}")?;
    let (ended, seen) = terminal.finish()?;
    check(
        ended == Ended::Exit(0) && !String::from_utf8_lossy(&seen).contains("never\r\n"),
        "its end",
        &ended,
    )
}

#[test]
fn stopped_jobs_are_told_before_it_is_left() -> Result {
    for (shell, told) in [("bash", "There are stopped jobs."), ("zsh", "you have suspended jobs.")] {
        if !skips::has_programs("line editor over other shells", &[shell])? {
            continue;
        }
        for (attempts, status) in [
            (["\u{4}", "\u{4}"], 148),
            (["exit 4\r", "exit 4\r"], 4),
            (["\u{4}", "exit 5\r"], 5),
        ] {
            let world = World::new(User::agent())?;
            let mut terminal = open(&world, &["shell", "--with", shell])?;
            terminal.at(PROMPT, "sleep 1000")?;
            sleeping(&world)?;
            terminal.send("\u{1a}")?;
            terminal.expect("exit 148")?;
            terminal.expect(PROMPT)?;
            terminal.send(attempts[0])?;
            terminal.expect(told)?;
            // Something else in between: it is told again.
            terminal.at(PROMPT, "echo still-$((1 + 1)); (exit 148)")?;
            terminal.expect("still-2\r\n")?;
            terminal.expect(PROMPT)?;
            terminal.send(attempts[0])?;
            terminal.expect(told)?;
            terminal.expect(PROMPT)?;
            terminal.send(attempts[1])?;
            let (ended, seen) = terminal.finish()?;
            check(ended == Ended::Exit(status), shell, &String::from_utf8_lossy(&seen))?;
        }
    }
    Ok(())
}

#[test]
fn a_policy_that_is_not_there_is_said_with_where_to_look() -> Result {
    let world = World::new(User::agent())?;
    for args in [
        &["shell", "--policy", "nosuch"][..],
        &["session", "create", "--policy", "nosuch"],
    ] {
        let outcome = agentsh(args).run(&world)?;
        let said = outcome.err();
        check(
            said.contains("no policy is called nosuch")
                && said.contains("agentsh policy list")
                && !said.contains("session list"),
            "what is said",
            &said,
        )?;
    }
    Ok(())
}

#[test]
fn what_is_begun_is_completed_and_what_was_typed_is_remembered() -> Result {
    let world = World::new(User::agent())?;
    world
        .user()
        .write_file(&world.workspace().join("a-long-name.txt"), "inside", 0o644)?;
    let mut terminal = open(&world, &[])?;
    terminal.expect(PROMPT)?;
    terminal.send("cat a-lo\t\r")?;
    terminal.expect("\ninside")?;
    terminal.expect(PROMPT)?;
    terminal.send(":hel\t\r")?;
    terminal.expect(":checkpoint +keep")?;
    terminal.at(PROMPT, ":quit")?;
    terminal.finish()?;
    let mut terminal = open(&world, &[])?;
    terminal.expect(PROMPT)?;
    terminal.send("\u{12}a-lo\r")?;
    terminal.expect("\ninside")?;
    terminal.at(PROMPT, "rm a-long-name.txt")?;
    terminal.expect("1 file changed")?;
    terminal.send(":undo\r")?;
    terminal.expect("a-long-name.txt")?;
    terminal.at(PROMPT, "ls a-long-name.txt")?;
    terminal.expect("\na-long-name.txt")?;
    terminal.at(PROMPT, ":nonsense")?;
    terminal.expect("unrecognized subcommand")?;
    terminal.at(PROMPT, ":quit")?;
    let (ended, _) = terminal.finish()?;
    check(ended == Ended::Exit(0), "its end", &ended)
}

#[test]
fn what_another_command_asks_appears_and_is_answered() -> Result {
    let world = World::new(User::agent())?;
    let rules = "command_rules:\n  - {name: ask-seq, commands: [seq], decision: approve, message: \"may it count?\"}\n  - {name: rest, commands: [\"*\"], decision: allow}\napprovals: {timeout: 60s}\n";
    let made = session::with_rules(&world, rules)?;
    let mut terminal = open(&world, &[])?;
    terminal.expect(" > ")?;
    let there = || {
        world
            .agentsh(["session", "info", "--json", &made.id])
            .is_ok_and(|outcome| !outcome.out().contains("nobody can be asked"))
    };
    check(
        wait_until(Duration::from_secs(30), there),
        "the session knows that somebody is there",
        &(),
    )?;
    let asker = session::exec(&made.id, &[], &["seq", "3"]).spawn(&world)?;
    terminal.expect("may it count")?;
    let shown = terminal.expect(":approve allow [0-9a-f-]{36}")?;
    let command = &shown[shown.find(":approve").unwrap_or_default()..];
    terminal.send(format!("{command}\r"))?;
    let outcome = asker.finish(Duration::from_secs(30))?;
    check(outcome.out() == "1\n2\n3\n", "the command went on", &outcome)?;
    // Between two prompts the terminal is not the editor's, and an end of input means nothing.
    terminal.expect("allowed: /usr/bin/seq")?;
    terminal.expect(" > ")?;
    terminal.send("\u{4}")?;
    let (ended, _) = terminal.finish()?;
    check(ended == Ended::Exit(0), "its end", &ended)
}

#[test]
fn one_that_is_killed_leaves_a_sane_terminal_and_no_shell() -> Result {
    let world = World::new(User::agent())?;
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGKILL] {
        let mut terminal = open(&world, &[])?;
        terminal.at(PROMPT, "echo here")?;
        terminal.expect("here\r\n")?;
        terminal.expect(PROMPT)?;
        terminal.child().signal(signal)?;
        terminal.await_echo()?;
        let (ended, seen) = terminal.finish()?;
        let died = matches!(ended, Ended::Signal { number, .. } if number == signal);
        check(died, "its end", &ended)?;
        let seen = String::from_utf8_lossy(&seen);
        let plain = seen.rfind("\u{1b}[?2004l") > seen.rfind("\u{1b}[?2004h");
        check(plain || signal == libc::SIGKILL, "pastes are plain again", &seen)?;
        let gone = wait_until(Duration::from_secs(30), || world.strays().is_empty());
        check(gone, "the session's shell is gone", &world.strays())?;
    }
    Ok(())
}

#[test]
fn one_whose_terminal_closes_while_a_line_runs_leaves_nothing() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&world, &[])?;
    terminal.at(PROMPT, "echo up; sleep 1000")?;
    terminal.expect("up\r\n")?;
    sleeping(&world)?;
    terminal.hang_up().wait(Duration::from_secs(30))?;
    let gone = wait_until(Duration::from_secs(30), || world.strays().is_empty());
    check(gone, "the shell and what it ran are gone", &world.strays())
}

#[test]
fn other_shells_serve_too() -> Result {
    let world = World::new(User::agent())?;
    for shell in ["dash", "zsh"] {
        if !skips::has_programs("the line editor over other shells", &[shell])? {
            continue;
        }
        let mut terminal = open(&world, &["shell", "--with", shell])?;
        terminal.at(PROMPT, "y=1; cd /usr")?;
        terminal.at("/usr > ", "echo y-$y")?;
        terminal.expect("y-1\r\n")?;
        terminal.at(PROMPT, "echo up; sleep 1000")?;
        terminal.expect("up\r\n")?;
        sleeping(&world)?;
        terminal.send("\u{3}")?;
        terminal.expect("exit 130")?;
        terminal.at(PROMPT, "true")?;
        terminal.expect(PROMPT)?;
        terminal.send("\u{4}")?;
        let (ended, _) = terminal.finish()?;
        check(ended == Ended::Exit(0), shell, &ended)?;
    }
    Ok(())
}

#[test]
fn without_a_terminal_it_is_a_plain_runner() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let made = session::create(&world, &["--name", "mine"])?;
        let script = "x=4\necho one-$x\ncat ~/.ssh/id_ed25519 2>/dev/null || echo kept\nexit 5\n";
        let outcome = agentsh(&[]).stdin(Input::Bytes(script.into())).run(&world)?;
        check(
            outcome.ended == Ended::Exit(5) && outcome.out() == "one-4\nkept\n",
            "a script on stdin",
            &outcome,
        )?;
        let nothing = agentsh(&["shell", "--session", "mine"])
            .stdin(Input::Null)
            .run(&world)?;
        check(
            nothing.ended == Ended::Exit(0) && nothing.out().is_empty(),
            "nothing on stdin",
            &nothing,
        )?;
        let started = || {
            let all = events(&world).unwrap_or_default();
            all.iter()
                .filter(|event| event.kind == "command_started" && event.session_id == made.id)
                .count()
        };
        let both = wait_until(Duration::from_secs(10), || started() == 2);
        check(both, "both ran in the session of the folder", &started())?;
        let unknown = agentsh(&["shell", "--session", "nobody"])
            .stdin(Input::Null)
            .run(&world)?;
        check(unknown.ended == Ended::Exit(125), "an unknown session", &unknown)?;
    }
    Ok(())
}
