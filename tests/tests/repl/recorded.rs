//! The editor's shell has a terminal of its own: it is recorded and watched like any, and takes turns with the editor.

use agentsh_terminal::cast::Data;
use agentsh_terminal::recording::Recording;
use agentsh_tests::pty::Terminal;
use agentsh_tests::record::{await_event, sessions};
use agentsh_tests::shell::Subject;
use agentsh_tests::world::PRODUCT;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Ended, Result, Shell, User, World, session};

use super::{PROMPT, SOON, check, open};

/// The id of the editor's shell.
fn shell(world: &World) -> Result<String> {
    let started = await_event(world, "the shell", |event| event.kind == "command_started")?;
    Ok(started.command_id.unwrap_or_default())
}

/// The files of all recordings.
fn files(world: &World) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for folder in sessions(world)? {
        found.extend(
            std::fs::read_dir(folder.join("recordings"))?
                .flatten()
                .map(|entry| entry.path()),
        );
    }
    Ok(found)
}

#[test]
fn lines_and_what_they_print_are_recorded_and_play() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let mut terminal = open(&world, &[])?;
        terminal.at(
            PROMPT,
            "echo the 'needle'; echo ghp_0123456789abcdefghijABCDEFGHIJ012345",
        )?;
        terminal.expect("\nthe needle\r\n")?;
        terminal.at(PROMPT, "seq 500 > numbers; less numbers")?;
        terminal.expect("\n23\r\n")?;
        terminal.send("G")?;
        terminal.expect("\n500\r\n")?;
        terminal.send("q")?;
        terminal.at(PROMPT, "stty size; exit 3")?;
        let (ended, seen) = terminal.finish()?;
        check(ended == Ended::Exit(3), "its end", &ended)?;
        check(String::from_utf8_lossy(&seen).contains("24 80\r\n"), "its size", &ended)?;
        await_event(&world, "the end", |event| event.kind == "pty_close")?;
        let id = shell(&world)?;
        let text = world.agentsh(["replay", "--text", &id])?;
        text.expect_success("replay")?;
        check(
            text.out().contains(" > echo the 'needle'; echo ") && text.out().contains("\nthe needle\n"),
            "replay",
            &text,
        )?;
        check(!text.out().contains("ghp_0123"), "no secrets", &text)?;
        let found = world.agentsh(["search", "the needle"])?;
        check(found.out().contains("the needle"), "search", &found)?;
        let recording = Recording::open(&files(&world)?.remove(0))?;
        let marked = |line: &str| {
            let mut events = recording.events.iter();
            events.any(|event| matches!(&event.data, Data::Marker(label) if label == line))
        };
        check(
            marked("$ seq 500 > numbers; less numbers") && marked("$ stty size; exit 3"),
            "its lines are marked",
            &recording.events,
        )?;
    }
    Ok(())
}

#[test]
fn somebody_else_sees_lines_and_output_and_may_help_out() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&world, &[])?;
    terminal.expect(PROMPT)?;
    let id = shell(&world)?;
    let program = Shell::program(format!("{PRODUCT}/agentsh"));
    let attach = program
        .args(["attach", "--take", &id])
        .on_terminal()
        .env("TERM", "xterm");
    let mut person = Terminal::open(&attach, &world, &Subject::Real)?;
    await_event(&world, "attached", |event| event.kind == "pty_attach")?;
    terminal.send("read -r -s -p 'Password: ' word; echo; echo \"${#word} letters\"\r")?;
    person.expect("> read -r -s")?;
    person.expect("Password: $")?;
    person.send("by hand\r")?;
    terminal.expect("7 letters\r\n")?;
    person.expect("7 letters\r\n")?;
    person.send([29])?;
    person.finish()?;
    terminal.expect(PROMPT)?;
    terminal.send("\u{4}")?;
    terminal.finish()?;
    await_event(&world, "the end", |event| event.kind == "pty_close")?;
    let recording = Recording::open(&files(&world)?.remove(0))?;
    check(
        !format!("{:?}", recording.events).contains("by hand"),
        "what was typed",
        &recording.events,
    )
}

#[test]
fn what_is_typed_while_a_line_runs_is_for_the_next_prompts() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&world, &[])?;
    terminal.at(PROMPT, "echo busy; while [ ! -e go ]; do sleep 0.05; done")?;
    terminal.expect("\nbusy\r\n")?;
    terminal.send("echo typed 'ahead'\recho ha")?;
    // It is shown by the shell's own terminal.
    terminal.expect("echo typed 'ahead'\r\necho ha$")?;
    world.user().write_file(&world.workspace().join("go"), "", 0o644)?;
    terminal.expect("> echo typed 'ahead'\r\ntyped ahead\r\n")?;
    terminal.expect("> echo ha")?;
    terminal.send("lf\r")?;
    terminal.expect("\nhalf\r\n")?;
    terminal.at(PROMPT, "exit")?;
    let (ended, _) = terminal.finish()?;
    check(ended == Ended::Exit(0), "its end", &ended)
}

#[test]
fn a_password_is_hidden_from_the_terminals_other_side_too() -> Result {
    let world = World::new(User::agent())?;
    let mut terminal = open(&world, &[])?;
    terminal.at(PROMPT, "read -r -s -p 'Password''? ' word; echo; echo \"<$word>\"")?;
    terminal.expect("Password\\? $")?;
    let hidden = wait_until(SOON, || terminal.echo().is_ok_and(|echo| !echo));
    check(hidden, "no echo is seen", &terminal.text())?;
    terminal.send("secret\r")?;
    terminal.expect("<secret>\r\n")?;
    terminal.at(PROMPT, "exit")?;
    let (_, seen) = terminal.finish()?;
    let seen = String::from_utf8_lossy(&seen).into_owned();
    check(seen.matches("secret").count() == 1, "it is shown once", &seen)
}

#[test]
fn where_policy_records_no_terminal_the_shell_works_as_well() -> Result {
    let world = World::new(User::agent())?;
    session::with_rules(&world, "record: {terminal: off}\n")?;
    let mut terminal = open(&world, &[])?;
    terminal.at("suite/seccomp [^ ]+ > ", "test -t 0 && echo on a 'terminal'")?;
    terminal.expect("\non a terminal\r\n")?;
    terminal.at("suite/seccomp [^ ]+ > ", "exit 2")?;
    let (ended, _) = terminal.finish()?;
    check(ended == Ended::Exit(2), "its end", &ended)?;
    await_event(&world, "the end", |event| event.kind == "pty_close")?;
    let files = files(&world)?;
    check(files.is_empty(), "no recording", &files)
}
