//! `pidfd_send_signal(2)` with information, `struct siginfo` as `sigaction(2)` has it.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// `sizeof(siginfo_t)`.
pub const SIZE: usize = 128;

/// What a receiver is told of a signal.
#[repr(C, align(8))]
#[derive(Debug, Clone, Copy)]
pub struct Information([u8; SIZE]);

impl Information {
    /// As `sigqueue(3)` of process `pid` and user `uid`, without a value.
    pub fn queued(signal: i32, pid: i32, uid: u32) -> Self {
        let mut info = Information([0; SIZE]);
        // si_signo, si_errno, si_code, padding to the union's alignment, si_pid, si_uid.
        for (at, bytes) in [
            (0, signal.to_ne_bytes()),
            (8, libc::SI_QUEUE.to_ne_bytes()),
            (16, pid.to_ne_bytes()),
            (20, uid.to_ne_bytes()),
        ] {
            info.0[at..at + 4].copy_from_slice(&bytes);
        }
        info
    }

    /// A copy of a caller's.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Information(*bytes.first_chunk()?))
    }

    fn word(&self, at: usize) -> i32 {
        self.0[at..].first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes))
    }

    /// `si_signo`.
    pub fn signal(&self) -> i32 {
        self.word(0)
    }

    /// `si_code`.
    pub fn code(&self) -> i32 {
        self.word(8)
    }
}

/// Sends `signal` to whom `pidfd` holds.
pub fn send(pidfd: BorrowedFd<'_>, signal: i32, info: &Information, flags: u32) -> Result<(), Errno> {
    // SAFETY: the information is as large as a siginfo_t and is only read.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::from_ref(info),
            flags,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(super::last_errno()),
    }
}

/// Whether the kernel takes this number for the caller itself (`PIDFD_SELF_THREAD` and `PIDFD_SELF_THREAD_GROUP`): it is
/// asked about ourselves, and nothing is sent.
pub fn is_oneself(number: i32) -> bool {
    // SAFETY: no memory is passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            number,
            0,
            std::ptr::null::<Information>(),
            0,
        )
    };
    number < 0 && result == 0
}

/// `tgkill(2)`.
pub fn to_thread(tgid: i32, tid: i32, signal: i32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    match unsafe { libc::syscall(libc::SYS_tgkill, tgid, tid, signal) } {
        0 => Ok(()),
        _ => Err(super::last_errno()),
    }
}
