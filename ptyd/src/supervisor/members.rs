//! Who belongs to the session, and which walls they went behind.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, Weak};

use agentsh_intercept::files::Tasks;
use agentsh_intercept::{Guard, TaskStat, is_inside};
use agentsh_sandbox::hull::{Hull, Right};

/// How many forks in a row, none of which has made a call yet, are followed up to somebody who has.
const LINEAGE: usize = 16;

/// The commands that are served.
#[derive(Default)]
pub(crate) struct Members {
    all: RwLock<Vec<Member>>,
    /// How often the session moved a name.
    moves: AtomicU64,
    /// Whether no call of any command is answered any more.
    held: AtomicBool,
}

struct Member {
    command: Arc<str>,
    guard: Weak<Guard>,
    hull: Arc<Hull>,
    /// Which rules the hull was made from ([`super::session::Session::generation`]).
    generation: u64,
}

impl Members {
    /// A command is served from now on.
    pub(crate) fn add(&self, command: &str, guard: &Arc<Guard>, hull: Arc<Hull>, generation: u64) {
        let mut members = self.all.write().unwrap_or_else(PoisonError::into_inner);
        if self.held.load(Ordering::Acquire) {
            guard.hold();
        }
        members.retain(|member| member.guard.strong_count() > 0);
        members.push(Member {
            command: command.into(),
            guard: Arc::downgrade(guard),
            hull,
            generation,
        });
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Member>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name was moved or taken away: where folders are is looked at again.
    pub(crate) fn names_moved(&self) {
        self.moves.fetch_add(1, Ordering::AcqRel);
    }

    /// How often the session has moved a name.
    pub(crate) fn moves(&self) -> u64 {
        self.moves.load(Ordering::Acquire)
    }

    /// Whether the process that was started then was seen to be of the session.
    pub(crate) fn knows(&self, tgid: i32, started: u64) -> bool {
        self.read()
            .iter()
            .filter_map(|member| member.guard.upgrade())
            .any(|guard| guard.knows(tgid, started))
    }

    /// Whether the process that looks like this was seen to be of the session, or is an orphan of it that has not been
    /// seen yet: nobody else runs an image of its processes.
    pub(crate) fn has(&self, tgid: i32, stat: &TaskStat) -> bool {
        let executed = || self.guards(None).iter().any(|guard| guard.executed(tgid, stat));
        self.knows(tgid, stat.started) || executed() && is_inside(tgid)
    }

    /// Lets the calls of a command, or of all, wait for their callers' end.
    pub(crate) fn hold(&self, command: Option<&str>) {
        if command.is_none() {
            self.held.store(true, Ordering::Release);
        }
        self.guards(command).iter().for_each(|guard| guard.hold());
    }

    /// Who knows the processes of a command, or of all.
    pub(crate) fn guards(&self, command: Option<&str>) -> Vec<Arc<Guard>> {
        let members = self.read();
        let meant = members
            .iter()
            .filter(|member| command.is_none_or(|id| *member.command == *id));
        meant.filter_map(|member| member.guard.upgrade()).collect()
    }

    /// The command that a process belongs to.
    pub(crate) fn command_of(&self, tgid: i32) -> Option<Arc<str>> {
        let members = self.read();
        let own = |member: &&Member| member.guard.upgrade().is_some_and(|guard| guard.contains(tgid));
        // With one command there is nothing to ask.
        match members.as_slice() {
            [only] => Some(Arc::clone(&only.command)),
            several => several.iter().find(own).map(|member| Arc::clone(&member.command)),
        }
    }

    /// Whether the ruleset of every command surely lets `right` happen at `path`, and was made from
    /// the rules in force.
    pub(crate) fn all_hulls_hold(&self, right: Right, path: &[u8], generation: u64) -> bool {
        let moves = self.moves();
        let members = self.read();
        let mut last: Option<&Arc<Hull>> = None;
        for member in members.iter().filter(|member| member.guard.strong_count() > 0) {
            if member.generation != generation {
                return false;
            }
            // Most commands share one hull: it is asked once.
            if last.is_some_and(|last| Arc::ptr_eq(last, &member.hull)) {
                continue;
            }
            if !member.hull.holds(right, path, moves) {
                return false;
            }
            last = Some(&member.hull);
        }
        last.is_some()
    }
}

impl Tasks for Members {
    fn contains(&self, tgid: i32) -> bool {
        // One that was killed is remembered for a while, and its number may be somebody else's by now.
        let read = |pid| TaskStat::read(pid).ok();
        let is_known = |pid, stat: &TaskStat| self.knows(pid, stat.started);
        let Some(mut stat) = read(tgid) else { return false };
        if self.has(tgid, &stat) {
            return true;
        }
        // A fork is seen at its first call: until then it is of those who started it.
        let mut pid = tgid;
        for _ in 0..LINEAGE {
            let parent = stat.ppid;
            let Some(above) = read(parent).filter(|above| above.started <= stat.started) else {
                return false;
            };
            if !is_inside(pid) {
                return false;
            }
            if is_known(parent, &above) {
                return true;
            }
            (pid, stat) = (parent, above);
        }
        false
    }
}
