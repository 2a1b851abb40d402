//! The shell that stays: an interactive one of the session that reads its lines from a pipe of ours and tells after each,
//! in its prompt hook, how it ended and where it stands.
//!
//! The lines run with the terminal as stdin and without our pipes; jobs, ^C and ^Z are the shell's own.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};

use agentsh_protocol::new_id;
use nix::fcntl::{FcntlArg, fcntl};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{PidfdFlags, pidfd_open};

use super::foreground::Foreground;
use crate::error::Error;
use crate::exec::child;
use crate::exit::Exit;
use crate::sys;
use crate::verbs::shell::Program;

/// What the shell said of itself is longer than this only if something else wrote into its pipe.
const LONGEST_REPORT: usize = 16 << 10;

/// How a line ended.
pub enum After {
    /// With this status.
    Ready(i32),
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
    foreground: Foreground,
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
        let foreground = Foreground::new().map_err(failed)?;
        let (lines_end, lines) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let (reports, reports_end) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let (terminal, report_to) = (inherited(&io::stdin())?, inherited(&reports_end)?);
        drop(reports_end);
        let command = new_id();
        let mut start = child::enter(session, &command, child::Terminal::Own, None)?;
        start
            .arg(name(program))
            .args(options(program))
            .env("PS1", "")
            .env("PS2", "");
        start.stdin(Stdio::from(lines_end));
        if program == Program::Dash {
            start.process_group(0);
        }
        let started = child::spawn(&mut start);
        // The command keeps only what was executed with stdin's read end; its copy here must go.
        drop(start);
        let _ = nix::unistd::close(report_to);
        let child = started?;
        // Not before: the shell would inherit what is blocked.
        foreground.guard().map_err(failed)?;
        let pid = rustix::process::Pid::from_child(&child);
        let ended = pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| failed(errno.into()))?;
        let mut shell = Shell {
            child,
            ended,
            lines: Some(File::from(lines)),
            reports: File::from(reports),
            said: Vec::new(),
            foreground,
            command,
            program,
            terminal,
            report_to,
        };
        shell.write(&setup(program, terminal, report_to));
        let ready = shell.wait();
        // An interactive shell takes the terminal when it starts.
        shell.foreground.take(true).map_err(failed)?;
        match ready.map_err(failed)? {
            After::Ready(_) => Ok(shell),
            After::Ended => Err(Error::NotRun {
                problem: format!("{} did not start in the session", name(program)),
            }),
        }
    }

    /// The id of the shell as a command of its session.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Runs a line, with the terminal in its hands.
    pub fn run(&mut self, line: &str) -> Result<After, Error> {
        let failed = |source| Error::io("running a line in the session's shell", source);
        let group = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0));
        self.foreground.give(group).map_err(failed)?;
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
        let after = self.wait();
        let restore = !matches!(after, Ok(After::Ready(0..=128)));
        self.foreground.take(restore).map_err(failed)?;
        after.map_err(failed)
    }

    /// Ends the shell, if it has not ended, and says how.
    pub fn leave(&mut self) -> Result<Exit, Error> {
        let group = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0));
        // Where the shell is gone, so is its group.
        let _ = self.foreground.give(group);
        self.lines = None;
        let end = sys::wait(self.child.id()).map_err(|source| Error::io("waiting for the session's shell", source));
        let _ = self.foreground.take(true);
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

    /// Waits until the shell has told how the line ended, or has ended itself.
    fn wait(&mut self) -> io::Result<After> {
        loop {
            if let Some(end) = self.said.iter().position(|byte| *byte == 0) {
                let report: Vec<u8> = self.said.drain(..=end).collect();
                return Ok(After::Ready(self.take(&report[..end])));
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
                return Ok(After::Ended);
            }
            let mut chunk = [0; 4096];
            let count = self.reports.read(&mut chunk)?;
            if count == 0 {
                return Ok(After::Ended);
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

/// dash has no hook but a command in its prompt, after which it takes the terminal once more if it has job control: it goes
/// without, in a group of its own.
///
/// Interactive, without a line editor or start files of its own: the setup reads those at the right moment.
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
    let start = |file: &str| {
        format!("[ -r ~/{file} ] && . ~/{file} <&{terminal} {terminal}<&- {report_to}>&-; unset HISTFILE; PS1= PS2=; ")
    };
    match program {
        Program::Bash => start(".bashrc") + &format!("unset PROMPT_COMMAND; PROMPT_COMMAND='{quoted}'\n"),
        Program::Zsh => {
            start(".zshrc") + &format!("unsetopt ZLE PROMPT_SP; precmd_functions=(); RPS1=; precmd() {{ {report}; }}\n")
        }
        Program::Dash => format!("trap '' TSTP; PS2= PS1='$({quoted})'\n"),
    }
}
