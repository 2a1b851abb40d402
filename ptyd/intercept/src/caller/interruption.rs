//! When a slow call must be given up.
//!
//! A caller that waits killable is not woken by a signal that it handles (`seccomp_unotify(2)`), so
//! that whoever holds it for long looks from outside whether one is deliverable.

use std::os::fd::BorrowedFd;

use super::{Caller, Status};
use crate::sys::listener::id_valid;

/// Why a slow call must end now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// It need not.
    None,
    /// A signal waits for this very thread: answer [`crate::Outcome::Restart`].
    Restart,
    /// A signal waits that another thread of the process may take: answer `EINTR` if it stays.
    Signal,
    /// The caller is gone: there is nobody to answer.
    Gone,
}

impl Caller<'_> {
    /// Whether the caller has a deliverable signal or is gone. Costs a read of procfs: for waits, not for every call.
    pub fn interruption(&self) -> Interruption {
        Interruption::of(self.tid(), self.notification.id, self.listener)
    }
}

impl Interruption {
    /// As [`Caller::interruption`], for whoever has no caller at hand.
    pub(crate) fn of(tid: i32, id: u64, listener: BorrowedFd<'_>) -> Self {
        // In this order: a status that was read after the death of the caller may be another's.
        match Status::read(tid) {
            Ok(status) if id_valid(listener, id) => deliverable(&status),
            _ => Interruption::Gone,
        }
    }
}

const KILL: u64 = 1 << (libc::SIGKILL - 1);

fn deliverable(status: &Status) -> Interruption {
    if (status.pending | status.shared_pending) & KILL != 0 {
        return Interruption::Gone;
    }
    let deliverable = !status.blocked & !status.ignored;
    if status.pending & deliverable != 0 {
        return Interruption::Restart;
    }
    match status.shared_pending & deliverable {
        0 => Interruption::None,
        // With one thread there is no other to take it: the kernel has marked this one.
        _ if status.threads == 1 => Interruption::Restart,
        _ => Interruption::Signal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USR1: u64 = 1 << (libc::SIGUSR1 - 1);

    fn task(pending: u64, shared_pending: u64, threads: u32) -> Status {
        Status {
            pending,
            shared_pending,
            threads,
            ..Status::default()
        }
    }

    #[test]
    fn a_pending_signal_interrupts_unless_blocked_or_ignored() {
        assert_eq!(deliverable(&task(0, 0, 1)), Interruption::None);
        assert_eq!(deliverable(&task(USR1, 0, 9)), Interruption::Restart);
        assert_eq!(deliverable(&task(0, USR1, 1)), Interruption::Restart);
        assert_eq!(
            deliverable(&Status {
                blocked: USR1,
                ..task(USR1, USR1, 1)
            }),
            Interruption::None
        );
        assert_eq!(
            deliverable(&Status {
                ignored: USR1,
                ..task(USR1, USR1, 1)
            }),
            Interruption::None
        );
    }

    #[test]
    fn a_caller_that_is_being_killed_is_gone() {
        assert_eq!(deliverable(&task(KILL, 0, 1)), Interruption::Gone);
        assert_eq!(deliverable(&task(USR1, KILL, 3)), Interruption::Gone);
    }

    #[test]
    fn a_signal_that_another_thread_may_take_is_not_a_restart() {
        assert_eq!(deliverable(&task(0, USR1, 2)), Interruption::Signal);
    }
}
