//! Programs that people and drivers use on terminals.

use agentsh_tests::world::PRODUCT;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Result, Shell, User, World};

use super::support::{SOON, bash, check, interactive, open, recordings};

#[test]
fn pagers_monitors_interpreters_and_editors() -> Result {
    let world = World::new(User::agent())?;
    world.git(&["init", "-q", "."])?;
    let mut terminal = open(&bash().env("EDITOR", "vim -u NONE -N").env("GIT_PAGER", "cat"), &world)?;
    terminal.at("P> $", "seq 500 > numbers; less numbers")?;
    terminal.expect("\n23\r\n")?;
    terminal.send("G")?;
    terminal.expect("\n500\r\n")?;
    terminal.send("q")?;
    terminal.at("P> $", "top -d 0.3")?;
    terminal.expect("load average")?;
    terminal.expect("load average")?;
    terminal.send("q")?;
    terminal.at("P> $", "python3 -q")?;
    terminal.expect(">>> $")?;
    terminal.send("import os; print(os.get_terminal_size(), os.isatty(0), input('name? '))\r")?;
    terminal.expect("name\\? $")?;
    terminal.send("someone\r")?;
    terminal.expect("columns=80, lines=24\\) True someone")?;
    terminal.expect(">>> $")?;
    terminal.send("while True: pass\r")?;
    terminal.expect("\\.\\.\\. $")?;
    terminal.send("\r")?;
    terminal.expect("\r\n")?;
    terminal.send([3])?;
    // Not before its editor has the keys: an end of input that comes earlier is no key, also without us.
    terminal.expect("KeyboardInterrupt\r\n>>> $")?;
    terminal.send([4])?;
    terminal.at(
        "P> $",
        "git add numbers; git -c user.name=x -c user.email=x@y.example commit",
    )?;
    terminal.expect("Please enter the commit message")?;
    terminal.send("ia message by hand\x1b:wq\r")?;
    terminal.at("P> $", "git log --format=%s; exit 6")?;
    terminal.expect("[\r\n]a message by hand\r\n")?;
    let (ended, _) = terminal.finish()?;
    check(ended == Ended::Exit(6), "the end", &ended)?;
    recordings(&world, 1).map(drop)
}

#[test]
fn zsh_edits_its_line_and_pastes_arrive_whole() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&interactive("zsh", &["-f", "-i"]), &world)?;
    terminal.expect("P> ")?;
    terminal.expect("\x1b\\[\\?2004h")?;
    terminal.send("\x1b[200~echo 'pasted\ntwice'\x1b[201~\r")?;
    terminal.expect("\npasted\r\ntwice\r\n")?;
    terminal.send("echo one three\x1bb\x1b[D two\r")?;
    terminal.expect("one two three\r\n")?;
    terminal.send("exit 2\r")?;
    let (ended, _) = terminal.finish()?;
    check(ended == Ended::Exit(2), "the end", &ended)
}

#[test]
fn drivers_that_wait_for_sentinels() -> Result {
    let world = World::new(User::agent())?;
    // A persistent shell without echo or prompt, its status asked for by a line of its own.
    let quiet = bash().env("PS1", "SHELLPS1PREFIX").env("PS2", "").env("PS0", "");
    let mut terminal = open(&quiet, &world)?;
    terminal.at("SHELLPS1PREFIX$", "stty -echo; bind 'set enable-bracketed-paste off'")?;
    terminal.at("SHELLPS1PREFIX$", "(exit 5)")?;
    terminal.at("SHELLPS1PREFIX$", "echo EXITCODESTART$?EXITCODEEND")?;
    terminal.expect("EXITCODESTART5EXITCODEEND")?;
    terminal.at("SHELLPS1PREFIX$", "sleep 1000")?;
    let sleeps = || world.processes().iter().any(|process| process.exe.ends_with("sleep"));
    wait_until(SOON, sleeps);
    terminal.send([26])?;
    terminal.at("SHELLPS1PREFIX$", "kill -9 %1; while jobs -s | grep -q .; do :; done")?;
    terminal.at("SHELLPS1PREFIX$", "exit")?;
    terminal.finish()?;
    // A prompt that is data.
    let prompt = "\n###PS1JSON###\n{\"pid\": \"$!\", \"exit_code\": \"$?\", \"cwd\": \"$(pwd)\"}\n###PS1END###\n";
    let mut terminal = open(&bash().env("PROMPT_COMMAND", format!("export PS1='{prompt}'")), &world)?;
    terminal.at("###PS1END###\r\n$", "cd /tmp; false")?;
    terminal.expect("###PS1JSON###\r\n\\{\"pid\": \"\", \"exit_code\": \"1\", \"cwd\": \"/tmp\"\\}\r\n###PS1END###")?;
    terminal.send("exit\r")?;
    terminal.finish()?;
    // Markers around each command.
    let mut terminal = open(&bash(), &world)?;
    terminal.at("P> $", "PS1=\"\"; PS2=\"\"; unset HISTFILE; echo rea''dy")?;
    terminal.expect("[\r\n]ready\r\n")?;
    terminal.send("{ echo ___BEGIN''___; (exit 3); EC=$?; echo \"___DONE''___$EC\"; }\r")?;
    terminal.expect("___BEGIN___\r\n")?;
    terminal.expect("___DONE.*___3\r\n")?;
    terminal.send("exit\r")?;
    terminal.finish().map(drop)
}

/// A driver looks at the terminal's own settings from its side, and changes them there.
#[test]
fn echo_is_seen_and_set_from_the_drivers_side() -> Result {
    let world = World::new(User::agent())?;
    let script = "read -r line; echo \"1 $line\"; read -r -s -p 'word: ' word; echo; echo \"2 $word\"; read -r line; stty -echo; echo \"3 $line\"";
    let mut terminal = open(&interactive("bash", &["-c", script]), &world)?;
    terminal.await_echo()?;
    terminal.send("shown\r")?;
    terminal.expect("shown\r\n1 shown\r\n")?;
    terminal.expect("word: $")?;
    let hidden = wait_until(SOON, || terminal.echo().is_ok_and(|echo| !echo));
    check(hidden, "no echo is seen", &terminal.text())?;
    terminal.send("hidden\r")?;
    terminal.expect("2 hidden\r\n")?;
    terminal.await_echo()?;
    terminal.set_echo(false)?;
    terminal.send("unseen\r")?;
    terminal.expect("3 unseen")?;
    let (_, seen) = terminal.finish()?;
    check(
        String::from_utf8_lossy(&seen).matches("unseen").count() == 1,
        "no echo was made",
        &String::from_utf8_lossy(&seen),
    )
}

fn tmux(world: &World, args: &[&str]) -> Result<String> {
    let outcome = Shell::program("tmux")
        .args(["-S", "/tmp/tmux.sock", "-f", "/dev/null"])
        .args(args)
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8")
        .cwd(world.workspace())
        .run(world)?;
    outcome.expect_success(&args.join(" "))?;
    Ok(outcome.out())
}

#[test]
fn under_tmux() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let shell = format!("{PRODUCT}/shims/bash --norc --noprofile");
        let started = ["new-session", "-d", "-x", "90", "-y", "20", &shell];
        tmux(&world, &started)?;
        let shows = |text: &str| {
            let shown = || tmux(&world, &["capture-pane", "-p"]).is_ok_and(|screen| screen.contains(text));
            let seen = wait_until(SOON, shown);
            check(seen, text, &tmux(&world, &["capture-pane", "-p"]))
        };
        shows("bash")?;
        tmux(
            &world,
            &[
                "send-keys",
                "stty size; printf '\\033[?1049hfull\\n'; read x; printf '\\033[?1049l'",
                "Enter",
            ],
        )?;
        shows("full")?;
        tmux(&world, &["send-keys", "Enter"])?;
        shows("20 90")?;
        tmux(&world, &["resize-window", "-x", "70", "-y", "15"])?;
        tmux(
            &world,
            &[
                "send-keys",
                "mkdir sub; cd sub; clear; stty size; vim -u NONE -N",
                "Enter",
            ],
        )?;
        shows("~")?;
        let pane = || {
            tmux(
                &world,
                &["display-message", "-p", "#{pane_current_command} #{pane_current_path}"],
            )
        };
        let expected = format!("vim {}\n", world.workspace().join("sub").display());
        check(
            wait_until(SOON, || pane().is_ok_and(|shown| shown == expected)),
            &expected,
            &pane()?,
        )?;
        tmux(&world, &["send-keys", "ihello from vim", "Escape"])?;
        shows("hello from vim")?;
        tmux(&world, &["send-keys", ":q!", "Enter"])?;
        shows("15 70")?;
        tmux(&world, &["send-keys", "exit", "Enter"])?;
        let gone = wait_until(SOON, || tmux(&world, &["list-sessions"]).is_err());
        check(gone, "the end", &world.processes())?;
        recordings(&world, 1)?;
    }
    Ok(())
}
