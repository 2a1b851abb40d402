//! The person's own terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use agentsh_protocol::terminal::{FromClient, FromHub};
use agentsh_terminal::pty::{RawMode, window};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::Keys;
use super::keys::Typed;
use super::link::Link;
use crate::error::Error;

/// After leaving was asked for, the terminal is put in order within this time, in milliseconds, or not at all.
const LEAVE_WITHIN: u16 = 1000;

/// Puts a terminal in order that shows what nobody can tell any more: out of a sequence, on the main screen, without mouse,
/// marked pastes, keys told by other protocols and other modes, on a fresh line.
const IN_ORDER: &[u8] = b"\x18\x1b[<16u\x1b[?1047l\x1b[<16u\x1b[>1m\x1b[>2m\x1b[>4m\x1b[>4f\x1b[?5l\x1b[?66l\x1b[?69l\
    \x1b[?2026l\x1b[?2027l\x1b[?2031l\x1b[?2048l\x1b[?7727l\x1b[?9001l\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\
    \x1b[?1015l\x1b[?2004l\x1b[?1l\x1b>\x1b[r\x1b[?6l\x1b[4l\x1b[?7h\x1b[?25h\x1b[0 q\x1b[m\x1b(B\x0f\x1b[9999;1H\r\n";

pub(super) struct View {
    keys: Keys,
    raw: RawMode,
    signals: SignalFd,
    mask: SigSet,
    typing: bool,
    leaving: bool,
    /// Something of the command's is on the terminal, and nothing has put that in order.
    touched: bool,
    /// How the command ended.
    end: Option<ExitStatus>,
}

impl View {
    /// Takes this process's terminal.
    pub(super) fn open(keys: Keys) -> Result<View, Error> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(Error::usage(
                "attaching needs a terminal on stdin and stdout",
                "`agentsh replay --text COMMAND` prints what a command has printed",
            ));
        }
        let failed = |errno: nix::errno::Errno| Error::io("signals", errno.into());
        let set: SigSet = [Signal::SIGWINCH, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT]
            .into_iter()
            .collect();
        let mut mask = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut mask)).map_err(failed)?;
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(failed)?;
        let raw = RawMode::enter(io::stdin().as_fd()).map_err(|source| Error::io("the terminal", source))?;
        Ok(View {
            keys,
            raw,
            signals,
            mask,
            typing: false,
            leaving: false,
            touched: false,
            end: None,
        })
    }

    /// Shows what comes until either side ends it; how the command ended, if it did.
    pub(super) fn show(mut self, mut link: Link, take: bool) -> Result<Option<ExitStatus>, Error> {
        self.tell_window(&mut link)?;
        if take {
            link.say(&FromClient::Take)?;
        }
        loop {
            let (keys, signal, heard) = self.wait(&link)?;
            if !keys && !signal && !heard && self.leaving {
                break;
            }
            if link.pending {
                link.flush()?;
            }
            if signal {
                self.take_signals(&mut link)?;
            }
            if keys {
                self.take_keys(&mut link)?;
            }
            if heard && self.draw(&mut link)? {
                break;
            }
        }
        Ok(self.end)
    }

    fn wait(&self, link: &Link) -> Result<(bool, bool, bool), Error> {
        let mut for_link = PollFlags::POLLIN;
        for_link.set(PollFlags::POLLOUT, link.pending);
        let stdin = io::stdin();
        let mut set = [
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(link.as_fd(), for_link),
        ];
        let timeout = match self.leaving {
            true => PollTimeout::from(LEAVE_WITHIN),
            false => PollTimeout::NONE,
        };
        match poll(&mut set, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(Error::io("poll", errno.into())),
        }
        let hit = |at: usize| set[at].revents().is_some_and(|flags| !flags.is_empty());
        Ok((hit(0), hit(1), hit(2)))
    }

    fn tell_window(&self, link: &mut Link) -> Result<(), Error> {
        match window(io::stdout().as_fd()) {
            Ok(window) => link.say(&FromClient::Window(window)),
            Err(source) => Err(Error::io("the terminal", source)),
        }
    }

    fn take_signals(&mut self, link: &mut Link) -> Result<(), Error> {
        while let Ok(Some(info)) = self.signals.read_signal() {
            match i32::try_from(info.ssi_signo).map(Signal::try_from) {
                Ok(Ok(Signal::SIGWINCH)) => self.tell_window(link)?,
                _ => self.leave(link)?,
            }
        }
        Ok(())
    }

    fn leave(&mut self, link: &mut Link) -> Result<(), Error> {
        self.leaving = true;
        link.say(&FromClient::Detach)
    }

    fn take_keys(&mut self, link: &mut Link) -> Result<(), Error> {
        let mut buffer = [0; 4096];
        let count = nix::unistd::read(io::stdin(), &mut buffer).unwrap_or(0);
        if count == 0 {
            // Our own terminal is gone.
            return self.leave(link);
        }
        for typed in self.keys.split(&buffer[..count]) {
            match typed {
                Typed::Detach => self.leave(link)?,
                Typed::Take => link.say(if self.typing {
                    &FromClient::Release
                } else {
                    &FromClient::Take
                })?,
                Typed::Bytes(bytes) if self.typing => link.say(&FromClient::Input(bytes.to_vec()))?,
                // Nobody takes it: somebody else types, or this one only looks.
                Typed::Bytes(_) => write(b"\x07")?,
            }
        }
        Ok(())
    }

    /// Whether that was all.
    fn draw(&mut self, link: &mut Link) -> Result<bool, Error> {
        let Some(heard) = link.hear()? else { return Ok(true) };
        for frame in heard {
            match frame {
                FromHub::Output(bytes) | FromHub::Redraw(bytes) => {
                    self.touched = true;
                    write(&bytes)?;
                }
                FromHub::Typing(typing) => self.typing = typing,
                FromHub::Exit(status) => self.end = Some(ExitStatus::from_raw(status)),
                FromHub::Leave(bytes) => {
                    write(&bytes)?;
                    self.touched = false;
                    return Ok(true);
                }
                FromHub::Window(_) | FromHub::Modes(_) | FromHub::Set(_) | FromHub::Sized(_) | FromHub::Drained(_) => {}
            }
        }
        Ok(false)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.touched {
            // Whoever would have said how is gone.
            let _ = write(IN_ORDER);
        }
        // A terminal that is gone needs no settings. The same is done when `raw` goes, but signals come first here.
        let _ = self.raw.before().apply(io::stdin().as_fd());
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.mask), None);
    }
}

fn write(bytes: &[u8]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    written.map_err(|source| Error::io("the terminal", source))
}
