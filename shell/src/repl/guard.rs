//! The person's terminal is left as it was found, however this process ends.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};

/// The terminal on stdin, as it was found.
pub struct Guard {
    settings: Termios,
}

impl Guard {
    /// # Errors
    /// stdin is no terminal.
    pub fn new() -> io::Result<Guard> {
        let settings = tcgetattr(io::stdin())?;
        Ok(Guard { settings })
    }

    /// From now on a signal that ends this process puts the terminal in order first. Threads that are started later leave
    /// these signals to the one that waits for them; so it is called before any is.
    ///
    /// # Errors
    /// Those of sigprocmask(2) and pthread_create(3).
    pub fn watch(&self) -> io::Result<()> {
        let ends: SigSet = [Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        ends.thread_block()?;
        let settings = self.settings.clone();
        let wait = move || {
            let Ok(signal) = ends.wait() else { return };
            restore(&settings);
            let _ = io::Write::write_all(&mut io::stderr(), b"\x1b[?2004l\r\n");
            let _ = ends.thread_unblock();
            crate::sys::die_by(signal as i32);
        };
        std::thread::Builder::new()
            .name("ends".to_owned())
            .spawn(wait)
            .map(drop)
    }

    /// Puts the settings back.
    pub fn restore(&self) {
        restore(&self.settings);
    }
}

/// A terminal that is gone needs no settings.
fn restore(settings: &Termios) {
    let mut set = SigSet::empty();
    // A background process that touches the terminal is stopped unless it blocks this.
    set.add(Signal::SIGTTOU);
    if let Ok(before) = set.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK) {
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, settings);
        let _ = before.thread_set_mask();
    }
}
