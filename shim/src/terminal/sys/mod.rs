//! Processes, signals and terminals, as `libc` has them.

mod looks;
mod signals;
mod streams;
mod tty;

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::sys::{SignalSet, change_mask, out_of_the_way};

pub(super) use looks::*;
pub(super) use signals::*;
pub(super) use streams::*;
pub(super) use tty::*;

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        other => Ok(other),
    }
}

fn owned(fd: libc::c_int) -> io::Result<OwnedFd> {
    let fd = checked(fd)?;
    // SAFETY: the call that returned it made this descriptor, and nobody else owns it.
    Ok(out_of_the_way(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// The device of a descriptor that is a terminal. The other side of one (`ptmx`, which has a number to tell) is none:
/// whoever holds it is what a terminal is for others.
pub(super) fn terminal_device(fd: i32) -> Option<u64> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    let mut number: libc::c_uint = 0;
    // SAFETY: isatty takes a number, TIOCGPTN fills one in; fstat fills the structure if it says 0.
    unsafe {
        let is_terminal = libc::isatty(fd) == 1 && libc::ioctl(fd, libc::TIOCGPTN as _, &raw mut number) != 0;
        (is_terminal && libc::fstat(fd, stat.as_mut_ptr()) == 0).then(|| stat.assume_init().st_rdev)
    }
}

/// Whether a descriptor is a pipe.
pub(super) fn is_pipe(fd: i32) -> bool {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: fstat fills the structure if it says 0.
    unsafe { libc::fstat(fd, stat.as_mut_ptr()) == 0 && stat.assume_init().st_mode & libc::S_IFMT == libc::S_IFIFO }
}

/// A copy of ours, out of the way and close-on-exec.
pub(super) fn duplicate(fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes no pointers.
    owned(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })
}

/// Two ends of a connection that keeps packets apart.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two numbers.
    checked(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    Ok((owned(ends[0])?, owned(ends[1])?))
}

/// fork(2).
pub(super) fn fork() -> io::Result<i32> {
    // SAFETY: this process has one thread.
    checked(unsafe { libc::fork() })
}

pub(super) fn own_group() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::getpgrp() }
}

/// Whether this process leads its session.
pub(super) fn leads_session() -> bool {
    // SAFETY: take and return numbers.
    unsafe { libc::getsid(0) == libc::getpid() }
}

/// The foreground process group of the terminal, if it controls this process.
pub(super) fn foreground_group(tty: &OwnedFd) -> Option<i32> {
    // SAFETY: takes and returns numbers.
    let group = unsafe { libc::tcgetpgrp(tty.as_raw_fd()) };
    (group > 0).then_some(group)
}

/// Whether the terminal of this number controls this process.
pub(super) fn controls(fd: i32) -> bool {
    // SAFETY: takes and returns numbers.
    unsafe { libc::tcgetpgrp(fd) > 0 }
}

/// Brings a process group to the front, also from the background: all signals are held back here.
pub(super) fn set_foreground(tty: &OwnedFd, group: i32) {
    // SAFETY: takes numbers. A terminal that is gone has no front.
    unsafe { libc::tcsetpgrp(tty.as_raw_fd(), group) };
}

/// Whether a terminal that does not control this process is another session's, or for another reason may not be had: a
/// child tries, and gives it back.
pub(super) fn is_anothers(tty: &OwnedFd) -> bool {
    let ignored = stop_ignoring_children();
    let refused = match fork() {
        Err(_) => false,
        // SAFETY: take numbers. Nobody else is in the child's session, and its signals wait.
        Ok(0) => unsafe {
            libc::setsid();
            if libc::ioctl(tty.as_raw_fd(), libc::TIOCSCTTY, 0) == 0 {
                libc::ioctl(tty.as_raw_fd(), libc::TIOCNOTTY);
                end(0)
            }
            end(i32::from(
                io::Error::last_os_error().raw_os_error() == Some(libc::EPERM),
            ))
        },
        Ok(child) => libc::WEXITSTATUS(reap(child)) == 1,
    };
    ignore_children(ignored);
    refused
}

/// A session of one's own, on this terminal if it is to control it.
pub(super) fn lead_session(tty: &OwnedFd, controlling: bool) {
    // SAFETY: take numbers. A child just born leads no group, so both succeed.
    unsafe {
        libc::setsid();
        if controlling {
            libc::ioctl(tty.as_raw_fd(), libc::TIOCSCTTY, 0);
        }
    }
}

/// A process group of one's own, in front of this terminal.
pub(super) fn lead_group(front: Option<&OwnedFd>) {
    // SAFETY: takes numbers.
    unsafe { libc::setpgid(0, 0) };
    if let Some(tty) = front {
        set_foreground(tty, own_group());
    }
}

/// Gives a child a process group of its own.
pub(super) fn give_group(child: i32) {
    // SAFETY: takes numbers. The child does it too, whoever comes first.
    unsafe { libc::setpgid(child, child) };
}

/// Goes into a process group of this session; whether it is there.
pub(super) fn join_group(group: i32) -> bool {
    // SAFETY: takes numbers.
    unsafe { libc::setpgid(0, group) == 0 }
}

/// Closes every descriptor but these, and leaves the caller's folder.
pub(super) fn keep_only(kept: &[&OwnedFd]) {
    let mut numbers: Vec<u32> = kept.iter().map(|fd| fd.as_raw_fd() as u32).collect();
    numbers.sort_unstable();
    let mut from = 0;
    for number in numbers.into_iter().chain([u32::MAX]) {
        if from < number {
            // SAFETY: takes numbers; what is closed belonged to the caller, and nothing here uses it.
            unsafe { libc::syscall(libc::SYS_close_range, from, number - 1, 0u32) };
        }
        from = number.saturating_add(1);
    }
    // SAFETY: a string that outlives the call.
    unsafe { libc::chdir(c"/".as_ptr()) };
}

/// Sends a signal to a child, which is not reaped: its number is its own.
pub(super) fn signal_process(child: i32, signal: i32) {
    // SAFETY: takes numbers.
    unsafe { libc::kill(child, signal) };
}

/// Sends a signal to the process group that a child leads; to the child alone if it leads none yet.
pub(super) fn signal_group(child: i32, signal: i32) {
    // SAFETY: takes numbers.
    if unsafe { libc::kill(-child, signal) } != 0 {
        signal_process(child, signal);
    }
}

/// Sends a signal to the rest of this process's group. All signals are held back here.
pub(super) fn signal_own_group(signal: i32) {
    // SAFETY: takes numbers.
    unsafe { libc::kill(0, signal) };
    take_signal(signal);
}

/// Returns once a signal that is on its way to this process's group has reached all of it: the kernel holds its list of
/// processes for as long as that takes, and for who sets a group too (`kill(2)`, `setpgid(2)`).
pub(super) fn await_group() {
    // SAFETY: takes numbers. The group stays what it is; who leads a session may not even ask.
    unsafe { libc::setpgid(0, libc::getpgrp()) };
}

/// The parent's number.
pub(super) fn parent() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::getppid() }
}

/// Has the parent go on, if it still is this one.
pub(super) fn continue_parent(pid: i32) {
    if parent() == pid {
        // SAFETY: takes numbers.
        unsafe { libc::kill(pid, libc::SIGCONT) };
    }
}

/// What became of a child.
pub(super) enum Change {
    None,
    Stopped(i32),
    Continued,
    /// It is to be reaped.
    Ended,
}

pub(super) fn change_of(child: i32) -> Change {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let flags = libc::WEXITED | libc::WSTOPPED | libc::WCONTINUED | libc::WNOHANG;
    // SAFETY: waitid fills the structure, or leaves its zeros; si_status belongs to these codes.
    unsafe {
        if libc::waitid(
            libc::P_PID,
            child as libc::id_t,
            info.as_mut_ptr(),
            flags | libc::WNOWAIT,
        ) != 0
        {
            return Change::Ended;
        }
        let info = info.assume_init();
        match info.si_code {
            0 => Change::None,
            code @ (libc::CLD_STOPPED | libc::CLD_TRAPPED | libc::CLD_CONTINUED) => {
                let mut taken = MaybeUninit::<libc::siginfo_t>::zeroed();
                let both = libc::WSTOPPED | libc::WCONTINUED | libc::WNOHANG;
                libc::waitid(libc::P_PID, child as libc::id_t, taken.as_mut_ptr(), both);
                match code {
                    libc::CLD_CONTINUED => Change::Continued,
                    _ => Change::Stopped(info.si_status()),
                }
            }
            _ => Change::Ended,
        }
    }
}

/// The wait status of a child that has ended.
pub(super) fn reap(child: i32) -> i32 {
    let mut status = 0;
    // SAFETY: the kernel writes one number.
    match unsafe { libc::waitpid(child, &raw mut status, 0) } {
        -1 => libc::SIGKILL,
        _ => status,
    }
}

/// Ends this process.
pub(super) fn end(status: i32) -> ! {
    // SAFETY: runs nothing of this process's.
    unsafe { libc::_exit(status) }
}

/// Ends this process as another one ended, by its wait status.
pub(super) fn end_as(status: i32) -> ! {
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        let none = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: structures that were filled; the rest is numbers. The command left its own core.
        unsafe {
            libc::setrlimit(libc::RLIMIT_CORE, &none);
            libc::signal(signal, libc::SIG_DFL);
            libc::kill(libc::getpid(), signal);
        }
        change_mask(libc::SIG_UNBLOCK, SignalSet::of(&[signal]));
        end(128 + signal)
    }
    end(libc::WEXITSTATUS(status))
}
