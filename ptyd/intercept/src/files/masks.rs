//! When a caller's file mode creation mask (`umask(2)`) may be remembered.
//!
//! Only `/proc/TID/status` tells it, and reading that costs more than making a file. `umask(2)` is notified, so
//! that what was read stays true until somebody's next call of it. That call is let through and takes effect a
//! moment after it was seen: a process with several threads that has made one is read anew each time.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Processes that are remembered to have changed theirs; beyond it, every process with several threads counts
/// as one of them.
const MOST: usize = 4096;

/// Who has changed the mask, and how often that happened.
#[derive(Debug, Default)]
pub struct Masks {
    changes: AtomicU64,
    changed: Mutex<Changed>,
}

#[derive(Debug, Default)]
struct Changed {
    processes: HashSet<i32>,
    too_many: bool,
}

impl Masks {
    /// A process is about to change it.
    pub fn change(&self, tgid: i32) {
        {
            let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
            if changed.processes.len() >= MOST {
                changed.too_many = true;
                changed.processes.clear();
            }
            changed.processes.insert(tgid);
        }
        // After the process is known: whoever sees the count finds it.
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Counts the changes: a mask that was read holds while this stays.
    pub fn count(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Whether a mask may be remembered that was read before [`Masks::count`] was.
    pub fn may_remember(&self, tgid: i32, threads: u32) -> bool {
        let changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        threads == 1 || !changed.too_many && !changed.processes.contains(&tgid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_may_change_it_under_each_other_are_read_anew() {
        let masks = Masks::default();
        assert!(masks.may_remember(1, 5));
        let before = masks.count();
        masks.change(1);
        assert_ne!(masks.count(), before);
        assert!(masks.may_remember(1, 1) && !masks.may_remember(1, 2) && masks.may_remember(2, 2));
        for process in 2..=MOST as i32 + 1 {
            masks.change(process);
        }
        assert!(!masks.may_remember(1, 2) && !masks.may_remember(i32::MAX, 2) && masks.may_remember(1, 1));
    }
}
