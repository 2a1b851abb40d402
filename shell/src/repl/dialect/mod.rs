//! What is said to each of the shells.

use std::os::fd::RawFd;

use crate::verbs::shell::Program;

/// The descriptors that only the shell itself has: its terminal, and where it reports to.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    pub terminal: RawFd,
    pub report: RawFd,
}

/// The function by which a shell reports, and how all other names of ours begin; nobody is offered them.
pub const FUNCTION: &str = "__agentsh";

/// The program's name.
pub fn name(program: Program) -> &'static str {
    match program {
        Program::Bash => "bash",
        Program::Zsh => "zsh",
        Program::Dash => "dash",
    }
}

/// Interactive, without a line editor or start files of its own: the setup reads those at the right moment. dash has no
/// hook but a command in its prompt, after which it takes its terminal once more if it has job control: it goes without.
pub fn options(program: Program) -> &'static [&'static str] {
    match program {
        Program::Bash => &["--norc", "--noprofile", "--noediting", "-i"],
        Program::Zsh => &["-f", "-i", "+Z", "-o", "nopromptsp"],
        Program::Dash => &["-i", "+m"],
    }
}

impl Ends {
    /// What a line gets: the terminal as its stdin, and none of our pipes.
    fn redirections(self) -> String {
        let Ends { terminal, report } = self;
        format!("<&{terminal} {terminal}<&- {report}>&-")
    }

    fn fill(self, text: &str) -> String {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .flat_map(|line| [line, "\n"])
            .collect::<String>()
            .replace("@ENDS@", &self.redirections())
            .replace("@TERMINAL@", &self.terminal.to_string())
            .replace("@REPORT@", &self.report.to_string())
    }
}

/// Makes the function that reports, and reads the person's start file. A report is five texts, each ended by a NUL: status
/// and folder, the search path, names of variables, names of commands that are no programs, and the stopped jobs (zsh would
/// take `jobs` for a warning that was read).
pub fn setup(program: Program, ends: Ends) -> String {
    let Ends { terminal, report } = ends;
    match program {
        Program::Bash => ends.fill(include_str!("bash.sh")) + &report_line(""),
        Program::Zsh => ends.fill(include_str!("zsh.sh")) + &report_line(""),
        // What waits to be read is forgotten by it at ^C: only its prompt can report. The function puts that back.
        Program::Dash => format!(
            "exec {terminal}<&2; trap '' TSTP; PS2=; {FUNCTION}() {{ PS1='$(printf '\\''%s %s\\0%s\\0\\0\\0\\0'\\'' \"$?\" \"$PWD\" \"$PATH\" >&{report})'; \
             return $1; }}; {FUNCTION} 0\n"
        ),
    }
}

/// Runs a line, with the terminal as its stdin and without our pipes, and reports.
pub fn run(program: Program, line: &str, ends: Ends) -> String {
    let quoted = line.replace('\'', "'\\''");
    let redirections = ends.redirections();
    // Of an `eval` that ends well the shell's trap of errors is not told a second time. Lists but for their last command
    // never tell it.
    let eval = format!(
        "eval \"$__agentsh_traced\"'{quoted}\n{{ __agentsh_end=$?; }} 2>/dev/null' {redirections}; {{ __agentsh_over && :; }} 2>/dev/null"
    );
    let report = report_line(&quoted);
    match program {
        // A line of its own reports: it is read whatever becomes of the first.
        Program::Bash => {
            let (before, after) = match edits(line) {
                true => (
                    "{ set -o emacs; __agentsh_back && :; } 2>/dev/null; ",
                    "; { set +o emacs +o vi; __agentsh_back && :; } 2>/dev/null",
                ),
                false => ("", ""),
            };
            format!("{{ __agentsh_show && :; }} 2>/dev/null; {before}{eval}{after}\n{report}")
        }
        // A function cannot switch tracing off for good.
        Program::Zsh => {
            format!("{{ __agentsh_show && :; unsetopt xtrace; __agentsh_back && :; }} 2>/dev/null; {eval}\n{report}")
        }
        // A syntax error in `eval` would end the shell, in `command eval` it does not.
        Program::Dash => format!("command eval '{quoted}' {redirections}; {FUNCTION} $?\n"),
    }
}

/// Whether a line has to do with bash's own line editor. Switched on in the middle of an `eval` that would take the rest of
/// it from the terminal, unless it is on already outside of it.
fn edits(line: &str) -> bool {
    let words: Vec<&str> = line
        .split(|char: char| char.is_whitespace() || ";&|(){}'\"`".contains(char))
        .filter(|word| !word.is_empty())
        .collect();
    let is_option = |word: &str| word.starts_with(['-', '+']) && word.ends_with('o');
    let is_mode = |word: &str| ["vi", "emacs"].contains(&word);
    words.contains(&"bind") || words.windows(2).any(|pair| is_option(pair[0]) && is_mode(pair[1]))
}

/// Has the shell end with this status; it refuses the first time while jobs are stopped, unless it is told again at
/// once. What comes between two lines here is no part of that.
pub fn leave(program: Program, status: &str, again: bool, ends: Ends) -> String {
    let ends = ends.redirections();
    let first = match (again, program) {
        (false, _) | (_, Program::Dash) => String::new(),
        (true, Program::Bash) => format!("{{ exit {status}; }} 2>/dev/null\n"),
        (true, Program::Zsh) => "setopt nocheckjobs; ".to_owned(),
    };
    match program {
        // If it refuses, `$?` is what it was.
        Program::Bash | Program::Zsh => {
            format!("eval '{first}exit {status}' {ends}\n{{ (exit {status}) && :; {FUNCTION} '' && :; }} 2>/dev/null\n")
        }
        Program::Dash => format!("exit {status}\n"),
    }
}

/// Nothing of it is traced on the person's terminal.
fn report_line(quoted: &str) -> String {
    format!("{{ {FUNCTION} '{quoted}' && :; }} 2>/dev/null\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_switches_the_shells_own_editor_on_is_known() {
        for line in [
            "set -o vi",
            "true; set -o emacs",
            "f() { set -o vi;}",
            "set -euo vi",
            "bind -p",
            "set +o vi",
        ] {
            assert!(edits(line), "{line}");
        }
        for line in [
            "vi set.txt",
            "set -o noclobber",
            "emacs -o x",
            "binder",
            "echo vi emacs",
        ] {
            assert!(!edits(line), "{line}");
        }
    }

    #[test]
    fn nothing_is_left_to_be_filled_in_and_no_comment_is_sent() {
        let ends = Ends { terminal: 7, report: 8 };
        for program in [Program::Bash, Program::Zsh, Program::Dash] {
            let text = setup(program, ends);
            assert!(!text.contains("@TERMINAL") && !text.contains("@REPORT") && !text.contains("@ENDS"));
            assert!(!text.lines().any(|line| line.trim_start().starts_with('#')), "{text}");
        }
    }
}
