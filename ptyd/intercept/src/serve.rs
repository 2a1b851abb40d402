//! Receives the notifications of one command and answers them.

use std::os::fd::AsFd;

use rustix::io::Errno;

use crate::caller::{AddDescriptor, Caller};
use crate::outcome::Outcome;
use crate::sys::listener;

/// Sends `outcome`; false if the caller is gone.
pub(crate) fn answer(caller: &Caller<'_>, outcome: Outcome) -> bool {
    let (val, error, flags) = match outcome {
        Outcome::Continue => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Outcome::Errno(errno) => (0, -errno.raw_os_error(), 0),
        Outcome::Value(value) => (value, 0, 0),
        Outcome::Restart => (0, -listener::RESTART_SYSCALL, 0),
        Outcome::Answered => return true,
        Outcome::Descriptor { fd, cloexec } => match AddDescriptor::to(caller).finish(fd.as_fd(), cloexec) {
            Ok(_) => return true,
            Err(Errno::NOENT) => return false,
            Err(errno) => (0, -errno.raw_os_error(), 0),
        },
    };
    let response = libc::seccomp_notif_resp {
        id: caller.notification().id,
        val,
        error,
        flags,
    };
    loop {
        match listener::respond(caller.listener(), response) {
            Ok(()) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
