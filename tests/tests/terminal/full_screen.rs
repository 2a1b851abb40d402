//! Programs that take the whole screen: what they draw through the hub is what they draw without it.

use agentsh_terminal::screen::{Screen, Size};
use agentsh_tests::pty::Terminal;
use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, Shell, User, World, skips};

use super::support::{SOON, bash, check};

/// The screen after everything that appeared so far.
fn screen(terminal: &mut Terminal) -> Result<Vec<String>> {
    terminal.settle()?;
    let mut screen = Screen::new(Size::new(80, 24), 0)?;
    screen.push(terminal.text().as_bytes());
    Ok(screen.text())
}

/// Waits until a row of the screen holds `text`; the screen then.
fn shows(terminal: &mut Terminal, text: &str) -> Result<Vec<String>> {
    let mut last = Vec::new();
    wait_until(SOON, || {
        last = screen(terminal).unwrap_or_default();
        last.iter().any(|row| row.contains(text))
    });
    check(last.iter().any(|row| row.contains(text)), text, &last)?;
    Ok(last)
}

/// What each step shows with the real shell and with the stand-in.
fn both(world: &World, drive: impl Fn(&mut Terminal) -> Result<Vec<Vec<String>>>) -> Result {
    let mut seen = Vec::new();
    for subject in [Subject::Real, Subject::shims()] {
        let mut terminal = Terminal::open(&bash().cwd(world.workspace()), world, &subject)?;
        seen.push(drive(&mut terminal)?);
        terminal.send("exit\r")?;
        terminal.finish()?;
    }
    check(seen[0] == seen[1], "the same is shown", &seen)
}

#[test]
fn nano_edits_and_saves() -> Result {
    if !skips::has_programs("full screen", &["nano"])? {
        return Ok(());
    }
    let world = World::new(User::agent())?;
    both(&world, |terminal| {
        terminal.at("P> $", "rm -f note; nano --ignorercfiles note")?;
        shows(terminal, "New File")?;
        terminal.send("first line\rsecond liin\x7f\x7fne\r")?;
        let typed = shows(terminal, "second line")?;
        // Pasted at once, with brackets around it.
        terminal.send("\x1b[200~pasted one\npasted two\x1b[201~")?;
        let pasted = shows(terminal, "pasted two")?;
        terminal.send("\x17second\r")?;
        terminal.send("\x0f")?;
        shows(terminal, "File Name to Write")?;
        terminal.send("\r")?;
        shows(terminal, "Wrote 4 lines")?;
        terminal.send("\x18")?;
        terminal.at("P> $", "clear; cat note; echo over")?;
        terminal.expect("\r\nover\r\n")?;
        let left = shows(terminal, "over")?;
        // Of the rest, what is told for a moment may be there or not.
        let text = |rows: Vec<String>| rows[1..7].to_vec();
        let left = left.into_iter().take_while(|row| row != "over").collect();
        Ok(vec![text(typed), text(pasted), left])
    })
}

#[test]
fn htop_draws_takes_keys_and_goes() -> Result {
    if !skips::has_programs("full screen", &["htop"])? {
        return Ok(());
    }
    let world = World::new(User::agent())?;
    both(&world, |terminal| {
        terminal.at("P> $", "htop -d 5")?;
        // What runs and how much differs; what can be pressed does not.
        let keys = |rows: &[String]| rows.last().cloned().unwrap_or_default();
        let first = shows(terminal, "F10Quit")?;
        terminal.send("\x1bOQ")?;
        shows(terminal, "Categories")?;
        terminal.send("\x1b")?;
        terminal.send("/")?;
        let searching = shows(terminal, "Search:")?;
        terminal.send("\x1b")?;
        shows(terminal, "F10Quit")?;
        terminal.send("q")?;
        terminal.at("P> $", "echo $? back")?;
        terminal.expect("0 back\r\n")?;
        Ok(vec![vec![keys(&first), keys(&searching)]])
    })
}

/// The shell in a window of screen, from which one is detached and to which one comes back.
#[test]
fn under_screen() -> Result {
    if !skips::has_programs("full screen", &["screen"])? {
        return Ok(());
    }
    let mut seen = Vec::new();
    for subject in [Subject::Real, Subject::shims()] {
        let world = World::new(User::agent())?;
        let start = |text: &str| {
            let text =
                format!("mkdir -p -m 700 ~/.screen; export SCREENDIR=~/.screen; exec screen -c /dev/null {text}");
            let shell = Shell::program("/bin/sh").args(["-c", &text, "@bash@"]).on_terminal();
            let shell = shell
                .env("PS1", "P> ")
                .env("TERM", "xterm")
                .env("HISTFILE", "/dev/null");
            Terminal::open(&shell.cwd(world.workspace()), &world, &subject)
        };
        let mut terminal = start("-S work \"$0\" --norc --noprofile -i")?;
        shows(&mut terminal, "P>")?;
        terminal.send("printf 'in %s window\\n' the; stty size; jobs; sleep 0 & wait\r")?;
        shows(&mut terminal, "24 80")?;
        terminal.send("\x01d")?;
        terminal.expect("detached from")?;
        terminal.finish()?;
        let mut terminal = start("-r work")?;
        let back = shows(&mut terminal, "24 80")?;
        seen.push(back.into_iter().take_while(|row| row != "24 80").collect::<Vec<_>>());
        terminal.send("clear; vim -u NONE -N\r")?;
        shows(&mut terminal, "VIM - Vi IMproved")?;
        terminal.send(":q\r")?;
        terminal.at("P> $", "exit")?;
        terminal.expect("screen is terminating")?;
        terminal.finish()?;
    }
    check(seen[0] == seen[1], "the same is shown", &seen)
}
