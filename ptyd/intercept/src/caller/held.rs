//! Tasks that stay on one processor for a moment.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// A task that is confined to a processor until this is dropped; none: this thread.
pub struct Held {
    task: Option<Pid>,
    before: CpuSet,
}

impl Held {
    fn at(cpu: usize, task: Option<Pid>, before: CpuSet) -> Option<Held> {
        if cpu >= CpuSet::MAX_CPU || !before.is_set(cpu) {
            return None;
        }
        let mut here = CpuSet::new();
        here.set(cpu);
        if before != here {
            sched_setaffinity(task, &here).ok()?;
        }
        Some(Held { task, before })
    }

    /// Confines task `tid` to this processor, if it may run here.
    pub fn one(tid: i32) -> Option<Held> {
        Held::on(sched_getcpu(), tid)
    }

    /// Confines task `tid` to a processor, if it may run there.
    pub fn on(cpu: usize, tid: i32) -> Option<Held> {
        let task = Pid::from_raw(tid)?;
        let before = sched_getaffinity(Some(task)).ok()?;
        Held::at(cpu, Some(task), before)
    }

    /// Confines task `tid` and this thread to this processor, if both may run here and this thread not here alone.
    pub fn both(tid: i32) -> Option<(Held, Held)> {
        let ours = sched_getaffinity(None).ok().filter(|ours| ours.count() > 1)?;
        // This thread first: the other is held where it is.
        let own = Held::at(sched_getcpu(), None, ours)?;
        Some((Held::one(tid)?, own))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.before.count() > 1 {
            // A task that has died needs no affinity.
            let _ = sched_setaffinity(self.task, &self.before);
        }
    }
}
