//! What stands before every handler of a command: who calls, and is it what was judged?

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::expectation::Expectation;
use super::instead::Errands;
use super::layout::StackLimits;
use super::request::Judge;
use super::settle;
use crate::caller::{Caller, Process};
use crate::handler::Handler;
use crate::locate::Locator;
use crate::outcome::Outcome;
use crate::process::{Common, Fork, Known, Observer, Table, TaskStat};
use crate::sockets::Sockets;

/// Where threads have their storage is told to the kernel by every start of a program, and by nothing else.
#[cfg(target_arch = "x86_64")]
const FIRST_CALL: i64 = libc::SYS_arch_prctl;
/// Here a register holds it; the C libraries announce their first thread.
#[cfg(not(target_arch = "x86_64"))]
const FIRST_CALL: i64 = libc::SYS_set_tid_address;

#[cfg(target_arch = "x86_64")]
const FORKS: &[i64] = &[libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const FORKS: &[i64] = &[];

/// Pending processes from which on the dead among them are looked for.
const FORGOTTEN: usize = 64;

/// Judges the execs of one command and knows its processes.
pub struct Guard {
    pub(super) locator: Arc<Locator>,
    pub(super) judge: Arc<dyn Judge>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) table: Table,
    pub(super) errands: Errands,
    pub(super) stack_limits: StackLimits,
    pending: Mutex<HashMap<i32, Vec<Expectation>>>,
    /// How many processes have something pending: in the common case none, and nobody looks.
    count: AtomicUsize,
    common: Arc<Common>,
    /// Whether no call is answered any more.
    held: AtomicBool,
}

impl Guard {
    /// A guard for the command whose first process is `root`.
    pub fn new(root: i32, locator: Arc<Locator>, judge: Arc<dyn Judge>, observer: Arc<dyn Observer>) -> Arc<Self> {
        let common = Common::of(root, &locator);
        Arc::new(Guard {
            locator,
            judge,
            observer,
            table: Table::new(root),
            errands: Errands::default(),
            stack_limits: StackLimits::default(),
            pending: Mutex::default(),
            count: AtomicUsize::new(0),
            common,
            held: AtomicBool::new(false),
        })
    }

    /// The calls that it answers itself and that must always be notified: exec and the end; what changes
    /// what all processes have in common, or where a thread works; and what every C library and most language
    /// runtimes call once, before anything else of the program, so that a program which is not what was judged is
    /// killed before its first line.
    pub const CALLS: [i64; 8] = [
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_exit_group,
        libc::SYS_chroot,
        libc::SYS_setgroups,
        libc::SYS_chdir,
        libc::SYS_fchdir,
        FIRST_CALL,
    ];

    /// Those that make a process and nothing else, and [`SYS_clone`](libc::SYS_clone) where this register has no bit of
    /// this mask: where no call is answered any more no process can be made either.
    pub const FORKS: &'static [i64] = FORKS;
    pub const CLONE_THREAD: (u32, u64) = (0, libc::CLONE_THREAD as u64);

    /// The processes of the command that were seen, ascending, each with its start ([`TaskStat::started`]); some may
    /// have died by a signal since.
    pub fn processes(&self) -> Vec<(i32, u64)> {
        self.table.processes()
    }

    /// Whether process `tgid` was seen to belong to the command.
    pub fn contains(&self, tgid: i32) -> bool {
        self.table.contains(tgid)
    }

    /// Whether process `tgid` that was started then (`proc_pid_stat(5)`) was seen to belong to the command.
    pub fn knows(&self, tgid: i32, started: u64) -> bool {
        self.table.get(tgid).is_some_and(|known| known.started == started)
    }

    /// From now on no call is answered: its callers wait until they are killed. Nobody ends then by itself, so that
    /// whoever kills them finds their children below them.
    pub fn hold(&self) {
        self.held.store(true, Ordering::Release);
    }

    /// The caller's process.
    pub(crate) fn process_of(&self, caller: &Caller<'_>) -> Result<i32, Errno> {
        Ok(self.table.identify(caller)?.known.tgid)
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<i32, Vec<Expectation>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who calls, if it is what was judged; and the stamp of where it works, if somebody can tell.
    pub(super) fn admit(&self, caller: &Caller<'_>) -> Result<(Known, Option<u64>), Outcome> {
        let identified = match self.table.identify(caller) {
            Ok(identified) => identified,
            Err(Errno::SRCH) => return Err(Outcome::Answered),
            Err(errno) => return Err(Outcome::Errno(errno)),
        };
        for known in &identified.new {
            self.inherit(known);
            if known.lineage && known.execs == 0 && self.table.is_root(known.tgid) {
                continue;
            }
            let Known {
                tgid,
                ppid,
                started,
                image,
                ..
            } = *known;
            self.observer.forked(Fork {
                tgid,
                ppid,
                started,
                image,
            });
        }
        let known = identified.known;
        if self.count.load(Ordering::Acquire) > 0 && self.expectations(known.tgid).is_some() {
            self.settle(caller, &known)?;
            return Ok((self.table.get(known.tgid).unwrap_or(known), None));
        }
        if identified.new.iter().any(|new| new.tgid == known.tgid && !new.lineage) {
            self.admit_orphan(caller, &known)?;
        }
        let place = identified.place.filter(|_| self.common.each_has_its_folder());
        Ok((known, place))
    }

    /// A child that is seen before its parent's exec is settled may be a child of either image.
    fn inherit(&self, known: &Known) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut pending = self.pending();
        if let Some(of_parent) = pending.get(&known.ppid).cloned() {
            let inherited = of_parent.into_iter().map(|one| one.of_child(known.started));
            pending.insert(known.tgid, inherited.collect());
            self.count.store(pending.len(), Ordering::Release);
        }
    }

    pub(super) fn expectations(&self, tgid: i32) -> Option<Vec<Expectation>> {
        self.pending().get(&tgid).cloned()
    }

    pub(super) fn expect(&self, tgid: i32, expectation: Expectation) {
        let mut pending = self.pending();
        if pending.len() > FORGOTTEN {
            // Those who died by a signal in their exec.
            pending.retain(|tgid, _| TaskStat::read(*tgid).is_ok());
        }
        pending.entry(tgid).or_default().push(expectation);
        self.count.store(pending.len(), Ordering::Release);
    }

    /// Takes all that is expected of `tgid`; none if somebody else has.
    pub(super) fn take(&self, tgid: i32) -> Option<Vec<Expectation>> {
        let mut pending = self.pending();
        let taken = pending.remove(&tgid);
        self.count.store(pending.len(), Ordering::Release);
        taken
    }

    /// Drops what `keep` does not keep.
    pub(super) fn retain(&self, tgid: i32, keep: impl FnMut(&Expectation) -> bool) {
        let mut pending = self.pending();
        if let Some(expectations) = pending.get_mut(&tgid) {
            expectations.retain(keep);
            if expectations.is_empty() {
                pending.remove(&tgid);
            }
        }
        self.count.store(pending.len(), Ordering::Release);
    }

    fn exit(&self, caller: &Caller<'_>, known: &Known) -> Outcome {
        self.take(known.tgid);
        self.errands.drop(known.tgid);
        self.stack_limits.take(known.tgid);
        self.observer.exited(known.tgid, caller.arg(0) as u8);
        self.table.ended(known.tgid);
        Outcome::Continue
    }
}

/// A guard before the handlers of all other calls.
pub struct Guarded {
    guard: Arc<Guard>,
    inner: Arc<dyn Handler>,
}

impl Guarded {
    /// Lets `inner` handle what is not the guard's own, once the caller has been looked at.
    pub fn new(guard: Arc<Guard>, inner: Arc<dyn Handler>) -> Self {
        Guarded { guard, inner }
    }
}

impl Handler for Guarded {
    fn handle(&self, caller: &Caller<'_>) -> Outcome {
        let admitted = self.guard.admit(caller);
        if self.guard.held.load(Ordering::Acquire) {
            if admitted.is_err() {
                // Who cannot be known is not waited for.
                settle::kill(caller);
            }
            return Outcome::Answered;
        }
        let (known, place) = match admitted {
            Ok(admitted) => admitted,
            Err(outcome) => return outcome,
        };
        caller.is_of(Process {
            tgid: known.tgid,
            common: Arc::clone(&self.guard.common),
            place,
        });
        match caller.notification().nr {
            libc::SYS_execve | libc::SYS_execveat => {
                self.guard.table.executes(known.tgid, caller.tid());
                self.guard.execute(caller, &known)
            }
            libc::SYS_exit_group => self.guard.exit(caller, &known),
            // Whether it may is the kernel's to say; from here on every root folder is looked at,
            libc::SYS_chroot => {
                self.guard.common.root_moves();
                Outcome::Continue
            }
            // or every caller's groups.
            libc::SYS_setgroups => {
                self.guard.common.groups_change();
                Outcome::Continue
            }
            // or where this thread works.
            libc::SYS_chdir | libc::SYS_fchdir => {
                self.guard.table.moves(known.tgid, caller.tid());
                Outcome::Continue
            }
            // Who is not held may start processes; some of them matter to others.
            nr if FORKS.contains(&nr) => Outcome::Continue,
            libc::SYS_clone => {
                let flags = caller.arg(Guard::CLONE_THREAD.0 as usize);
                if flags & (libc::CLONE_FS | libc::CLONE_THREAD) as u64 == libc::CLONE_FS as u64 {
                    self.guard.common.folders_are_shared();
                }
                match Sockets::shares(caller) {
                    true => self.inner.handle(caller),
                    false => Outcome::Continue,
                }
            }
            // They change nothing but the caller's own registers and end.
            FIRST_CALL => Outcome::Continue,
            _ => self.inner.handle(caller),
        }
    }
}
