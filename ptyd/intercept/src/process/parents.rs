//! Processes that start one child after the other: whether such a one is still the same is asked of a pidfd.

use std::collections::HashMap;
use std::os::fd::{AsFd as _, OwnedFd};

use foldhash::fast::RandomState;
use rustix::process::{Pid, PidfdFlags};

use crate::files::sys::task_info;

/// How many are remembered; beyond it all are forgotten.
const REMEMBERED: usize = 16;

/// A process that had a child.
struct Entry {
    started: u64,
    pidfd: Option<Parent>,
}

/// A pidfd that was opened before the process was seen to be a known one.
pub(super) struct Parent(OwnedFd);

impl Parent {
    pub fn open(tgid: i32) -> Option<Parent> {
        let pidfd = rustix::process::pidfd_open(Pid::from_raw(tgid)?, PidfdFlags::empty());
        pidfd.ok().map(Parent)
    }
}

/// The processes that were somebody's parent a moment ago.
#[derive(Default)]
pub(super) struct Parents(HashMap<i32, Entry, RandomState>);

impl Parents {
    /// Whether it had a child before, and has no pidfd that tells.
    pub fn has(&self, tgid: i32) -> bool {
        self.0.contains_key(&tgid)
    }

    /// The process that was started then (`proc_pid_stat(5)`) had a child. `pidfd`: its, opened before that was seen.
    pub fn add(&mut self, tgid: i32, started: u64, pidfd: Option<Parent>) {
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        self.0.insert(tgid, Entry { started, pidfd });
    }

    /// Whether the process that was started then surely still is there; false where that must be looked up.
    pub fn lives(&self, tgid: i32, started: u64) -> bool {
        let entry = self.0.get(&tgid).filter(|entry| entry.started == started);
        let pidfd = entry.and_then(|entry| entry.pidfd.as_ref());
        // Of a process that is gone nothing is told, and until it is gone its number is nobody else's.
        pidfd.is_some_and(|pidfd| task_info(pidfd.0.as_fd()).is_ok())
    }

    pub fn remove(&mut self, tgid: i32) {
        self.0.remove(&tgid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::TaskStat;

    #[test]
    fn a_parent_is_the_same_until_it_is_gone() -> std::io::Result<()> {
        let mut child = std::process::Command::new("sleep").arg("60").spawn()?;
        let tgid = child.id() as i32;
        let pidfd = Parent::open(tgid);
        let started = TaskStat::read(tgid)?.started;
        let mut parents = Parents::default();
        assert!(!parents.has(tgid) && !parents.lives(tgid, started));
        parents.add(tgid, started, None);
        assert!(parents.has(tgid) && !parents.lives(tgid, started), "nothing tells");
        parents.add(tgid, started, pidfd);
        assert!(parents.lives(tgid, started));
        assert!(!parents.lives(tgid, started + 1), "another of the same number");
        child.kill()?;
        child.wait()?;
        assert!(!parents.lives(tgid, started));
        Ok(())
    }
}
