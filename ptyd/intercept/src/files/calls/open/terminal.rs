//! A session leader without a terminal has the one that it opens, unless it says `O_NOCTTY` (`open(2)`,
//! `credentials(7)`).
//!
//! The kernel gives a terminal to who opens it, and here that is a worker. So the caller asks for it by `TIOCSCTTY` in
//! its own name, between its open and the result of it.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::Flags;
use crate::caller::AddDescriptor;
use crate::files::calls::call::Call;
use crate::files::resolve::Pin;
use crate::outcome::Outcome;
use crate::process::{Session, has_own_filters};
use crate::sys::steer::{self, NewCall};

/// Terminals by their major numbers (`admin-guide/devices.rst`), without masters, which are nobody's controlling
/// terminal: serial lines and consoles, slaves of both kinds, modems, and lines of machines that have neither.
fn is_terminal(pin: &Pin) -> bool {
    let number = pin.stat.st_rdev;
    let known = match (libc::major(number), libc::minor(number)) {
        // Whichever console is shown.
        (4, 0) => false,
        (3 | 4 | 136..=143 | 166 | 188 | 204 | 229, _) => true,
        _ => false,
    };
    known && pin.kind() == libc::S_IFCHR
}

/// Whether the caller asks for this terminal with its open. That nobody has it yet the kernel alone can say.
pub(super) fn is_asked_for(call: &Call<'_, '_>, flags: Flags, pin: &Pin) -> bool {
    if !is_terminal(pin) || !flags.reads() || flags.has(libc::O_NOCTTY) {
        return false;
    }
    let tgid = call.client.tgid;
    Session::of(tgid).is_ok_and(|session| session.leader == tgid && session.terminal.is_none())
}

/// Hands `fd` over and answers; before the caller goes on it has asked the kernel for the terminal. One that has a
/// tracer, or filters that may forbid it that, gets the descriptor alone.
///
/// # Errors
/// As [`AddDescriptor::finish`].
pub(super) fn hand_over(call: &Call<'_, '_>, fd: OwnedFd, cloexec: bool) -> Result<(), Errno> {
    let caller = call.caller;
    let number = AddDescriptor::to(caller).put(&fd, cloexec)?;
    drop(fd);
    let ask = NewCall {
        number: libc::SYS_ioctl,
        // Zero: it is taken from nobody.
        arguments: [number as u64, libc::TIOCSCTTY, 0, 0, 0],
    };
    let asks = caller.status().is_ok_and(|status| !has_own_filters(status));
    let mut released = false;
    let release = || {
        released = true;
        caller.answer(Outcome::Again)
    };
    let result = match asks {
        true => steer::precede(caller.tid(), ask, number, release),
        false => Err(Errno::PERM),
    };
    match result {
        Ok(()) => Ok(()),
        Err(_) if released => Err(Errno::NOENT),
        Err(errno) => {
            tracing::debug!(tid = caller.tid(), %errno, "it cannot ask for its terminal");
            let answered = caller.answer(Outcome::Value(i64::from(number)));
            answered.then_some(()).ok_or(Errno::NOENT)
        }
    }
}
