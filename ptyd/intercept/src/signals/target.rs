//! What a process is to the one that signals it.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::unistd::{Pid, getpgid};
use rustix::io::Errno;

use super::SignalJudge;
use crate::caller::Status;
use crate::locate::Locator;
use crate::process::TaskStat;

/// How far up the tree is looked.
const MAX_ANCESTORS: usize = 64;

/// The parent of all kernel threads.
const KTHREADD: i32 = 2;

/// What a process is to the sender; several at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Relation {
    /// The sender's own process.
    pub itself: bool,
    /// Its child.
    pub child: bool,
    /// Below it.
    pub descendant: bool,
    /// Another child of its parent.
    pub sibling: bool,
    /// Its parent.
    pub parent: bool,
    /// A process of the same session of ours.
    pub member: bool,
    /// The first process, or the kernel's.
    pub system: bool,
    /// Has the same real user.
    pub same_user: bool,
}

/// A process that is to get a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The process.
    pub tgid: i32,
    /// What it is to the sender.
    pub relation: Relation,
    /// Whether it has ended with all its threads, and its parent has not asked for it yet.
    pub ended: bool,
}

impl Target {
    pub(super) fn itself(tgid: i32) -> Self {
        let relation = Relation {
            itself: true,
            member: true,
            same_user: true,
            ..Relation::default()
        };
        Target {
            tgid,
            relation,
            ended: false,
        }
    }
}

/// From whose side it is looked.
pub(super) struct Surroundings<'a> {
    pub judge: &'a dyn SignalJudge,
    /// Whether a process lives behind the walls.
    pub inside: &'a dyn Fn(i32) -> bool,
    pub sender: i32,
}

impl Surroundings<'_> {
    /// The process that task `pid` is of, and its relation to the sender.
    pub fn look(&self, pid: i32) -> Result<Target, Errno> {
        let status = Status::read(pid)?;
        let tgid = status.tgid;
        if tgid == self.sender {
            return Ok(Target::itself(tgid));
        }
        let stat = TaskStat::read(tgid)?;
        let own = TaskStat::read(self.sender)?;
        let mut relation = Relation {
            parent: own.ppid == tgid,
            sibling: own.ppid == stat.ppid && stat.ppid > 1,
            member: self.judge.is_member(tgid, &stat),
            system: tgid == 1 || tgid == KTHREADD || stat.ppid == KTHREADD,
            same_user: Status::read(self.sender)?.uid[0] == status.uid[0],
            ..Relation::default()
        };
        self.climb(tgid, stat, &mut relation);
        relation.child = stat.ppid == self.sender && relation.member;
        // Of a first thread that others outlive there is no mask either.
        let ended = status.umask.is_none() && status.threads <= 1;
        Ok(Target { tgid, relation, ended })
    }

    /// Up to the sender, or out of the session: whoever has a member above it is one, if all on the way live behind the
    /// walls.
    fn climb(&self, tgid: i32, mut stat: TaskStat, relation: &mut Relation) {
        let mut pid = tgid;
        for _ in 0..MAX_ANCESTORS {
            if !relation.member && !(self.inside)(pid) {
                return;
            }
            let above = stat.ppid;
            if above == self.sender {
                relation.descendant = true;
                relation.member = true;
                return;
            }
            if above <= 1 {
                return;
            }
            let Ok(next) = TaskStat::read(above) else { return };
            let member = self.judge.is_member(above, &next);
            if relation.member && !member {
                return;
            }
            relation.member |= member;
            (pid, stat) = (above, next);
        }
    }
}

/// The processes of a group.
pub(super) fn group(group: i32) -> Vec<i32> {
    // Kernel threads are in group 0, which rustix takes for impossible.
    let of_group = |pid: &i32| getpgid(Some(Pid::from_raw(*pid))).is_ok_and(|found| found.as_raw() == group);
    let mut members = processes();
    members.retain(of_group);
    members
}

/// All processes but the first and the sender.
pub(super) fn all(sender: i32) -> Vec<i32> {
    let mut processes = processes();
    processes.retain(|pid| *pid > 1 && *pid != sender);
    processes
}

fn processes() -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    entries.flatten().filter_map(number).collect()
}

/// Whom a pidfd, or a folder of procfs in its place, holds.
pub(super) fn of_pidfd(locator: &Locator, pidfd: BorrowedFd<'_>) -> Result<i32, Errno> {
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let text = std::fs::read_to_string(path).map_err(|_| Errno::BADF)?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    match line.map(|pid| pid.trim().parse::<i32>()) {
        None => locator.task_of(pidfd),
        Some(Err(_)) => Err(Errno::BADF),
        Some(Ok(pid)) if pid > 0 => Ok(pid),
        Some(Ok(_)) => Err(Errno::SRCH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;
    impl SignalJudge for Nobody {
        fn signal(&self, _: &super::super::SignalRequest<'_>) -> super::super::SignalDecision {
            super::super::SignalDecision::Deny(Errno::PERM)
        }
        fn reaches(&self, _: &super::super::SignalRequest<'_>, _: bool) -> bool {
            false
        }
        fn is_member(&self, _: i32, _: &TaskStat) -> bool {
            false
        }
    }

    #[test]
    fn a_child_is_of_the_session_before_anybody_has_seen_it() -> Result<(), Box<dyn std::error::Error>> {
        let mut child = std::process::Command::new("sleep").arg("60").spawn()?;
        let sender = std::process::id() as i32;
        let around = |inside| Surroundings {
            judge: &Nobody,
            inside,
            sender,
        };
        let outside = around(&|_| false).look(child.id() as i32);
        let around = around(&|_| true);
        let target = around.look(child.id() as i32);
        let first = around.look(1);
        child.kill()?;
        child.wait()?;
        let relation = target?.relation;
        assert!(relation.child && relation.descendant && relation.member && relation.same_user && !relation.parent);
        // One that was started before its parent entered, or orphaned to it, is not.
        let relation = outside?.relation;
        assert!(!relation.child && !relation.descendant && !relation.member);
        let first = first?.relation;
        assert!(first.system && !first.member && !first.descendant);
        assert!(around.look(std::os::unix::process::parent_id() as i32)?.relation.parent);
        assert_eq!(around.look(sender)?, Target::itself(sender));
        Ok(())
    }
}
