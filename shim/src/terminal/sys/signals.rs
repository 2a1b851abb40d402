//! Signals held back and read, signalfd(2).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

use super::super::Standing;
use super::owned;

/// A signal mask.
pub(in super::super) struct Mask(libc::sigset_t);

pub(super) fn set_of(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

fn all() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the set.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Holds every signal back; the mask as it was.
pub(in super::super) fn block_all() -> Mask {
    let mut before = MaybeUninit::uninit();
    // SAFETY: sigprocmask fills `before`.
    unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, &all(), before.as_mut_ptr());
        Mask(before.assume_init())
    }
}

impl Mask {
    pub(in super::super) fn restore(&self) {
        // SAFETY: a set that was filled.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
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
    reader(&set_of(signals))
}

/// Reads all of them.
pub(in super::super) fn all_signals() -> io::Result<OwnedFd> {
    reader(&all())
}

fn reader(set: &libc::sigset_t) -> io::Result<OwnedFd> {
    // SAFETY: a set that was filled.
    owned(unsafe { libc::signalfd(-1, set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) })
}

/// Whether a signal that is held back has come.
pub(in super::super) fn is_pending(signal: i32) -> bool {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the kernel fills the set, and a number that is none is answered with -1.
    unsafe { libc::sigpending(set.as_mut_ptr()) == 0 && libc::sigismember(set.as_ptr(), signal) == 1 }
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
    let one = set_of(&[signal]);
    let continued = set_of(&[libc::SIGCONT]);
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: sets that were filled; everything else is numbers.
    unsafe {
        while libc::sigtimedwait(&continued, std::ptr::null_mut(), &now) > 0 {}
        libc::kill(whom, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &one, std::ptr::null_mut());
        libc::sigprocmask(libc::SIG_BLOCK, &one, std::ptr::null_mut());
        libc::sigtimedwait(&continued, std::ptr::null_mut(), &now) > 0
    }
}

fn own_pid() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::getpid() }
}
