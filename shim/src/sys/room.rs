//! Room for the descriptors that entering takes, where the caller has hardly any (`RLIMIT_NOFILE`, `getrlimit(2)`).

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many descriptors are room enough.
const ENOUGH: u64 = 64;

/// No limit was changed.
const NONE: u64 = u64::MAX;

/// The caller's soft limit.
static SOFT: AtomicU64 = AtomicU64::new(NONE);

/// Raises the soft limit as far as it may be, if it is low. What that does not help fails later, and says so.
pub(crate) fn make_room() {
    let now = getrlimit(Resource::Nofile);
    let Some(soft) = now.current.filter(|soft| *soft < ENOUGH) else {
        return;
    };
    let raised = now.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if raised > soft && set(raised, now) {
        SOFT.store(soft, Ordering::Relaxed);
    }
}

/// The caller's limit again, for what is executed.
pub(super) fn give_back() {
    let soft = SOFT.load(Ordering::Relaxed);
    if soft != NONE {
        let now = getrlimit(Resource::Nofile);
        // Policy may have lowered the hard one since.
        set(soft.min(now.maximum.unwrap_or(soft)), now);
    }
}

fn set(soft: u64, now: Rlimit) -> bool {
    let limit = Rlimit {
        current: Some(soft),
        ..now
    };
    setrlimit(Resource::Nofile, limit).is_ok()
}
