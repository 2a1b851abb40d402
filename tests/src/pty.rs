//! A terminal with a shell on it, driven by what appears on it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::Pid;
use regex::bytes::Regex;

use crate::child::Child;
use crate::shell::{Ended, Shell, Subject};
use crate::world::World;
use crate::{Result, fail};

/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most bytes between the beginning and the end of what is expected.
const LONGEST: usize = 64 << 10;

/// The master's side of a terminal and the process that leads the session on it.
pub struct Terminal {
    master: File,
    child: Child,
    seen: Vec<u8>,
    /// How much of `seen` was matched already.
    read: usize,
    /// The mount namespace of the world in which it is.
    namespace: u64,
}

impl Terminal {
    /// Starts the shell as the leader of a new session on a new terminal of 24 rows and 80 columns. Standard descriptors
    /// that the description gives [`crate::Input::Terminal`] or [`crate::Output::Terminal`] are the terminal.
    pub fn open(shell: &Shell, world: &World, subject: &Subject) -> Result<Terminal> {
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(Some(&size), None)?;
        for fd in [&pair.master, &pair.slave] {
            nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
        }
        let slave: OwnedFd = pair.slave;
        if world.user().uid != 0 {
            nix::unistd::fchown(&slave, Some(world.user().uid.into()), None)?;
        }
        let child = Child::start_on(shell, world, subject, Some(slave))?;
        Ok(Terminal {
            master: pair.master.into(),
            child,
            seen: Vec::new(),
            read: 0,
            namespace: world.namespace(),
        })
    }

    /// Waits until `pattern` appears in what was not matched yet; returns everything up to its end.
    pub fn expect(&mut self, pattern: &str) -> Result<String> {
        let regex = Regex::new(pattern)?;
        let deadline = Instant::now() + PATIENCE;
        let mut from = self.read;
        loop {
            if let Some(found) = regex.find(&self.seen[from..]) {
                let end = from + found.end();
                let text = String::from_utf8_lossy(&self.seen[self.read..end]).into_owned();
                self.read = end;
                return Ok(text);
            }
            // A flood is not looked through again and again; nothing that is expected is longer than this.
            from = from.max(self.seen.len().saturating_sub(LONGEST));
            if !self.more(deadline)? {
                return Err(fail(format!(
                    "{pattern:?} did not appear; the terminal shows:\n{}",
                    self.text()
                )));
            }
        }
    }

    /// Types.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result {
        Ok(self.master.write_all(bytes.as_ref())?)
    }

    /// Waits for `prompt`, then types `line` and return.
    pub fn at(&mut self, prompt: &str, line: &str) -> Result {
        self.expect(prompt)?;
        self.send(format!("{line}\r"))
    }

    /// Waits until what is typed is echoed: a shell shows its prompt a moment before it reads in that mode.
    pub fn await_echo(&self) -> Result {
        let echoes = || tcgetattr(&self.master).is_ok_and(|state| state.local_flags.contains(LocalFlags::ECHO));
        if crate::world::processes::wait_until(PATIENCE, echoes) {
            Ok(())
        } else {
            Err(fail("the terminal does not echo"))
        }
    }

    /// Waits until what is typed is not echoed: who asks for a password may ask a moment before.
    pub fn await_silence(&self) -> Result {
        if crate::world::processes::wait_until(PATIENCE, || self.echo().is_ok_and(|echo| !echo)) {
            Ok(())
        } else {
            Err(fail("the terminal echoes"))
        }
    }

    /// Waits until the program whose arguments hold `words` has the keys, and whoever hands them on to it: a shell says
    /// what it brings to the front before it does so, and too early a key is its own.
    pub fn await_in_front(&self, words: &str) -> Result {
        let in_front = || {
            let all = crate::world::processes::in_namespace(self.namespace);
            let programs = all.iter().filter(|one| !one.exe.ends_with("agentsh-shell-shim"));
            let Some(program) = programs
                .filter(|one| one.line.contains(words))
                .max_by_key(|one| one.pid)
            else {
                return false;
            };
            let front = nix::unistd::tcgetpgrp(&self.master).ok();
            // A stand-in has a child in front for a job.
            let parent = all.iter().find(|one| front == Some(Pid::from_raw(one.pid)));
            let parent = parent
                .filter(|one| one.exe.ends_with("agentsh-shell-shim"))
                .map(|one| one.parent);
            // Up to who has this terminal.
            let mut here = Some(program);
            while let Some(one) = here {
                if nix::unistd::getpgid(Some(Pid::from_raw(one.pid))).ok() == front {
                    return program.is_in_front() && one.is_in_front();
                }
                if parent == Some(one.pid) {
                    return program.is_in_front();
                }
                here = all.iter().find(|above| above.pid == one.parent);
            }
            false
        };
        if crate::world::processes::wait_until(PATIENCE, in_front) {
            Ok(())
        } else {
            Err(fail(format!(
                "{words} has not the keys; the terminal shows:\n{}",
                self.text()
            )))
        }
    }

    /// Reads what has appeared by now.
    pub fn settle(&mut self) -> Result {
        while self.more(Instant::now())? {}
        Ok(())
    }

    /// Whether what is typed is echoed, as the master's side sees it.
    pub fn echo(&self) -> Result<bool> {
        Ok(tcgetattr(&self.master)?.local_flags.contains(LocalFlags::ECHO))
    }

    /// Switches echo from the master's side.
    pub fn set_echo(&self, on: bool) -> Result {
        let mut settings = tcgetattr(&self.master)?;
        settings.local_flags.set(LocalFlags::ECHO, on);
        Ok(tcsetattr(&self.master, SetArg::TCSANOW, &settings)?)
    }

    /// Changes the window's size.
    pub fn resize(&self, rows: u16, columns: u16) -> Result {
        Ok(crate::sys::resize(&self.master, rows, columns)?)
    }

    /// The window's rows and columns.
    pub fn size(&self) -> Result<(u16, u16)> {
        Ok(crate::sys::window(&self.master)?)
    }

    /// Whether somebody else than who leads the session is in front.
    pub fn has_job_in_front(&self) -> bool {
        nix::unistd::tcgetpgrp(&self.master).is_ok_and(|front| front.as_raw() != self.child.pid())
    }

    /// Signals whoever is in front.
    pub fn signal_front(&self, signal: nix::sys::signal::Signal) -> Result {
        Ok(nix::sys::signal::killpg(nix::unistd::tcgetpgrp(&self.master)?, signal)?)
    }

    /// The process that leads the session.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Everything that appeared.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Reads to the end of the session; how it ended and everything that appeared.
    pub fn finish(mut self) -> Result<(Ended, Vec<u8>)> {
        let deadline = Instant::now() + PATIENCE;
        while self.more(deadline)? {}
        let ended = self.child.wait(PATIENCE);
        Ok((
            ended.map_err(|error| fail(format!("{error}; the terminal shows:\n{}", self.text())))?,
            self.seen,
        ))
    }

    /// Reads to the end of the session without keeping what appears; how many bytes that was.
    pub fn discard(mut self) -> Result<u64> {
        let deadline = Instant::now() + Duration::from_secs(600);
        let mut total = 0;
        while self.more(deadline)? {
            total += self.seen.len() as u64;
            self.seen.clear();
        }
        self.child.wait(PATIENCE).map(|_| total)
    }

    /// Hangs up: the terminal is gone for everybody on it.
    pub fn hang_up(self) -> Child {
        self.child
    }

    /// Reads once; `false` at the end of the terminal or of the time.
    fn more(&mut self, deadline: Instant) -> Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::try_from(left.as_millis())?)? == 0 {
            return Ok(false);
        }
        let mut buffer = [0; 65536];
        // A terminal that nobody has open any more answers EIO.
        let count = self.master.read(&mut buffer).unwrap_or(0);
        self.seen.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }
}
