//! Where a caller is to be woken: on the serving thread's processor, or on the one it called from.

use std::os::fd::BorrowedFd;

use nix::sys::resource::{UsageWho, getrusage};

use crate::sys::listener;

/// Whether several callers take turns; as long as one alone calls, nothing of another needs to be asked.
pub(super) struct Turns {
    last: Option<i32>,
    streak: u32,
    preempted: i64,
}

impl Turns {
    /// Calls in a row after which a caller counts as alone.
    const ALONE: u32 = 32;

    pub(super) fn new() -> Turns {
        Turns {
            last: None,
            streak: Turns::ALONE,
            preempted: 0,
        }
    }

    /// Whether the next call comes from another processor: its caller was already waiting while this thread was at
    /// work here, and had not taken this processor from it to do so.
    pub(super) fn next_is_elsewhere(&mut self, listener: BorrowedFd<'_>) -> bool {
        self.streak < Turns::ALONE && listener::pending(listener) && !self.was_preempted()
    }

    /// Whether this thread lost its processor since it was asked last: the caller that it woke there may have run at
    /// once (`getrusage(2)`, `ru_nivcsw`).
    fn was_preempted(&mut self) -> bool {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_THREAD) else {
            return false;
        };
        let before = std::mem::replace(&mut self.preempted, usage.involuntary_context_switches());
        before != self.preempted
    }

    pub(super) fn took(&mut self, tid: i32) {
        self.streak = match self.last {
            Some(last) if last != tid => 0,
            _ => self.streak.saturating_add(1),
        };
        self.last = Some(tid);
    }
}
