//! Execs under another stack limit, which says where the image's libraries lie ([`Judge::stack_limit`]). The program
//! never sees it: at its first notified call, before its C library asks, the limit is again what it was.
//!
//! [`Judge::stack_limit`]: super::Judge::stack_limit

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::guard::Guard;
use super::request::Subject;
use crate::process::{Known, TaskStat};
use crate::sys::limit;

/// Entries from which on those of dead processes are looked for.
const FORGOTTEN: usize = 64;

/// The stack limits of processes that are in such an exec.
#[derive(Default)]
pub(super) struct StackLimits {
    map: Mutex<HashMap<i32, Changed>>,
    /// In the common case there is none, and nobody looks.
    count: AtomicUsize,
}

#[derive(Clone, Copy)]
struct Changed {
    started: u64,
    before: u64,
}

impl StackLimits {
    fn map(&self) -> MutexGuard<'_, HashMap<i32, Changed>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the limit of `tgid`.
    pub(super) fn take(&self, tgid: i32) -> Option<u64> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut map = self.map();
        let changed = map.remove(&tgid);
        self.count.store(map.len(), Ordering::Release);
        changed.map(|changed| changed.before)
    }
}

impl Guard {
    /// The exec of `known` that is about to be let through lays its image out as the judge wants it.
    pub(super) fn lay_out(&self, known: &Known, subjects: &[Subject]) {
        let Some(wanted) = self.judge.stack_limit(subjects) else {
            return;
        };
        match limit::set_stack(known.tgid, wanted) {
            Ok(before) => {
                let mut map = self.stack_limits.map();
                if map.len() > FORGOTTEN {
                    map.retain(|tgid, one| TaskStat::read(*tgid).is_ok_and(|stat| stat.started == one.started));
                }
                let started = known.started;
                // A second exec of the same process finds what the first has set.
                map.entry(known.tgid)
                    .and_modify(|one| one.started = started)
                    .or_insert(Changed { started, before });
                self.stack_limits.count.store(map.len(), Ordering::Release);
            }
            // Nothing but what such a program finds depends on it.
            Err(errno) => tracing::debug!(known.tgid, %errno, "its stack limit cannot be set"),
        }
    }

    /// The exec is over.
    pub(super) fn laid_out(&self, tgid: i32) {
        if let Some(before) = self.stack_limits.take(tgid)
            && let Err(errno) = limit::set_stack(tgid, before)
        {
            tracing::warn!(tgid, %errno, "its stack limit cannot be set back");
        }
    }
}
