//! Signals of this process (signal(7), signalfd(2)).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, raise, sigaction, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Those that a caller sends to `agentsh exec` and means for the command. SIGTSTP stays what it is: a terminal
/// stops command and us together.
const FORWARDED: [Signal; 7] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGCONT,
];

/// Gives SIGPIPE its default action back, which the runtime took away: a reader that leaves ends us in silence.
pub fn default_sigpipe() {
    set_default(Signal::SIGPIPE);
}

/// Ends this process by `signal`, without a second core dump. Returns if that signal does not kill.
pub fn die_by(signal: i32) {
    let Ok(signal) = Signal::try_from(signal) else { return };
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
    set_default(signal);
    let mut set = SigSet::empty();
    set.add(signal);
    let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&set), None);
    let _ = raise(signal);
}

fn set_default(signal: Signal) {
    let action = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default action runs no code of ours; SIGKILL and SIGSTOP are refused by the kernel.
    let _ = unsafe { sigaction(signal, &action) };
}

/// Blocks the forwarded signals and reads them from a descriptor, while it lives.
#[derive(Debug)]
pub struct Watch {
    fd: SignalFd,
    before: SigSet,
}

impl Watch {
    /// # Errors
    /// Those of sigprocmask(2) and signalfd(2).
    pub fn start() -> io::Result<Watch> {
        let set = FORWARDED.iter().copied().collect::<SigSet>();
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before))?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Watch { fd, before })
    }

    /// The mask before, for the command.
    pub fn mask_before(&self) -> SigSet {
        self.before
    }

    /// The next signal that is to be sent on, if one is pending. What the kernel itself sent (a key at the terminal)
    /// went to the whole foreground group, the command included: it is swallowed.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn next(&self) -> io::Result<Option<Signal>> {
        while let Some(info) = self.fd.read_signal()? {
            if info.ssi_code <= 0 {
                return Ok(i32::try_from(info.ssi_signo)
                    .ok()
                    .and_then(|number| Signal::try_from(number).ok()));
            }
        }
        Ok(None)
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}
