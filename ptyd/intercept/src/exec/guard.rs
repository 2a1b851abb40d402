//! What stands before every handler of a command: who calls, and is it what was judged?

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use rustix::io::Errno;

use super::expectation::{Before, Expectation, Image};
use super::instead::Errands;
use super::layout::StackLimits;
use super::request::Judge;
use super::settle;
use crate::caller::{Caller, Process};
use crate::handler::Handler;
use crate::locate::Locator;
use crate::outcome::Outcome;
use crate::process::{Beginning, Common, Fork, Known, Observer, Table, TaskStat, layouts_differ};
use crate::signals::{Reach, Signals};
use crate::sockets::Sockets;

/// Where threads have their storage is told to the kernel by every start of a program, and by nothing else.
#[cfg(target_arch = "x86_64")]
const FIRST_CALL: i64 = libc::SYS_arch_prctl;
/// Here a register holds it; the C libraries announce their first thread.
#[cfg(not(target_arch = "x86_64"))]
const FIRST_CALL: i64 = libc::SYS_set_tid_address;

/// Calls that are judged by who makes them, or after which somebody is compared with what was judged: whoever had the
/// caller's number a moment ago does not count.
fn in_person(nr: i64) -> bool {
    [libc::SYS_execve, libc::SYS_execveat, libc::SYS_fcntl, libc::SYS_ioctl].contains(&nr)
        || Signals::CALLS.contains(&nr)
        || Reach::BY_FIRST.contains(&nr)
        || Reach::BY_KIND.contains(&nr)
}

/// Pending processes from which on the dead among them are looked for.
const FORGOTTEN: usize = 64;

/// What is expected of processes.
type Pending = HashMap<i32, Vec<Arc<Expectation>>, RandomState>;

/// Judges the execs of one command and knows its processes.
pub struct Guard {
    pub(super) locator: Arc<Locator>,
    pub(super) judge: Arc<dyn Judge>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) table: Table,
    pub(super) errands: Errands,
    pub(super) stack_limits: StackLimits,
    pending: Mutex<Pending>,
    /// How many processes have something pending: in the common case none, and nobody looks.
    count: AtomicUsize,
    pub(super) common: Arc<Common>,
    /// Whether no call is answered any more.
    held: AtomicBool,
}

impl Guard {
    /// A guard for the command that begins so.
    pub fn new(
        beginning: &Beginning,
        locator: Arc<Locator>,
        judge: Arc<dyn Judge>,
        observer: Arc<dyn Observer>,
    ) -> Arc<Self> {
        let common = Common::of(beginning, &locator);
        Arc::new(Guard {
            locator,
            judge,
            observer,
            table: Table::new(beginning.pid),
            errands: Errands::default(),
            stack_limits: StackLimits::default(),
            pending: Mutex::default(),
            count: AtomicUsize::new(0),
            common,
            held: AtomicBool::new(false),
        })
    }

    /// The calls that it answers itself and that must always be notified: exec and the end; what changes
    /// what all processes have in common, or where a thread works, or whether addresses are random; and what every
    /// C library and most language runtimes call once, before anything else of the program, so that a program which is
    /// not what was judged is killed before its first line.
    pub const CALLS: [i64; 9] = [
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_exit_group,
        libc::SYS_chroot,
        libc::SYS_setgroups,
        libc::SYS_chdir,
        libc::SYS_fchdir,
        libc::SYS_personality,
        FIRST_CALL,
    ];

    /// A [`SYS_clone`](libc::SYS_clone) that shares folders with what is not a thread, or makes a sibling, matters:
    /// argument, mask, value. Plain forks are never notified: a signal that comes before the supervisor has looked ends
    /// a notified call with `EINTR`, which fork(2) knows nothing of and programs do not expect (`signal(7)`).
    pub const CLONE_MATTERS: [(u32, u64, u64); 2] = [
        (0, (libc::CLONE_FS | libc::CLONE_THREAD) as u64, libc::CLONE_FS as u64),
        (
            0,
            libc::CLONE_PARENT as u64 | libc::CLONE_THREAD as u64,
            libc::CLONE_PARENT as u64,
        ),
    ];

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

    /// Whether task `tid`, which looks like this, runs an image that a process of the command has executed, and so descends
    /// from it. False where addresses are not random.
    pub fn executed(&self, tid: i32, stat: &TaskStat) -> bool {
        self.table.has_executed(stat.layout) && layouts_differ(tid)
    }

    /// From now on no call is answered: its callers wait until they are killed. Nobody ends then by itself, so that
    /// whoever kills them finds their children below them.
    pub fn hold(&self) {
        self.held.store(true, Ordering::Release);
    }

    /// What finds objects for its callers.
    pub(crate) fn locator(&self) -> &Locator {
        &self.locator
    }

    /// The caller's process.
    pub(crate) fn process_of(&self, caller: &Caller<'_>) -> Result<i32, Errno> {
        Ok(self.table.identify(caller)?.known.tgid)
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who calls, if it is what was judged; and the stamp of where it works, if somebody can tell.
    pub(super) fn admit(&self, caller: &Caller<'_>) -> Result<(Known, Option<u64>), Outcome> {
        let identified = match in_person(caller.notification().nr) {
            true => self.table.identify_anew(caller),
            false => self.table.identify(caller),
        };
        let identified = match identified {
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
        if self.count.load(Ordering::Acquire) > 0 && self.pending().contains_key(&known.tgid) {
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
            let inherited = of_parent
                .iter()
                .map(|one| Arc::new(Expectation::clone(one).of_child(known.started)));
            pending.insert(known.tgid, inherited.collect());
            self.count.store(pending.len(), Ordering::Release);
        }
    }

    pub(super) fn expectations(&self, tgid: i32) -> Option<Vec<Arc<Expectation>>> {
        self.pending().get(&tgid).cloned()
    }

    pub(super) fn expect(&self, tgid: i32, expectation: Expectation) {
        let mut pending = self.pending();
        if pending.len() > FORGOTTEN {
            // Those who died by a signal in their exec.
            pending.retain(|tgid, _| TaskStat::read(*tgid).is_ok());
        }
        pending.entry(tgid).or_default().push(Arc::new(expectation));
        self.count.store(pending.len(), Ordering::Release);
    }

    /// Takes all that is expected of `tgid`; none if somebody else has.
    pub(super) fn take(&self, tgid: i32) -> Option<Vec<Arc<Expectation>>> {
        let mut pending = self.pending();
        let taken = pending.remove(&tgid);
        self.count.store(pending.len(), Ordering::Release);
        taken
    }

    /// Drops what `keep` does not keep.
    pub(super) fn retain(&self, tgid: i32, mut keep: impl FnMut(&Expectation) -> bool) {
        let mut pending = self.pending();
        if let Some(expectations) = pending.get_mut(&tgid) {
            expectations.retain(|one| keep(one));
            if expectations.is_empty() {
                pending.remove(&tgid);
            }
        }
        self.count.store(pending.len(), Ordering::Release);
    }

    /// What the caller's process is before it executes something.
    pub(super) fn before(&self, caller: &Caller<'_>, known: &Known) -> Result<Before, Errno> {
        let stat = caller.stat(known.tgid, known.single)?;
        let tells = || stat.layout != [0; 6] && known.execs > 0 && self.common.layouts.differ(caller.tid());
        match known.image {
            Some(file) if stat.threads == 1 && self.expectations(known.tgid).is_none() && tells() => Ok(Before {
                file,
                stat,
                cmdline: None,
            }),
            _ => Image::of(caller, known).map(Before::from),
        }
    }

    fn exit(&self, caller: &Caller<'_>, known: &Known) -> Outcome {
        let tgid = match known.tgid == caller.tid() {
            true => known.tgid,
            // Its number may have been a thread's of somebody else a moment ago.
            false => match caller.tgid() {
                Ok(tgid) => tgid,
                Err(_) => return Outcome::Answered,
            },
        };
        // An exec of another of its threads may win over this end, and then what runs is still to be compared.
        self.retain(tgid, |one| !one.inherited && one.tid != caller.tid());
        self.observer.exited(tgid, caller.arg(0) as u8);
        if self.expectations(tgid).is_none() {
            self.errands.drop(tgid);
            self.stack_limits.take(tgid);
            self.table.ended(tgid);
        }
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
            call @ (libc::SYS_chdir | libc::SYS_fchdir) => {
                self.guard.table.moves(known.tgid, caller.tid());
                match call {
                    // A descriptor is what it is.
                    libc::SYS_fchdir => Outcome::Continue,
                    _ => self.guard.judge.enters(caller),
                }
            }
            // or what two images have in common.
            libc::SYS_personality => {
                self.guard.common.layouts.pretends(caller.arg_u32(0));
                Outcome::Continue
            }
            libc::SYS_clone => {
                let (argument, mask, shares) = Guard::CLONE_MATTERS[0];
                if caller.arg(argument as usize) & mask == shares {
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
