//! A daemon that has nothing of its starter (daemon(7)).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The number under which the daemon finds the pipe.
const READY: RawFd = 3;
/// One past the last signal number of Linux.
const SIGNALS: i32 = 65;

/// Executes `program` with `args` as a daemon: forked twice, a session of its own, no environment, `/` as working
/// directory, `/dev/null` as standard streams, default signal actions and an empty mask, soft limits at their hard ones,
/// no descriptor but `ready` as number 3.
///
/// # Errors
/// Those of fork(2) and execve(2); the daemon's own exec failure included.
pub fn spawn_daemon(program: &Path, args: &[&str], ready: OwnedFd) -> io::Result<()> {
    let mut command = Command::new(program);
    command.args(args).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let fd = ready.as_raw_fd();
    // SAFETY: `detach` makes only system calls, all async-signal-safe (signal-safety(7)), and allocates nothing.
    unsafe { command.pre_exec(move || detach(fd)) };
    // The process in between ends at once.
    command.spawn()?.wait()?;
    Ok(())
}

fn detach(ready: RawFd) -> io::Result<()> {
    rustix::process::setsid()?;
    // SAFETY: this process has one thread; the parent leaves by _exit without running any handler.
    match unsafe { libc::fork() } {
        -1 => return Err(io::Error::last_os_error()),
        0 => {}
        // SAFETY: ends this process only.
        _ => unsafe { libc::_exit(0) },
    }
    reset_signals()?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    raise_limits();
    // Everything closes at exec, what the caller inherited to us included; then 3 alone stays open.
    // SAFETY: no descriptor is closed now, only marked.
    if unsafe { libc::close_range(3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int) } != 0 {
        return Err(io::Error::last_os_error());
    }
    place(ready)
}

fn place(ready: RawFd) -> io::Result<()> {
    // SAFETY: plain descriptor calls. 3 is `ready` or an older descriptor, never the library's pipe for exec's failure:
    // that was opened later than `ready`, and numbers are given lowest first.
    let result = unsafe {
        match ready == READY {
            true => libc::fcntl(ready, libc::F_SETFD, 0),
            false => libc::dup2(ready, READY),
        }
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn reset_signals() -> io::Result<()> {
    for signal in 1..SIGNALS {
        // SAFETY: the default action runs no code of ours; numbers that cannot be set are refused by the kernel.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    nix::sys::signal::sigprocmask(
        nix::sys::signal::SigmaskHow::SIG_SETMASK,
        Some(&nix::sys::signal::SigSet::empty()),
        None,
    )?;
    Ok(())
}

fn raise_limits() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    for limit in [
        Resource::As,
        Resource::Cpu,
        Resource::Data,
        Resource::Fsize,
        Resource::Memlock,
        Resource::Nofile,
        Resource::Nproc,
    ] {
        let maximum = getrlimit(limit).maximum;
        // A limit that stays low is no reason not to start.
        let _ = setrlimit(
            limit,
            Rlimit {
                current: maximum,
                maximum,
            },
        );
    }
}
