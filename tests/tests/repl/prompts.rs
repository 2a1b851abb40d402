//! The shell below the editor has prompts, hooks and a line editor of its own: they are the person's, and never in the way.

use agentsh_tests::{Ended, Result, User, World, skips};

use super::{PROMPT, check, open};

const SHELLS: [(&str, &str); 2] = [("bash", ".bashrc"), ("zsh", ".zshrc")];

#[test]
fn a_start_file_sees_a_prompt_and_what_it_makes_of_it_is_kept_and_not_printed() -> Result {
    for (shell, file) in SHELLS {
        if !skips::has_programs("the line editor over other shells", &[shell])? {
            continue;
        }
        let world = World::new(User::agent())?;
        let text = "[ -z \"$PS1\" ] && return\nset -o vi\nPS1='mine> ' PS2='more> '\nstarted=yes\n";
        world.user().write_file(&world.user().home.join(file), text, 0o644)?;
        let mut terminal = open(&world, &["shell", "--with", shell])?;
        terminal.at(PROMPT, "echo \"$started-[$PS1]\" 'two")?;
        terminal.send("lines'\r")?;
        terminal.expect("\nyes-\\[mine> \\] two\r\nlines\r\n")?;
        terminal.at(PROMPT, "sleep 1000")?;
        super::sleeping(&world)?;
        terminal.send("\u{3}")?;
        terminal.at(PROMPT, "exit 4")?;
        let (ended, seen) = terminal.finish()?;
        check(ended == Ended::Exit(4), shell, &ended)?;
        let seen = String::from_utf8_lossy(&seen).into_owned();
        let shown = (seen.matches("mine> ").count(), seen.matches("more> ").count());
        check(shown == (1, 0), shell, &(shown, seen))?;
    }
    Ok(())
}

#[test]
fn what_a_shell_runs_before_its_prompt_and_after_an_error_runs_once_a_line() -> Result {
    for (shell, hooks) in [
        (
            "bash",
            "PROMPT_COMMAND='echo ho''ok'; trap 'echo wr''ong' ERR; PS1='mi''ne> '",
        ),
        (
            "zsh",
            "precmd() { echo ho'ok'; }; trap 'echo wr''ong' ZERR; PS1='mi''ne> '",
        ),
    ] {
        if !skips::has_programs("the line editor over other shells", &[shell])? {
            continue;
        }
        let world = World::new(User::agent())?;
        let mut terminal = open(&world, &["shell", "--with", shell])?;
        terminal.at(PROMPT, hooks)?;
        terminal.at(PROMPT, "(exit 7)")?;
        terminal.at(PROMPT, "echo status-$?")?;
        terminal.expect("\nstatus-7\r\n")?;
        terminal.at(PROMPT, "exit 0")?;
        let (_, seen) = terminal.finish()?;
        let seen = String::from_utf8_lossy(&seen).into_owned();
        let count = |word: &str| seen.matches(word).count();
        let counts = (count("\nhook\r\n"), count("wrong\r\n"), count("mine> "));
        check(counts == (3, 1, 0), shell, &(counts, seen))?;
    }
    Ok(())
}

#[test]
fn the_shells_own_line_editor_may_be_switched_on() -> Result {
    let world = World::new(User::agent())?;
    for (shell, lines) in [
        (
            "bash",
            ["set -o vi", "true; set -o emacs", "bind -p | grep -c nothing-such"],
        ),
        ("zsh", ["set -o vi", "bindkey -v", "setopt zle"]),
        ("dash", ["set -o vi", "set -o emacs", "set +o vi"]),
    ] {
        if !skips::has_programs("the line editor over other shells", &[shell])? {
            continue;
        }
        let mut terminal = open(&world, &["shell", "--with", shell])?;
        for line in lines {
            terminal.at(PROMPT, line)?;
            terminal.at(PROMPT, "echo still-$((1+1))")?;
            terminal.expect("\nstill-2\r\n")?;
        }
        terminal.at(PROMPT, "exit 3")?;
        let (ended, seen) = terminal.finish()?;
        let seen = String::from_utf8_lossy(&seen).into_owned();
        check(
            ended == Ended::Exit(3) && !seen.contains("not enabled"),
            shell,
            &(ended, seen),
        )?;
    }
    Ok(())
}
