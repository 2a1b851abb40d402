//! What is said to each of the shells.

use std::os::fd::RawFd;

use crate::verbs::shell::Program;

/// The descriptors that only the shell itself has: its terminal, and where it reports to.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    pub terminal: RawFd,
    pub report: RawFd,
}

/// The function by which a shell reports; nobody is offered it as a command.
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

/// Reads the person's start file and then makes the function that reports: five texts, each ended by a NUL: status and
/// folder, the search path, names of variables, names of commands that are no programs, and the stopped jobs (zsh would
/// take `jobs` for a warning that was read).
pub fn setup(program: Program, ends: Ends) -> String {
    let Ends { terminal, report } = ends;
    let own = format!("exec {terminal}<&2; ");
    let start = |file: &str| {
        format!(
            "{own}[ -r ~/{file} ] && . ~/{file} <&{terminal} {terminal}<&- {report}>&-; unset HISTFILE; PS1= PS2=; "
        )
    };
    let first = "builtin printf '%s %s\\0%s\\0' \"$s\" \"$PWD\" \"$PATH\"";
    match program {
        Program::Bash => {
            start(".bashrc")
                + &format!(
                    "unset PROMPT_COMMAND; set +o history; history -c; {FUNCTION}() {{ local s=$?; [ -z \"$1\" ] || builtin history -s -- \"$1\"; \
                     {{ {first}; builtin compgen -v; builtin printf '\\0'; builtin compgen -abk -A function; \
                     builtin printf '\\0'; builtin jobs -sp; builtin printf '\\0'; }} >&{report} 2>/dev/null; return $s; }}\n{}",
                    report_line("")
                )
        }
        Program::Zsh => {
            start(".zshrc")
                + &format!(
                    "unsetopt ZLE PROMPT_SP; precmd_functions=(); RPS1=; {FUNCTION}() {{ local s=$?; \
                     [ -z \"$1\" ] || builtin print -s -- \"$1\"; {{ {first}; builtin print -rl -- ${{(k)parameters}}; \
                     builtin printf '\\0'; builtin print -rl -- ${{(k)builtins}} ${{(k)functions}} ${{(k)aliases}} ${{(k)reswords}}; \
                     builtin printf '\\0'; builtin print -rl -- ${{(M)jobstates:#suspended*}}; builtin printf '\\0'; }} >&{report} 2>/dev/null; return $s; }}\n{}",
                    report_line("")
                )
        }
        // What waits to be read is forgotten by it at ^C: only its prompt can report. The function puts that back.
        Program::Dash => format!(
            "{own}trap '' TSTP; PS2=; {FUNCTION}() {{ PS1='$(printf '\\''%s %s\\0%s\\0\\0\\0\\0'\\'' \"$?\" \"$PWD\" \"$PATH\" >&{report})'; \
             return $1; }}; {FUNCTION} 0\n"
        ),
    }
}

/// Runs a line, with the terminal as its stdin and without our pipes, and reports.
pub fn run(program: Program, line: &str, Ends { terminal, report }: Ends) -> String {
    let quoted = line.replace('\'', "'\\''");
    let ends = format!("<&{terminal} {terminal}<&- {report}>&-");
    match program {
        // A line of its own: it is read whatever becomes of the first.
        Program::Bash | Program::Zsh => format!("eval '{quoted}' {ends}\n{}", report_line(&quoted)),
        // A syntax error in `eval` would end the shell, in `command eval` it does not.
        Program::Dash => format!("command eval '{quoted}' {ends}; {FUNCTION} $?\n"),
    }
}

/// Has the shell end with this status; it refuses the first time while jobs are stopped, unless it is told again at
/// once. What comes between two lines here is no part of that.
pub fn leave(program: Program, status: &str, again: bool, Ends { terminal, report }: Ends) -> String {
    let ends = format!("<&{terminal} {terminal}<&- {report}>&-");
    let first = match (again, program) {
        (false, _) | (_, Program::Dash) => String::new(),
        (true, Program::Bash) => format!("{{ exit {status}; }} 2>/dev/null\n"),
        (true, Program::Zsh) => "setopt nocheckjobs; ".to_owned(),
    };
    match program {
        // If it refuses, `$?` is what it was.
        Program::Bash | Program::Zsh => {
            format!("eval '{first}exit {status}' {ends}\n{{ (exit {status}); {FUNCTION} ''; }} 2>/dev/null\n")
        }
        Program::Dash => format!("exit {status}\n"),
    }
}

/// Nothing of it is traced on the person's terminal.
fn report_line(quoted: &str) -> String {
    format!("{{ {FUNCTION} '{quoted}'; }} 2>/dev/null\n")
}
