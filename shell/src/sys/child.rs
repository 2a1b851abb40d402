//! The command's process: what it does before exec, and how it ended.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};

/// How a child ended and what it used (wait4(2), getrusage(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub user: Duration,
    pub system: Duration,
    /// Kibibytes.
    pub max_rss_kb: u64,
}

/// Gives the child the caller's own signal mask instead of the empty one that the library sets.
pub fn in_place(command: &mut Command, mask: SigSet) {
    let before_exec = move || sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None).map_err(io::Error::from);
    // SAFETY: between fork and exec only sigprocmask is called, which is async-signal-safe (signal-safety(7)).
    unsafe { command.pre_exec(before_exec) };
}

/// Waits for the end of child `pid` and reaps it.
///
/// # Errors
/// Those of wait4(2), EINTR excepted.
pub fn wait(pid: u32) -> io::Result<End> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are valid for writes for the whole call.
        if unsafe { libc::wait4(pid, &mut status, 0, usage.as_mut_ptr()) } == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: all-zero is a valid rusage, and the kernel has filled it.
    let usage = unsafe { usage.assume_init() };
    Ok(End {
        exit_code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        max_rss_kb: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    })
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(script: &str) -> io::Result<End> {
        wait(Command::new("/bin/sh").arg("-c").arg(script).spawn()?.id())
    }

    #[test]
    fn status_and_signal_are_told_apart() -> io::Result<()> {
        let end = end_of("exit 41")?;
        assert_eq!((end.exit_code, end.signal), (Some(41), None));
        let end = end_of("kill -USR1 $$")?;
        assert_eq!((end.exit_code, end.signal), (None, Some(libc::SIGUSR1)));
        assert!(end.max_rss_kb > 0);
        Ok(())
    }
}
