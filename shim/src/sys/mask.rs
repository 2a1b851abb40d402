//! Signal masks as the kernel has them, `rt_sigprocmask(2)`: a C library's own calls leave the signals that it keeps
//! for itself (32 to 34 in musl) out of what they tell and set, and programs may well have the last of them blocked.

use std::ffi::c_int;

/// A set of signals.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct SignalSet(u64);

impl SignalSet {
    pub(crate) const ALL: SignalSet = SignalSet(u64::MAX);

    pub(crate) fn of(signals: &[c_int]) -> SignalSet {
        SignalSet(signals.iter().fold(0, |set, signal| set | 1 << (signal - 1)))
    }

    pub(crate) fn contains(self, signal: c_int) -> bool {
        self.0 & SignalSet::of(&[signal]).0 != 0
    }

    /// As system calls take it, with its size.
    pub(crate) fn raw(&self) -> (*const u64, usize) {
        (&raw const self.0, size_of::<u64>())
    }
}

/// Changes this thread's mask (`SIG_BLOCK`, `SIG_UNBLOCK`, `SIG_SETMASK`); the mask as it was.
pub(crate) fn change_mask(how: c_int, set: SignalSet) -> SignalSet {
    let mut before = SignalSet(0);
    let (address, size) = set.raw();
    // SAFETY: both sets are of the kernel's size and live through the call, which fails for no valid `how`.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, address, &raw mut before, size) };
    before
}

/// The signals that are held back and have come.
pub(crate) fn pending() -> SignalSet {
    let mut set = SignalSet(0);
    // SAFETY: the kernel fills a set of its own size.
    unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut set, size_of::<u64>()) };
    set
}

/// Takes one of the signals that are held back, if one has come, `rt_sigtimedwait(2)`.
pub(crate) fn take(set: SignalSet) -> bool {
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let nothing = std::ptr::null_mut::<libc::siginfo_t>();
    let (address, size) = set.raw();
    // SAFETY: set and time live through the call; the kernel is asked for no details.
    unsafe { libc::syscall(libc::SYS_rt_sigtimedwait, address, nothing, &raw const at_once, size) > 0 }
}
