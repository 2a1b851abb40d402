//! Lines as people write them: over several rows, in bursts, and with the shell's own names.

use agentsh_tests::pty::Terminal;
use agentsh_tests::shell::Subject;
use agentsh_tests::{Ended, Result, User, World, session, skips};

use super::{PROMPT, check, open};

#[test]
fn a_line_goes_on_where_a_shell_would_read_on() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&world, &[])?;
    terminal.at(PROMPT, "cat <<'END' | tr a-z A-Z")?;
    terminal.send("here 'it is\rEND\r")?;
    terminal.expect("\nHERE 'IT IS\r\n")?;
    terminal.at(PROMPT, "case two in")?;
    terminal.send("one) echo no;;\rtwo) echo 'y'es;;\resac\r")?;
    terminal.expect("\nyes\r\n")?;
    terminal.at(PROMPT, "while read -r x")?;
    terminal.send("do echo \"<$x>\"; break\rdone < <(echo in 'put')\r")?;
    terminal.expect("\n<in put>\r\n")?;
    // The shell's own colon.
    terminal.at(PROMPT, ": ${given:='seven'\\")?;
    terminal.send("}; echo \"<$given>\"\r")?;
    terminal.expect("\n<seven>\r\n")?;
    terminal.at(PROMPT, "exit 5")?;
    let (ended, _) = terminal.finish()?;
    check(ended == Ended::Exit(5), "its end", &ended)
}

#[test]
fn lines_that_come_at_once_all_run() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&world, &[])?;
    terminal.expect(PROMPT)?;
    terminal.send("echo first-$((1+1))\recho second-$((1+1))\recho third-$((1+1))\rexit 4\r")?;
    for word in ["first-2", "second-2", "third-2"] {
        terminal.expect(&format!("\n{word}\r\n"))?;
    }
    let (ended, _) = terminal.finish()?;
    check(ended == Ended::Exit(4), "its end", &ended)
}

#[test]
fn what_is_typed_before_the_first_prompt_is_not_lost() -> Result {
    let world = World::new(User::agent())?;
    let start = "echo starting; until [ -e go ]; do sleep 0.1; done\n";
    world
        .user()
        .write_file(&world.user().home.join(".bashrc"), start, 0o644)?;
    let mut terminal = open(&world, &[])?;
    terminal.expect("starting\r\n")?;
    terminal.send("echo 'ty'ped\rexit 4\r")?;
    terminal.expect("exit 4")?;
    world.user().write_file(&world.workspace().join("go"), "", 0o644)?;
    terminal.expect("\ntyped\r\n")?;
    let (ended, _) = terminal.finish()?;
    check(ended == Ended::Exit(4), "its end", &ended)
}

#[test]
fn what_is_not_utf_8_is_left_out_and_ends_nothing() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&world, &[])?;
    terminal.at(PROMPT, "one=1")?;
    terminal.expect(PROMPT)?;
    terminal.send(b"echo cut \xe9\xe9; echo 'le'ft\r")?;
    terminal.expect("not UTF-8")?;
    terminal.at(PROMPT, "echo two$((one+1))")?;
    terminal.expect("\ntwo2\r\n")?;
    terminal.at(PROMPT, "exit 4")?;
    let (ended, seen) = terminal.finish()?;
    let seen = String::from_utf8_lossy(&seen).into_owned();
    check(ended == Ended::Exit(4) && !seen.contains("left\r"), "the rest", &seen)
}

#[test]
fn what_the_shell_knows_is_completed() -> Result {
    let world = World::new(User::agent())?;
    for (shell, function) in [("bash", true), ("zsh", true), ("dash", false)] {
        if !skips::has_programs("completion over other shells", &[shell])? {
            continue;
        }
        let mut terminal = open(&world, &["shell", "--with", shell])?;
        terminal.at(PROMPT, "some_variable=7")?;
        terminal.at(PROMPT, "some_function() { echo called-$1; }")?;
        terminal.expect(PROMPT)?;
        if function {
            terminal.send("some_f\t 1\r")?;
            terminal.expect("\ncalled-1\r\n")?;
            terminal.expect(PROMPT)?;
            terminal.send("echo value-${some_v\t}\r")?;
            terminal.expect("\nvalue-7\r\n")?;
            terminal.expect(PROMPT)?;
        }
        terminal.send("mkfif\t pipe && test -p pipe && rm pipe && echo 'ma'de\r")?;
        terminal.expect("\nmade\r\n")?;
        terminal.expect(PROMPT)?;
        terminal.send(":sessio\t")?;
        terminal.expect(":session")?;
        terminal.send("\u{15}\u{4}")?;
        terminal.finish()?;
    }
    Ok(())
}

#[test]
fn a_shell_whose_hooks_are_changed_goes_on_telling() -> Result {
    let world = World::new(User::agent())?;
    for (shell, change) in [
        ("bash", "PROMPT_COMMAND=; PS1='+ '"),
        ("zsh", "precmd() { :; }; PS1='+ '"),
        ("dash", "PS1='+ '"),
    ] {
        if !skips::has_programs("the line editor over other shells", &[shell])? {
            continue;
        }
        let mut terminal = open(&world, &["shell", "--with", shell])?;
        terminal.at(PROMPT, change)?;
        terminal.at(PROMPT, "(exit 7)")?;
        terminal.expect("exit 7")?;
        terminal.at(PROMPT, "echo status-$?; cd /usr")?;
        terminal.expect("status-7\r\n")?;
        terminal.at("/usr > ", "exit 6")?;
        let (ended, _) = terminal.finish()?;
        check(ended == Ended::Exit(6), shell, &ended)?;
    }
    Ok(())
}

#[test]
fn the_shells_own_history_has_the_lines_as_they_were_typed() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&world, &[])?;
    terminal.at(PROMPT, "echo 'it''s' one")?;
    terminal.at(PROMPT, "history")?;
    terminal.expect("1  echo 'it''s' one\r\n")?;
    terminal.at(PROMPT, "set -x; true")?;
    terminal.at(PROMPT, "set +x; exit")?;
    let (_, seen) = terminal.finish()?;
    let seen = String::from_utf8_lossy(&seen).into_owned();
    check(!seen.contains("__agentsh"), "nothing of ours is shown", &seen)
}

#[test]
fn what_a_line_did_is_told_at_the_prompt_and_never_while_another_runs() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&world, &[])?;
    terminal.at(PROMPT, "touch made")?;
    terminal.at(PROMPT, "sleep 1; echo sl'ept'")?;
    let seen = terminal.expect("\nslept\r\n")?;
    check(!seen.contains("file changed"), "while it ran", &seen)?;
    terminal.expect("1 file changed")?;
    terminal.at(PROMPT, ":search \"sl'ept'\"")?;
    terminal.expect("sl'ept'")?;
    terminal.at(PROMPT, ":search 'no end")?;
    terminal.expect("a quote has no end")?;
    terminal.at(PROMPT, ":quit")?;
    terminal.finish().map(drop)
}

#[test]
fn a_question_of_the_line_itself_is_answered_from_the_prompt() -> Result {
    let world = World::new(User::agent())?;
    let rules = "command_rules:\n  - {name: ask-seq, commands: [seq], decision: approve, message: \"may it count?\"}\n  - {name: rest, commands: [\"*\"], decision: allow}\napprovals: {timeout: 60s}\n";
    session::with_rules(&world, rules)?;
    let mut terminal = open(&world, &[])?;
    terminal.at(" > ", "seq 3")?;
    terminal.expect("may it count")?;
    let shown = terminal.expect(":approve allow [0-9a-f-]{36}")?;
    let command = shown[shown.find(":approve").unwrap_or_default()..].to_owned();
    terminal.expect("ctrl-z[^\r\n]*\r\n")?;
    terminal.send("\u{1a}")?;
    terminal.at(" > ", &command)?;
    terminal.expect("allowed for one identical retry: /usr/bin/seq")?;
    terminal.at(" > ", "fg")?;
    terminal.expect("\n1\r\n2\r\n3\r\n")?;
    terminal.at(" > ", "exit")?;
    terminal.finish().map(drop)
}

#[test]
fn a_session_that_dies_is_said_and_ends_the_editor() -> Result {
    let world = World::new(User::agent())?;
    for running in [true, false] {
        let mut terminal = open(&world, &[])?;
        terminal.at(PROMPT, "echo here; [ -n \"$x\" ] || x=1")?;
        terminal.expect("here\r\n")?;
        terminal.expect(PROMPT)?;
        if running {
            terminal.send("echo up; sleep 1000\r")?;
            terminal.expect("\nup\r\n")?;
        }
        for supervisor in world.supervisors() {
            supervisor.signal(libc::SIGKILL);
        }
        if !running {
            terminal.send("echo lost\r")?;
        }
        let (ended, seen) = terminal.finish()?;
        let seen = String::from_utf8_lossy(&seen).into_owned();
        check(
            matches!(ended, Ended::Exit(code) if code != 0) && seen.contains("the session has ended"),
            "what is said",
            &(ended, seen),
        )?;
    }
    Ok(())
}

#[test]
fn a_terminal_on_which_nothing_can_be_edited_serves_too() -> Result {
    let world = World::new(User::agent())?;
    let dumb = super::agentsh(&[])
        .on_terminal()
        .env("TERM", "dumb")
        .env("NO_COLOR", "1");
    let mut terminal = Terminal::open(&dumb, &world, &Subject::Real)?;
    terminal.at(PROMPT, "touch made; echo on a 'plain' one")?;
    terminal.expect("\non a plain one\r\n")?;
    terminal.expect("1 file changed")?;
    terminal.send("exit 3\r")?;
    let (ended, _) = terminal.finish()?;
    check(ended == Ended::Exit(3), "its end", &ended)
}
