//! The shell that stays: an interactive one of the session that reads its lines from a pipe of ours and tells after each,
//! in its prompt hook, how it ended and where it stands.
//!
//! It has a terminal of its own, as every recorded command, on which it leads a session: the lines run with that as stdin
//! and without our pipes; jobs, ^C and ^Z are the shell's own.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::process::{Child, Stdio};

use agentsh_protocol::new_id;
use nix::fcntl::{FcntlArg, fcntl};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{PidfdFlags, pidfd_open};

use super::guard::Guard;
use super::turns::Turns;
use crate::error::Error;
use crate::exec::child;
use crate::exit::Exit;
use crate::sys;
use crate::verbs::shell::Program;

/// What the shell said of itself is longer than this only if something else wrote into its pipe.
const LONGEST_REPORT: usize = 16 << 10;

/// How a line ended.
pub enum After {
    /// With this status; and what was typed meanwhile and read by nobody.
    Ready(i32, Vec<u8>),
    /// The shell itself ended.
    Ended,
}

/// The shell of a session.
pub struct Shell {
    child: Child,
    ended: OwnedFd,
    lines: Option<File>,
    reports: File,
    said: Vec<u8>,
    guard: Guard,
    turns: Turns,
    command: String,
    program: Program,
    terminal: RawFd,
    report_to: RawFd,
}

/// The program's name.
pub fn name(program: Program) -> &'static str {
    match program {
        Program::Bash => "bash",
        Program::Zsh => "zsh",
        Program::Dash => "dash",
    }
}

impl Shell {
    /// Starts the shell as a command of the session and waits until it is ready.
    pub fn start(program: Program, session: &str) -> Result<Shell, Error> {
        let failed = |source| Error::io("starting the session's shell", source);
        let guard = Guard::new().map_err(failed)?;
        let (lines_end, lines) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let (reports, reports_end) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        // The shell puts its own terminal in the place of the first.
        let (terminal, report_to) = (inherited(&lines_end)?, inherited(&reports_end)?);
        drop(reports_end);
        let (turns, turns_end) = Turns::new().map_err(failed)?;
        let relays = fcntl(&turns_end, FcntlArg::F_DUPFD(10)).map_err(|errno| failed(errno.into()))?;
        drop(turns_end);
        let command = new_id();
        let mut start = child::enter(session, &command, child::Terminal::Turns(relays), None)?;
        start
            .arg(name(program))
            .args(options(program))
            .env("PS1", "")
            .env("PS2", "");
        start.stdin(Stdio::from(lines_end));
        let started = child::spawn(&mut start);
        // The command keeps only what was executed with stdin's read end; its copy here must go.
        drop(start);
        for number in [terminal, report_to, relays] {
            let _ = nix::unistd::close(number);
        }
        let child = started?;
        // Not before: the shell would inherit what is blocked.
        guard.watch().map_err(failed)?;
        let pid = rustix::process::Pid::from_child(&child);
        let ended = pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| failed(errno.into()))?;
        let mut shell = Shell {
            child,
            ended,
            lines: Some(File::from(lines)),
            reports: File::from(reports),
            said: Vec::new(),
            guard,
            turns,
            command,
            program,
            terminal,
            report_to,
        };
        // The first turn is the shell's: its start file may ask something.
        shell.write(&setup(program, terminal, report_to));
        match shell.turn_back().map_err(failed)? {
            After::Ready(..) => Ok(shell),
            After::Ended => {
                shell.guard.restore();
                Err(Error::NotRun {
                    problem: format!("{} did not start in the session", name(program)),
                })
            }
        }
    }

    /// The id of the shell as a command of its session.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Runs a line, with the terminal in its hands, on which these bytes were shown of it.
    pub fn run(&mut self, line: &str, shown: &[u8]) -> Result<After, Error> {
        let failed = |source| Error::io("running a line in the session's shell", source);
        if !self.turns.give(shown, &self.ended).map_err(failed)? {
            return Ok(After::Ended);
        }
        let quoted = line.replace('\'', "'\\''");
        // In dash a syntax error in `eval` would end the shell, in `command eval` it does not.
        let eval = if self.program == Program::Dash {
            "command eval"
        } else {
            "eval"
        };
        let (terminal, report_to) = (self.terminal, self.report_to);
        self.write(&format!(
            "{eval} '{quoted}' <&{terminal} {terminal}<&- {report_to}>&-\n"
        ));
        self.turn_back().map_err(failed)
    }

    /// Waits for the end of what runs, and takes the terminal back.
    fn turn_back(&mut self) -> io::Result<After> {
        let Some(status) = self.wait()? else {
            return Ok(After::Ended);
        };
        Ok(match self.turns.take(&self.ended)? {
            Some(ahead) => After::Ready(status, ahead),
            None => After::Ended,
        })
    }

    /// Ends the shell, if it has not ended, and says how.
    pub fn leave(&mut self) -> Result<Exit, Error> {
        let failed = |source| Error::io("waiting for the session's shell", source);
        // What it prints at its end is to be seen.
        self.turns.give(b"", &self.ended).map_err(failed)?;
        self.lines = None;
        let end = sys::wait(self.child.id()).map_err(failed);
        self.guard.restore();
        let end = end?;
        Ok(match (end.exit_code, end.signal) {
            (Some(code), _) => Exit::Status(u8::try_from(code).unwrap_or(crate::exit::FAILED)),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Status(crate::exit::OURS),
        })
    }

    /// A shell that is gone is noticed by its end.
    fn write(&mut self, text: &str) {
        if let Some(lines) = &mut self.lines {
            let _ = lines.write_all(text.as_bytes());
        }
    }

    /// Waits until the shell has told how the line ended; `None` if it has ended itself.
    fn wait(&mut self) -> io::Result<Option<i32>> {
        loop {
            if let Some(end) = self.said.iter().position(|byte| *byte == 0) {
                let report: Vec<u8> = self.said.drain(..=end).collect();
                return Ok(Some(self.take(&report[..end])));
            }
            let mut fds = [
                PollFd::from_borrowed_fd(self.reports.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(self.ended.as_fd(), PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            let [report, _] = fds.map(|fd| fd.revents().contains(PollFlags::IN));
            if !report {
                return Ok(None);
            }
            let mut chunk = [0; 4096];
            let count = self.reports.read(&mut chunk)?;
            if count == 0 {
                return Ok(None);
            }
            self.said.extend_from_slice(&chunk[..count]);
            if self.said.len() > LONGEST_REPORT {
                self.said.clear();
            }
        }
    }

    /// The status of a report; the folder in it becomes ours, so that paths are completed from there.
    fn take(&self, report: &[u8]) -> i32 {
        let text = String::from_utf8_lossy(report);
        let (status, folder) = text.split_once(' ').unwrap_or((&text, ""));
        let _ = std::env::set_current_dir(folder);
        status.parse().unwrap_or(0)
    }
}

/// A copy of a descriptor that the shell inherits, with a number of one digit: dash knows no others in redirections.
fn inherited(fd: &impl AsFd) -> Result<RawFd, Error> {
    let number =
        fcntl(fd, FcntlArg::F_DUPFD(7)).map_err(|errno| Error::io("a descriptor for the shell", errno.into()))?;
    match number {
        ..=9 => Ok(number),
        _ => {
            let _ = nix::unistd::close(number);
            Err(Error::usage(
                "descriptors 7 to 9 are in use",
                "start agentsh without them, e.g. with `7>&- 8>&- 9>&-`",
            ))
        }
    }
}

/// Interactive, without a line editor or start files of its own: the setup reads those at the right moment. dash has no
/// hook but a command in its prompt, after which it takes its terminal once more if it has job control: it goes without.
fn options(program: Program) -> &'static [&'static str] {
    match program {
        Program::Bash => &["--norc", "--noprofile", "--noediting", "-i"],
        Program::Zsh => &["-f", "-i", "+Z", "-o", "nopromptsp"],
        Program::Dash => &["-i", "+m"],
    }
}

/// One line that reads the person's start file and then sets the prompt hook, which tells status and folder.
fn setup(program: Program, terminal: RawFd, report_to: RawFd) -> String {
    let report = format!("printf '%s %s\\0' \"$?\" \"$PWD\" >&{report_to}");
    let quoted = report.replace('\'', "'\\''");
    let own = format!("exec {terminal}<&2; ");
    let start = |file: &str| {
        format!(
            "{own}[ -r ~/{file} ] && . ~/{file} <&{terminal} {terminal}<&- {report_to}>&-; unset HISTFILE; PS1= PS2=; "
        )
    };
    match program {
        Program::Bash => start(".bashrc") + &format!("unset PROMPT_COMMAND; PROMPT_COMMAND='{quoted}'\n"),
        Program::Zsh => {
            start(".zshrc") + &format!("unsetopt ZLE PROMPT_SP; precmd_functions=(); RPS1=; precmd() {{ {report}; }}\n")
        }
        Program::Dash => format!("{own}trap '' TSTP; PS2= PS1='$({quoted})'\n"),
    }
}
