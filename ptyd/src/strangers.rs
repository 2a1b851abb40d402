//! Processes of a session that nobody has seen: started by one that a signal ended at once, and silent since.
//!
//! Nothing outside of a process tells whose filter it lives under. So it is made to make a call that every filter of
//! ours notifies and that does nothing, and who is asked about it, or that nobody is left to be asked, tells.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::process::{self, Identity};
use crate::sys;

/// A descriptor that is none, and nobody to be told about it: `EBADF` from the kernel.
const NOTIFIED: i64 = libc::SYS_fcntl;
const NOTHING: [u64; 3] = [u64::MAX, libc::F_SETOWN as u64, 0];

/// How long one process may take for the call.
const LIMIT: Duration = Duration::from_millis(500);

/// How often it is looked whether it is known now.
const LOOK: Duration = Duration::from_millis(1);

/// Makes all processes that were started at or after `since` (clock ticks since boot) and may be the session's make a
/// notified call; whether `is_known` then knows one that it did not know.
pub(crate) fn make_known(since: u64, is_known: impl Fn(Identity) -> bool) -> bool {
    let strangers = suspects(since).into_iter().filter(|process| !is_known(*process));
    strangers.fold(false, |found, process| {
        let answer = sys::call::make(process.pid, NOTIFIED, NOTHING);
        let limit = Instant::now() + LIMIT;
        loop {
            // Who is asked does not answer any more.
            match answer.recv_timeout(LOOK) {
                _ if is_known(process) => return true,
                Err(RecvTimeoutError::Timeout) if Instant::now() < limit => {}
                _ => return found,
            }
        }
    })
}

/// Kills all processes that were started at or after `since` and whose supervisor is dead; how many.
pub(crate) fn end_orphans(since: u64) -> usize {
    let is_orphan = |process: &Identity| {
        let answer = sys::call::make(process.pid, NOTIFIED, NOTHING).recv_timeout(LIMIT);
        answer == Ok(-i64::from(libc::ENOSYS))
    };
    let orphans = suspects(since).into_iter().filter(is_orphan);
    orphans.filter(|process| process.signal(Signal::KILL)).count()
}

/// Who lives under a filter, without a way to more rights, in our pid namespace.
fn suspects(since: u64) -> Vec<Identity> {
    let own = std::fs::read_link("/proc/self/ns/pid").ok();
    let may_be_one = |process: &Identity| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
        let has = |line: &str| status.lines().any(|other| other == line);
        has("Seccomp:\t2")
            && has("NoNewPrivs:\t1")
            && std::fs::read_link(format!("/proc/{}/ns/pid", process.pid)).ok() == own
    };
    process::living()
        .filter(|process| process.start >= since)
        .filter(may_be_one)
        .collect()
}
