//! Processes of a session that nobody has seen: started by one that a signal ended at once, and silent since.
//!
//! Nothing outside of a process tells whose filter it lives under. So it is made to make a call that every filter of
//! ours notifies and that does nothing, and who is asked about it, or that nobody is left to be asked, tells.

use std::collections::BTreeSet;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use agentsh_sandbox::status::SecurityStatus;
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

/// Who may be a session's.
#[derive(Debug, Default, Clone)]
pub(crate) struct Suspects {
    /// When the first of them was started, in clock ticks since boot.
    pub since: u64,
    /// Control groups in which its commands were started, as `/proc/PID/cgroup` says it: none of theirs leaves them.
    pub places: BTreeSet<String>,
}

/// The control groups of a process, if it lives.
pub(crate) fn place(pid: i32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()
}

/// Makes all that may be the session's make a notified call; whether `is_known` then knows one that it did not know.
pub(crate) fn make_known(suspects: &Suspects, is_known: impl Fn(Identity) -> bool) -> bool {
    let strangers = suspects.living().into_iter().filter(|process| !is_known(*process));
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

/// Kills all that may be the session's and whose supervisor is dead; how many.
pub(crate) fn end_orphans(suspects: &Suspects) -> usize {
    let is_orphan = |process: &Identity| {
        let answer = sys::call::make(process.pid, NOTIFIED, NOTHING).recv_timeout(LIMIT);
        answer == Ok(-i64::from(libc::ENOSYS))
    };
    let orphans = suspects.living().into_iter().filter(is_orphan);
    orphans.filter(|process| process.signal(Signal::KILL)).count()
}

impl Suspects {
    /// Who lives in one of the places under a filter more than we, without a way to more rights, in our pid namespace.
    fn living(&self) -> Vec<Identity> {
        let own = std::fs::read_link("/proc/self/ns/pid").ok();
        let filters = SecurityStatus::own().map_or(0, |own| own.seccomp_filters) + 1;
        let may_be_one = |process: &Identity| {
            let status = SecurityStatus::of(process.pid).unwrap_or_default();
            status.no_new_privs
                && status.seccomp_mode == 2
                && status.seccomp_filters >= filters
                && place(process.pid).is_some_and(|place| self.places.contains(&place))
                && std::fs::read_link(format!("/proc/{}/ns/pid", process.pid)).ok() == own
        };
        process::living()
            .filter(|process| process.start >= self.since)
            .filter(may_be_one)
            .collect()
    }
}
