//! The processes of one command that were seen.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use rustix::io::Errno;

use super::images::Images;
use super::parents::{Parent, Parents};
use super::{FileId, TaskStat, is_inside};
use crate::caller::Caller;
use crate::coarse;
use crate::exec::Above;

/// After so many milliseconds a thread id is looked at again: it may have been reused.
const TRUST: u64 = 2_000;

/// How far up the tree a known ancestor is looked for.
const MAX_ANCESTORS: usize = 64;

/// Entries from which on those of dead processes are looked for and dropped.
const PRUNE: usize = 1024;

/// What is known of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub tgid: i32,
    pub ppid: i32,
    /// Start time, `proc_pid_stat(5)`.
    pub started: u64,
    /// Programs executed from the command's start to here.
    pub execs: u32,
    /// What it executes, as far as it was judged.
    pub image: Option<FileId>,
    /// What was put in the place of programs on the way to here.
    pub above: Above,
    /// Whether its line of ancestors led to a known process.
    pub lineage: bool,
    /// Whether it had one thread when it was looked at last.
    pub single: bool,
    /// Which of its threads called `chdir(2)` or `fchdir(2)`.
    movers: Movers,
}

/// Which threads of a process changed its working directory, which they may share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Movers {
    None,
    One(i32),
    /// Or a thread went on as the process's first by an exec.
    Several,
}

/// A calling thread's process.
#[derive(Debug, Clone, Copy)]
struct Thread {
    tgid: i32,
    /// When that was looked at ([`coarse::now`]).
    looked: u64,
    /// Another number whenever it is somebody else, or is about to work in another folder.
    stamp: u64,
}

/// All processes of one command.
pub(crate) struct Table {
    root: i32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    processes: HashMap<i32, Known, RandomState>,
    threads: HashMap<i32, Thread, RandomState>,
    /// How deep each program ran at most, also by processes that have ended.
    deepest: HashMap<FileId, u32, RandomState>,
    images: Images,
    parents: Parents,
}

/// Programs whose depth is remembered; beyond it, an orphan of any other counts as the deepest of all.
const REMEMBERED: usize = 4096;

/// A number that no call before had.
fn next_stamp() -> u64 {
    static STAMPS: AtomicU64 = AtomicU64::new(0);
    STAMPS.fetch_add(1, Ordering::Relaxed)
}

/// A process, and the ones that were seen for the first time on the way to it, ancestors first.
pub(crate) struct Identified {
    pub known: Known,
    pub new: Vec<Known>,
    /// While it stays the same the thread works in the same folder; none: nobody can tell.
    pub place: Option<u64>,
}

impl Table {
    /// A table whose first process is `root`, the command's own.
    pub fn new(root: i32) -> Self {
        Table {
            root,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller's process, as far as its number tells: it may have been somebody else's a moment ago.
    ///
    /// # Errors
    /// As [`Table::identify_anew`].
    pub fn identify(&self, caller: &Caller<'_>) -> Result<Identified, Errno> {
        match self.trusted(caller.tid()) {
            Some((known, place)) => Ok(Identified {
                known,
                new: Vec::new(),
                place,
            }),
            None => self.identify_anew(caller),
        }
    }

    /// The caller's process.
    ///
    /// # Errors
    /// `ESRCH` if the caller is gone, `EACCES` if it cannot be read.
    pub fn identify_anew(&self, caller: &Caller<'_>) -> Result<Identified, Errno> {
        let tid = caller.tid();
        let tgid = caller.tgid()?;
        let stat = caller.stat(tgid, self.is_single(tgid))?;
        if !caller.still_valid() {
            return Err(Errno::SRCH);
        }
        let identified = self.place(tgid, &stat);
        let mut state = self.state();
        if let Some(known) = state.processes.get_mut(&tgid) {
            known.single = stat.threads == 1;
        }
        let stamp = next_stamp();
        let looked = coarse::now();
        state.threads.insert(tid, Thread { tgid, looked, stamp });
        // A process whose first thread had been another's: after an exec that thread is who calls.
        if state.threads.get(&tgid).is_some_and(|thread| thread.tgid != tgid) {
            state.threads.remove(&tgid);
        }
        state.prune();
        Ok(Identified {
            place: identified.known.place_of(tid, stamp),
            ..identified
        })
    }

    fn trusted(&self, tid: i32) -> Option<(Known, Option<u64>)> {
        let state = self.state();
        let thread = state.threads.get(&tid)?;
        let known = state.processes.get(&thread.tgid)?;
        let trusted = coarse::now().saturating_sub(thread.looked) < TRUST;
        trusted.then(|| (*known, known.place_of(tid, thread.stamp)))
    }

    /// Thread `tid` of process `tgid` is about to work in another folder: what its other threads have in common with
    /// it changes a moment after this, so that from now on nobody can tell where they are.
    pub fn moves(&self, tgid: i32, tid: i32) {
        let mut state = self.state();
        let stamp = next_stamp();
        if let Some(thread) = state.threads.get_mut(&tid) {
            thread.stamp = stamp;
        }
        if let Some(known) = state.processes.get_mut(&tgid) {
            known.movers = match known.movers {
                Movers::None => Movers::One(tid),
                Movers::One(other) if other == tid => Movers::One(tid),
                _ => Movers::Several,
            };
        }
    }

    /// Thread `tid` of process `tgid` is about to execute a program: it becomes the first of its threads, and
    /// where that one worked says nothing of it.
    pub fn executes(&self, tgid: i32, tid: i32) {
        if tgid != tid
            && let Some(known) = self.state().processes.get_mut(&tgid)
        {
            known.movers = Movers::Several;
        }
    }

    /// Finds or makes the entry of process `tgid`, and those of its unseen ancestors.
    fn place(&self, tgid: i32, stat: &TaskStat) -> Identified {
        if let Some(known) = self.same(tgid, stat) {
            return Identified::of(known, Vec::new());
        }
        // Up to somebody known; each step is another read of procfs, without the lock.
        let mut line = vec![(tgid, *stat)];
        let mut ancestor = None;
        while tgid != self.root && line.len() < MAX_ANCESTORS {
            let parent = line.last().map_or(0, |(_, stat)| stat.ppid);
            if let Some(known) = self.living(parent) {
                ancestor = Some(known);
                break;
            }
            let pidfd = self.is_parent(parent).then(|| Parent::open(parent)).flatten();
            let read = || TaskStat::of_process(parent, self.is_single(parent)).ok();
            let Some(stat) = (parent > 1).then(read).flatten() else {
                break;
            };
            if let Some(known) = self.same(parent, &stat) {
                self.state().parents.add(parent, known.started, pidfd);
                ancestor = Some(known);
                break;
            }
            if parent != self.root && !is_inside(parent) {
                break;
            }
            line.push((parent, stat));
            if parent == self.root {
                break;
            }
        }
        let reached_root = line.last().is_some_and(|(last, _)| *last == self.root);
        if ancestor.is_none() && !reached_root {
            // Nobody known above: an orphan. Those above it are not the command's.
            line.truncate(1);
        }
        let mut state = self.state();
        let mut new: Vec<Known> = Vec::with_capacity(line.len());
        for (ancestor_tgid, stat) in line.into_iter().skip(1).rev() {
            let known = state.add(ancestor_tgid, &stat, new.last().copied().or(ancestor), self.root);
            new.push(known);
        }
        let known = state.add(tgid, stat, new.last().copied().or(ancestor), self.root);
        new.push(known);
        Identified::of(known, new)
    }

    fn same(&self, tgid: i32, stat: &TaskStat) -> Option<Known> {
        self.state()
            .processes
            .get(&tgid)
            .copied()
            .filter(|known| known.started == stat.started)
    }

    /// Process `parent`, if it is one that is known to be still the same.
    fn living(&self, parent: i32) -> Option<Known> {
        let state = self.state();
        let known = state.processes.get(&parent)?;
        state.parents.lives(parent, known.started).then_some(*known)
    }

    fn is_parent(&self, tgid: i32) -> bool {
        self.state().parents.has(tgid)
    }

    /// Whether `image` was judged for some living process of the command.
    pub fn has_judged(&self, image: FileId) -> bool {
        self.state()
            .processes
            .values()
            .any(|known| known.lineage && known.image == Some(image))
    }

    /// Whether `tgid` is the command's own process.
    pub fn is_root(&self, tgid: i32) -> bool {
        self.root == tgid
    }

    /// Notes that `tgid` is about to execute `target` instead of what it asked for.
    pub fn redirected(&self, tgid: i32, target: Option<FileId>) {
        if let Some(known) = self.state().processes.get_mut(&tgid) {
            let redirects = known.above.redirects.saturating_add(1);
            known.above = Above { target, redirects };
        }
    }

    /// Notes that `tgid` executed a program; `counts`: one more on the way from the command's start.
    pub fn executed(&self, tgid: i32, (image, layout): (FileId, [u64; 6]), counts: bool) {
        let mut state = self.state();
        state.images.add(layout);
        // Its other threads are gone.
        state.threads.retain(|tid, thread| thread.tgid != tgid || *tid == tgid);
        if let Some(known) = state.processes.get_mut(&tgid) {
            known.execs = known.execs.saturating_add(u32::from(counts));
            known.image = Some(image);
            known.single = true;
            let execs = known.execs;
            state.ran(image, execs);
        }
    }

    /// Whether a process of the command has executed an image with this layout.
    pub fn has_executed(&self, layout: [u64; 6]) -> bool {
        self.state().images.contain(layout)
    }

    /// Forgets `tgid`, which ends.
    pub fn ended(&self, tgid: i32) {
        let mut state = self.state();
        state.processes.remove(&tgid);
        state.parents.remove(tgid);
        state.threads.retain(|_, thread| thread.tgid != tgid);
    }

    /// The processes that are known, ascending, and when they were started; some may have died by a signal since.
    pub fn processes(&self) -> Vec<(i32, u64)> {
        let state = self.state();
        let mut processes: Vec<_> = state
            .processes
            .values()
            .map(|known| (known.tgid, known.started))
            .collect();
        processes.sort_unstable();
        processes
    }

    /// Whether process `tgid` has one thread, as far as that is known.
    fn is_single(&self, tgid: i32) -> bool {
        self.get(tgid).is_none_or(|known| known.single)
    }

    /// What is known of `tgid`.
    pub fn get(&self, tgid: i32) -> Option<Known> {
        self.state().processes.get(&tgid).copied()
    }

    /// Whether `tgid` is known.
    pub fn contains(&self, tgid: i32) -> bool {
        self.state().processes.contains_key(&tgid)
    }
}

impl Known {
    /// The stamp of its thread `tid`, if nobody else can have moved it since.
    fn place_of(&self, tid: i32, stamp: u64) -> Option<u64> {
        match self.movers {
            Movers::None => Some(stamp),
            Movers::One(mover) if mover == tid => Some(stamp),
            _ => None,
        }
    }
}

impl Identified {
    fn of(known: Known, new: Vec<Known>) -> Self {
        Identified {
            known,
            new,
            place: None,
        }
    }
}

impl State {
    /// Makes the entry of a process below `above`.
    fn add(&mut self, tgid: i32, stat: &TaskStat, above: Option<Known>, root: i32) -> Known {
        let image = above.and_then(|above| above.image).or_else(|| FileId::image(tgid).ok());
        let execs = match above {
            Some(above) => above.execs,
            None if tgid == root => 0,
            None => self.execs_of_image(image),
        };
        let known = Known {
            tgid,
            ppid: stat.ppid,
            started: stat.started,
            execs,
            image,
            above: above.map(|above| above.above).unwrap_or_default(),
            lineage: above.is_some() || tgid == root,
            single: stat.threads == 1,
            movers: Movers::None,
        };
        self.processes.insert(tgid, known);
        known
    }

    /// A program ran at this depth.
    fn ran(&mut self, image: FileId, execs: u32) {
        if self.deepest.len() < REMEMBERED || self.deepest.contains_key(&image) {
            let deepest = self.deepest.entry(image).or_default();
            *deepest = execs.max(*deepest);
        }
    }

    /// Depth of an orphan, whose parents are gone: the greatest at which its program ran, else one.
    fn execs_of_image(&self, image: Option<FileId>) -> u32 {
        let known = image.and_then(|image| self.deepest.get(&image)).copied();
        let of_any = || {
            self.deepest
                .values()
                .copied()
                .max()
                .filter(|_| self.deepest.len() >= REMEMBERED)
        };
        known.or_else(of_any).unwrap_or(1)
    }

    fn prune(&mut self) {
        if self.threads.len() > PRUNE && self.threads.len().is_power_of_two() {
            self.threads
                .retain(|tid, _| std::path::Path::new(&format!("/proc/{tid}")).exists());
        }
        if self.processes.len() > PRUNE && self.processes.len().is_power_of_two() {
            self.processes
                .retain(|_, known| TaskStat::read(known.tgid).is_ok_and(|stat| stat.started == known.started));
        }
    }
}
