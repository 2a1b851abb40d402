//! Who has the terminal (tcsetpgrp(3)): the line editor, or the shell and its jobs.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, tcsetpgrp};

/// The terminal on stdin, as it was found.
pub struct Foreground {
    settings: Termios,
    ours: Pid,
}

impl Foreground {
    /// # Errors
    /// stdin is no terminal.
    pub fn new() -> io::Result<Foreground> {
        Ok(Foreground {
            settings: tcgetattr(io::stdin())?,
            ours: getpgrp(),
        })
    }

    /// From now on a signal that ends this process puts the terminal in order first. Threads that are started later leave
    /// these signals to the one that waits for them; so it is called before any is.
    ///
    /// # Errors
    /// Those of sigprocmask(2) and pthread_create(3).
    pub fn guard(&self) -> io::Result<()> {
        let ends: SigSet = [Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        ends.thread_block()?;
        let (settings, ours) = (self.settings.clone(), self.ours);
        let wait = move || {
            let Ok(signal) = ends.wait() else { return };
            // Each as far as it goes: the terminal may be gone.
            let _ = unstopped(|| Ok(tcsetpgrp(io::stdin(), ours)?));
            let _ = unstopped(|| Ok(tcsetattr(io::stdin(), SetArg::TCSANOW, &settings)?));
            let _ = io::Write::write_all(&mut io::stderr(), b"\x1b[?2004l\r\n");
            let _ = ends.thread_unblock();
            crate::sys::die_by(signal as i32);
        };
        std::thread::Builder::new()
            .name("ends".to_owned())
            .spawn(wait)
            .map(drop)
    }

    /// Gives the terminal to the process group of the shell.
    pub fn give(&self, group: Pid) -> io::Result<()> {
        unstopped(|| Ok(tcsetpgrp(io::stdin(), group)?))
    }

    /// Takes the terminal back; with `restore` also its settings, which a program that died could not put back.
    pub fn take(&self, restore: bool) -> io::Result<()> {
        unstopped(|| {
            tcsetpgrp(io::stdin(), self.ours)?;
            if restore {
                tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.settings)?;
            }
            Ok(())
        })
    }
}

/// A background process that touches the terminal is stopped unless it blocks SIGTTOU.
fn unstopped(act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let mut set = SigSet::empty();
    set.add(Signal::SIGTTOU);
    let before = set.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK)?;
    let done = act();
    before.thread_set_mask()?;
    done
}
