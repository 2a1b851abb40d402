//! The shell that stays: an interactive one of the session that reads its lines from a pipe of ours and tells after each
//! how it ended, where it stands, and which names it knows.
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

use super::dialect::{self, Ends};
use super::guard::Guard;
use super::names::Names;
use super::report::Report;
use super::turns::Turns;
use crate::error::Error;
use crate::exec::child;
use crate::exit::Exit;
use crate::sys;
use crate::verbs::shell::Program;

/// What the shell said of itself is longer than this only if something else wrote into its pipe.
const LONGEST_REPORT: usize = 1 << 20;

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
    ends: Ends,
    names: Names,
    stopped: usize,
}

impl Shell {
    /// Starts the shell as a command of the session and waits until it is ready; with what was typed until then.
    pub fn start(program: Program, session: &str) -> Result<(Shell, Vec<u8>), Error> {
        let failed = |source| Error::io("starting the session's shell", source);
        let guard = Guard::new().map_err(failed)?;
        let (lines_end, lines) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let (reports, reports_end) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        // The shell puts its own terminal in the place of the first.
        let ends = Ends {
            terminal: inherited(&lines_end)?,
            report: inherited(&reports_end)?,
        };
        drop(reports_end);
        let (turns, turns_end) = Turns::new().map_err(failed)?;
        let relays = fcntl(&turns_end, FcntlArg::F_DUPFD(10)).map_err(|errno| failed(errno.into()))?;
        drop(turns_end);
        let command = new_id();
        let mut start = child::enter(session, &command, child::Terminal::Turns(relays), None)?;
        start
            .arg(dialect::name(program))
            .args(dialect::options(program))
            .env("PS1", "")
            .env("PS2", "");
        start.stdin(Stdio::from(lines_end));
        let started = child::spawn(&mut start);
        // The command keeps only what was executed with stdin's read end; its copy here must go.
        drop(start);
        for number in [ends.terminal, ends.report, relays] {
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
            ends,
            names: Names::default(),
            stopped: 0,
        };
        // The first turn is the shell's: its start file may ask something.
        shell.write(&dialect::setup(program, ends));
        match shell.turn_back().map_err(failed)? {
            After::Ready(_, ahead) => Ok((shell, ahead)),
            After::Ended => {
                shell.guard.restore();
                Err(Error::NotRun {
                    problem: format!("{} did not start in the session", dialect::name(program)),
                })
            }
        }
    }

    /// The id of the shell as a command of its session.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The names that it knew after the last line.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// How many jobs were stopped after the last line.
    pub fn stopped(&self) -> usize {
        self.stopped
    }

    /// Asks the shell to end, `again` if it has just refused to.
    pub fn ask_to_leave(&mut self, status: &str, shown: &[u8], again: bool) -> Result<After, Error> {
        let text = dialect::leave(self.program, status, again, self.ends);
        self.hand_over(&text, shown)
    }

    /// Runs a line, with the terminal in its hands, on which these bytes were shown of it.
    pub fn run(&mut self, line: &str, shown: &[u8]) -> Result<After, Error> {
        let text = dialect::run(self.program, line, self.ends);
        self.hand_over(&text, shown)
    }

    fn hand_over(&mut self, text: &str, shown: &[u8]) -> Result<After, Error> {
        let failed = |source| Error::io("running a line in the session's shell", source);
        if !self.turns.give(shown, &self.ended).map_err(failed)? {
            return Ok(After::Ended);
        }
        self.write(text);
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
            if let Some((report, end)) = Report::parse(&self.said) {
                self.said.drain(..end);
                // The folder becomes ours, so that paths are completed from there.
                let _ = std::env::set_current_dir(report.folder);
                self.names = report.names;
                self.stopped = report.stopped;
                return Ok(Some(report.status));
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
