//! Waking one of our own threads out of a blocking call, `tgkill(2)`.

use std::sync::OnceLock;

use rustix::io::Errno;

use crate::process::procfs::Stat;

/// A thread of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ThreadId(i32);

impl ThreadId {
    /// The calling thread.
    pub fn current() -> Self {
        ThreadId(rustix::thread::gettid().as_raw_nonzero().get())
    }

    /// Whether it runs or waits for a processor, and is not blocked in a call (`proc_pid_stat(5)`).
    pub fn runs(self) -> bool {
        Stat::of_task(self.0).is_ok_and(|stat| stat.runs())
    }

    /// Makes the thread's blocking call fail with `EINTR`; nothing if it is in none.
    pub fn interrupt(self) {
        if let Ok(signal) = signal() {
            // SAFETY: three integers; the signal has a handler that does nothing.
            unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), self.0, signal) };
        }
    }
}

extern "C" fn nothing(_signal: libc::c_int) {}

/// Installs the signal's handler; must have succeeded before an interruption is relied on.
pub fn prepare() -> Result<(), Errno> {
    signal().map(|_| ())
}

/// The signal that interrupts: the last real-time one, with a handler and without `SA_RESTART`,
/// installed once.
fn signal() -> Result<i32, Errno> {
    static SIGNAL: OnceLock<Result<i32, Errno>> = OnceLock::new();
    *SIGNAL.get_or_init(|| {
        let signal = libc::SIGRTMAX();
        // SAFETY: sigaction is plain data, for which zeroes are valid: no flags, an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = nothing as *const () as usize;
        // SAFETY: the action is valid for the call and its handler does nothing, which any thread may do at any time.
        match unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } {
            0 => Ok(signal),
            _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
        }
    })
}
