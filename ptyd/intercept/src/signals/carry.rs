//! Signals that are sent for the caller, through a pidfd.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::SignalDecision;
use crate::caller::{Caller, Interruption, Status};
use crate::outcome::Outcome;
use crate::sys::signal;

/// `PIDFD_SIGNAL_PROCESS_GROUP`.
pub(super) const PROCESS_GROUP: u32 = 4;

/// `PIDFD_SELF_THREAD` and `PIDFD_SELF_THREAD_GROUP`, in the place of a descriptor (`<linux/pidfd.h>`).
pub(super) const SELF_THREAD: i32 = -10_000;
pub(super) const SELF_PROCESS: i32 = -10_001;

const CAP_KILL: u32 = 5;

/// A pidfd of the process that task `pid` is of, or of the thread where it is not the leader.
pub(super) fn open(pid: i32) -> Result<OwnedFd, Errno> {
    let pid = Pid::from_raw(pid).ok_or(Errno::SRCH)?;
    // PIDFD_THREAD has the value of O_EXCL (Linux 6.9).
    match pidfd_open(pid, PidfdFlags::from_bits_retain(libc::O_EXCL as u32)) {
        Err(Errno::INVAL) => pidfd_open(pid, PidfdFlags::empty()),
        result => result,
    }
}

/// A pidfd of process `pid`.
pub(super) fn open_process(pid: i32) -> Result<OwnedFd, Errno> {
    pidfd_open(Pid::from_raw(pid).ok_or(Errno::SRCH)?, PidfdFlags::empty())
}

/// Whether what it holds has not been reaped: its number is nobody else's.
pub(super) fn lives(pidfd: &OwnedFd) -> Result<(), Errno> {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    // POLLHUP says reaped; an end that nobody asked for yet (a zombie) still has its number.
    match fds[0].revents().contains(PollFlags::HUP) {
        true => Err(Errno::SRCH),
        false => Ok(()),
    }
}

/// What was decided for task `pid`, which is the caller's own.
pub(super) fn out(caller: &Caller<'_>, pid: i32, signal: i32, decision: SignalDecision) -> Result<Outcome, Outcome> {
    let pidfd = open(pid)?;
    through(caller, &pidfd, pid, signal, decision)
}

/// What was decided for the process that `pidfd` holds, with information as `kill(2)` gives it.
pub(super) fn through(
    caller: &Caller<'_>,
    pidfd: &OwnedFd,
    tgid: i32,
    signal: i32,
    decision: SignalDecision,
) -> Result<Outcome, Outcome> {
    let signal = match decision {
        SignalDecision::Instead(other) => other,
        _ => signal,
    };
    let info = plain(caller, signal)?;
    with(caller, pidfd, tgid, signal, decision, (info, GROUP))
}

/// `PIDFD_SIGNAL_THREAD_GROUP`: to the process, whatever the descriptor is of (Linux 6.9).
const GROUP: u32 = 2;

/// As [`through`], with the caller's own information and flags.
pub(super) fn with(
    caller: &Caller<'_>,
    pidfd: &OwnedFd,
    pid: i32,
    signal: i32,
    decision: SignalDecision,
    (info, flags): (signal::Information, u32),
) -> Result<Outcome, Outcome> {
    let (signal, info) = match decision {
        SignalDecision::Deny(errno) => return Err(Outcome::Errno(errno)),
        SignalDecision::Absorb => return Ok(Outcome::Value(0)),
        SignalDecision::Interrupted(seen) => return Err(interrupted(seen)),
        SignalDecision::Allow => (signal, info),
        SignalDecision::Instead(other) => (other, plain(caller, other)?),
    };
    may(caller, pid, signal)?;
    if !caller.still_valid() {
        return Err(Outcome::Answered);
    }
    match signal::send(pidfd.as_fd(), signal, &info, flags) {
        // Before Linux 6.9 there are no flags, and no pidfds of threads.
        Err(Errno::INVAL) if flags == GROUP => signal::send(pidfd.as_fd(), signal, &info, 0)?,
        result => result?,
    }
    Ok(Outcome::Value(0))
}

/// The answer to a caller that has a signal or is gone.
pub(super) fn interrupted(seen: Interruption) -> Outcome {
    match seen {
        Interruption::Restart => Outcome::Restart,
        Interruption::Gone => Outcome::Answered,
        _ => Outcome::Errno(Errno::INTR),
    }
}

/// The information of `pidfd_send_signal(2)`: the caller's, or as `kill(2)` gives it.
pub(super) fn information(caller: &Caller<'_>, signal: i32) -> Result<signal::Information, Outcome> {
    if caller.arg(2) == 0 {
        return Ok(plain(caller, signal)?);
    }
    let bytes = caller.read_bytes(caller.arg(2), signal::SIZE)?;
    let info = signal::Information::from_bytes(&bytes).ok_or(Errno::FAULT)?;
    // The kernel's own codes (0 and above) and tkill's may be claimed by nobody but a process for itself.
    match info.signal() == signal {
        false => Err(Outcome::Errno(Errno::INVAL)),
        true if info.code() >= 0 || info.code() == libc::SI_TKILL => Err(Outcome::Errno(Errno::PERM)),
        true => Ok(info),
    }
}

fn plain(caller: &Caller<'_>, signal: i32) -> Result<signal::Information, Errno> {
    let status = caller.status()?;
    Ok(signal::Information::queued(signal, status.tgid, status.uid[0]))
}

/// Whether the kernel would let the caller signal task `pid`, `kill(2)`.
fn may(caller: &Caller<'_>, pid: i32, signal: i32) -> Result<(), Errno> {
    let sender = caller.status()?;
    let target = Status::read(pid)?;
    if sender.tgid == target.tgid {
        return Ok(());
    }
    let ids = [sender.uid[0], sender.uid[1]];
    if ids.iter().any(|id| [target.uid[0], target.uid[2]].contains(id)) || sender.effective.has(CAP_KILL) {
        return Ok(());
    }
    let session = |pid: i32| nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(pid)));
    if signal == libc::SIGCONT
        && matches!((session(sender.tgid), session(target.tgid)), (Ok(one), Ok(other)) if one == other)
    {
        return Ok(());
    }
    Err(Errno::PERM)
}
