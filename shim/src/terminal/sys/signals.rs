//! Signals held back and read, signalfd(2).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

use super::super::Standing;
use super::owned;
use crate::sys::{SignalSet, change_mask, pending, take};

/// A signal mask.
pub(in super::super) struct Mask(SignalSet);

/// Holds every signal back; the mask as it was.
pub(in super::super) fn block_all() -> Mask {
    Mask(change_mask(libc::SIG_SETMASK, SignalSet::ALL))
}

impl Mask {
    pub(in super::super) fn restore(&self) {
        change_mask(libc::SIG_SETMASK, self.0);
    }
}

/// Gives SIGCHLD its default disposition; whether it was ignored.
pub(in super::super) fn stop_ignoring_children() -> bool {
    // SAFETY: installs no handler.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) == libc::SIG_IGN }
}

pub(in super::super) fn ignore_children(ignored: bool) {
    if ignored {
        // SAFETY: installs no handler.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    }
}

/// Reads held-back signals, signalfd(2).
pub(in super::super) fn signal_reader(signals: &[i32]) -> io::Result<OwnedFd> {
    reader(SignalSet::of(signals))
}

/// Reads all of them.
pub(in super::super) fn all_signals() -> io::Result<OwnedFd> {
    reader(SignalSet::ALL)
}

fn reader(set: SignalSet) -> io::Result<OwnedFd> {
    let (address, size) = set.raw();
    let flags = libc::SFD_NONBLOCK | libc::SFD_CLOEXEC;
    // SAFETY: a set of the kernel's size that lives through the call.
    owned(unsafe { libc::syscall(libc::SYS_signalfd4, -1, address, size, flags) as i32 })
}

/// Whether a signal that is held back has come.
pub(in super::super) fn is_pending(signal: i32) -> bool {
    pending().contains(signal)
}

/// The signals that are held back and have come.
pub(in super::super) fn pending_signals() -> Vec<i32> {
    let come = pending();
    (1..=64).filter(|signal| come.contains(*signal)).collect()
}

/// Takes a signal that is held back; whether it had come.
pub(in super::super) fn take_signal(signal: i32) -> bool {
    take(SignalSet::of(&[signal]))
}

/// A signal that came.
pub(in super::super) struct Signal {
    pub number: i32,
    /// Not sent by a process: the terminal's keys, its hang-up.
    pub by_kernel: bool,
}

pub(in super::super) fn next_signal(reader: &OwnedFd) -> Option<Signal> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: the kernel writes at most `size` bytes, and the structure is plain numbers.
    let info = unsafe {
        if libc::read(reader.as_raw_fd(), info.as_mut_ptr().cast(), size) != size as isize {
            return None;
        }
        info.assume_init()
    };
    Some(Signal {
        number: info.ssi_signo as i32,
        by_kernel: info.ssi_code == libc::SI_KERNEL,
    })
}

pub(in super::super) fn drain(reader: &OwnedFd) {
    while next_signal(reader).is_some() {}
}

/// Stops this process, with its job if it is one, and returns once it was continued; `false` if nothing stopped it.
pub(in super::super) fn stop(signal: i32, standing: Standing) -> bool {
    let whom = if standing == Standing::Job { 0 } else { own_pid() };
    let (one, continued) = (SignalSet::of(&[signal]), SignalSet::of(&[libc::SIGCONT]));
    while take(continued) {}
    // SAFETY: takes numbers.
    unsafe { libc::kill(whom, signal) };
    change_mask(libc::SIG_UNBLOCK, one);
    change_mask(libc::SIG_BLOCK, one);
    take(continued)
}

fn own_pid() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::getpid() }
}
