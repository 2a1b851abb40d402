//! The editor's own verbs on a real terminal.

use agentsh_tests::record::await_event;
use agentsh_tests::{Ended, Result, User, World, session};

use super::{PROMPT, check, open};

#[test]
fn another_terminal_of_the_session_is_looked_at_and_answered() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let made = session::create(&world, &[])?;
        let script = "echo from the other; read -r line; echo \"got $line\"";
        let other = world.agentsh(["exec", "--pty", "--detach", &made.id, "--", "bash", "-c", script])?;
        other.expect_success("exec --detach")?;
        let mut terminal = open(&world, &[])?;
        terminal.at(PROMPT, ":attach")?;
        terminal.expect("from the other")?;
        terminal.send("a word\r")?;
        terminal.expect("got a word")?;
        terminal.expect("has ended: exit status: 0")?;
        // Nobody else's terminal is left; the editor's own is not meant.
        terminal.at(PROMPT, ":attach")?;
        terminal.expect("no command of session .* has an open terminal")?;
        terminal.at(PROMPT, "echo and 'on'")?;
        terminal.expect("\nand on\r\n")?;
        terminal.at(PROMPT, ":quit")?;
        let (ended, _) = terminal.finish()?;
        check(ended == Ended::Exit(0), "its end", &ended)?;
    }
    Ok(())
}

#[test]
fn what_was_done_is_watched_again() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&world, &[])?;
    terminal.at(PROMPT, "echo seen 'twice'")?;
    terminal.expect("\nseen twice\r\n")?;
    terminal.at(PROMPT, ":replay")?;
    terminal.expect("\x1b\\[\\?1049h")?;
    // Drawn as cells, on the second row.
    terminal.expect("\x1b\\[2;1Hseen")?;
    terminal.send("q")?;
    terminal.expect("\x1b\\[\\?1049l")?;
    terminal.at(PROMPT, ":search twice")?;
    terminal.expect("seen twice")?;
    terminal.at(PROMPT, ":quit")?;
    terminal.finish().map(drop)
}

#[test]
fn the_workspace_is_kept_and_brought_back_and_the_session_told() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&world, &[])?;
    terminal.at(PROMPT, "echo first > file")?;
    terminal.at(PROMPT, ":checkpoint")?;
    let shown = terminal.expect("\n[0-9a-f-]{36}\r\n")?;
    let id = shown.trim().rsplit('\n').next().unwrap_or_default().to_owned();
    terminal.at(PROMPT, "echo second > file; echo extra > other")?;
    terminal.at(PROMPT, ":checkpoint list")?;
    terminal.expect(&id[..8])?;
    terminal.at(PROMPT, &format!(":checkpoint rollback {id}"))?;
    terminal.at(PROMPT, "cat file; test -e other || echo not the 'other'")?;
    terminal.expect("\nfirst\r\nnot the other\r\n")?;
    terminal.at(PROMPT, ":policy")?;
    terminal.expect("name: default")?;
    terminal.at(PROMPT, ":sessions")?;
    terminal.expect("running")?;
    terminal.at(PROMPT, ":session")?;
    terminal.expect("default")?;
    terminal.at(PROMPT, ":events --type process_exec")?;
    terminal.expect("cat")?;
    terminal.at(PROMPT, ":quit")?;
    let (ended, _) = terminal.finish()?;
    check(ended == Ended::Exit(0), "its end", &ended)?;
    await_event(&world, "the end", |event| event.kind == "command_finished").map(drop)
}
