//! Room for the descriptors that entering takes, where the caller has hardly any (`RLIMIT_NOFILE`, `getrlimit(2)`).

use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many descriptors are room enough.
const ENOUGH: u64 = 64;

/// No limit was changed.
const NONE: u64 = u64::MAX;

/// The caller's soft limit.
static SOFT: AtomicU64 = AtomicU64::new(NONE);

/// Raises the soft limit as far as it may be, if hardly a number below it may be free. What that does not help fails
/// later, and says so.
pub(crate) fn make_room() {
    let now = getrlimit(Resource::Nofile);
    let Some(soft) = now.current.filter(|soft| !has_room(*soft)) else {
        return;
    };
    let wanted = soft.saturating_add(ENOUGH);
    let raised = now.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if raised > soft && set(raised, now) {
        SOFT.store(soft, Ordering::Relaxed);
    }
}

/// Whether the last numbers below the limit, which are the last to be given out, are all free (`POLLNVAL`, `poll(2)`).
fn has_room(soft: u64) -> bool {
    let Some(first) = soft.checked_sub(ENOUGH).and_then(|first| c_int::try_from(first).ok()) else {
        // There is none, or are more numbers than any process has descriptors.
        return soft >= ENOUGH;
    };
    let mut last = [first; ENOUGH as usize].map(|fd| libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    });
    for (above, one) in (0..).zip(&mut last) {
        one.fd = one.fd.saturating_add(above);
    }
    // SAFETY: the array lives through the call, which waits for nothing.
    let found = unsafe { libc::poll(last.as_mut_ptr(), ENOUGH as libc::nfds_t, 0) };
    found == ENOUGH as c_int && last.iter().all(|one| one.revents == libc::POLLNVAL)
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn a_descriptor_right_below_the_limit_leaves_no_room() -> std::io::Result<()> {
        let held = rustix::io::fcntl_dupfd_cloexec(std::fs::File::open("/")?, 500)?;
        let number = held.as_raw_fd() as u64;
        assert!(!has_room(number + 1) && !has_room(number + ENOUGH));
        assert!(has_room(number) && has_room(number + ENOUGH + 1));
        assert!(!has_room(ENOUGH - 1) && has_room(u64::MAX - 1));
        Ok(())
    }
}
