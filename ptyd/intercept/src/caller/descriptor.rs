//! Handing a descriptor to the caller.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::Caller;
use super::held::Held;
use crate::outcome::Outcome;
use crate::sys::listener;

const FLAG_SETFD: u32 = libc::SECCOMP_ADDFD_FLAG_SETFD as u32;

/// Puts descriptors into the caller (`SECCOMP_IOCTL_NOTIF_ADDFD`), with the caller and this thread held on one
/// CPU for that moment: the kernel's hand-over is two ordinary wake-ups, one each way, which cost five times
/// more across CPUs. The caller is free again before its call is answered: it would see the one CPU, and what it starts
/// would inherit it.
pub struct AddDescriptor<'c, 'l> {
    caller: &'c Caller<'l>,
    held: Option<(Held, Option<Held>)>,
}

impl<'c, 'l> AddDescriptor<'c, 'l> {
    /// Prepares a hand-over to `caller`; the affinity is put back when this is dropped.
    pub fn to(caller: &'c Caller<'l>) -> Self {
        AddDescriptor {
            caller,
            held: Held::both(caller.tid()),
        }
    }

    /// Reserves the lowest free number with a placeholder, so that an effect (a file created or
    /// truncated) is not followed by `EMFILE`.
    ///
    /// # Errors
    /// `EMFILE` as the call itself; `ENOENT` if the caller is gone.
    pub fn reserve(&self, placeholder: BorrowedFd<'_>) -> Result<i32, Errno> {
        self.add(placeholder, 0, 0, true)
    }

    /// Puts `fd` under the lowest free number and keeps the call waiting.
    ///
    /// # Errors
    /// `EMFILE` as the call itself; `ENOENT` if the caller is gone.
    pub fn put(&self, fd: impl AsFd, cloexec: bool) -> Result<i32, Errno> {
        self.add(fd.as_fd(), 0, 0, cloexec)
    }

    /// Puts `fd` under a reserved number and keeps the call waiting.
    ///
    /// # Errors
    /// `ENOENT` if the caller is gone.
    pub fn replace(&self, number: i32, fd: BorrowedFd<'_>, cloexec: bool) -> Result<(), Errno> {
        let number = u32::try_from(number).map_err(|_| Errno::BADF)?;
        self.add(fd, FLAG_SETFD, number, cloexec).map(|_| ())
    }

    /// Puts `fd` under the lowest free number and makes that the call's result; the handler then returns
    /// [`crate::Outcome::Answered`]. The caller's is the only one then: locks, leases, and what others see at the close
    /// of a file go with the last.
    ///
    /// # Errors
    /// `EMFILE` as the call itself (it still waits); `ENOENT` if the caller is gone.
    pub fn finish(self, fd: OwnedFd, cloexec: bool) -> Result<i32, Errno> {
        let number = self.put(&fd, cloexec)?;
        drop(fd);
        self.answer(number)
    }

    /// Makes a number that was given ([`AddDescriptor::put`]) the call's result.
    ///
    /// # Errors
    /// `ENOENT` if the caller is gone.
    pub fn answer(mut self, number: i32) -> Result<i32, Errno> {
        drop(self.held.take());
        match self.caller.answer(Outcome::Value(i64::from(number))) {
            true => Ok(number),
            false => Err(Errno::NOENT),
        }
    }

    fn add(&self, fd: BorrowedFd<'_>, flags: u32, number: u32, cloexec: bool) -> Result<i32, Errno> {
        let request = libc::seccomp_notif_addfd {
            id: self.caller.notification.id,
            flags,
            srcfd: fd.as_raw_fd() as u32,
            newfd: number,
            newfd_flags: if cloexec { libc::O_CLOEXEC as u32 } else { 0 },
        };
        loop {
            match listener::add_fd(self.caller.listener, request) {
                Err(Errno::INTR) => {}
                result => return result,
            }
        }
    }
}
