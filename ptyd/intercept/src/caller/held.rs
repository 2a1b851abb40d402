//! Tasks that stay on one processor for a moment.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

use crate::coarse;

/// For how many milliseconds a serving thread stays where it is while one task alone calls: to go there and back costs
/// as much as a third of a call.
const STAY: u64 = 4;

thread_local! {
    static OWN: RefCell<Own> = RefCell::default();
}

/// This thread, between calls.
#[derive(Default)]
struct Own {
    /// Whether one task alone calls.
    may_stay: bool,
    /// Since when it stays.
    stays: Option<(Held, u64)>,
}

/// A call was received; `alone`: its caller is the only one for a while.
pub fn call_received(alone: bool) {
    OWN.with_borrow_mut(|own| {
        own.may_stay = alone;
        let over = |(_, since): &mut (Held, u64)| !alone || coarse::now().saturating_sub(*since) >= STAY;
        own.stays.take_if(over);
    });
}

/// This thread may run wherever it could: it will wait for something else than calls.
pub fn release() {
    OWN.with_borrow_mut(|own| *own = Own::default());
}

/// A thread to be started from a serving one, whose place it would inherit else.
pub fn thread(name: &str) -> std::thread::Builder {
    release();
    std::thread::Builder::new().name(name.into())
}

/// A caller that stays where it is beyond its answer, until whoever gave that says so or it is seen again: what answered it
/// may have lost its processor to it in between.
#[derive(Debug, Default)]
pub struct Stay(Mutex<Option<Held>>);

impl Stay {
    /// Confines task `tid` to this processor, if it may run here.
    pub fn begin(&self, tid: i32) {
        self.set(|| Held::one(tid));
    }

    /// It may run wherever it could before, when this returns.
    pub fn end(&self) {
        self.set(|| None);
    }

    fn set(&self, held: impl FnOnce() -> Option<Held>) {
        // Under the lock, so that nobody takes for over what somebody else is about to end.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = held();
    }
}

/// A task that is confined to a processor until this is dropped; none: this thread.
#[derive(Debug)]
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

    /// Confines task `tid` and this thread to this processor, if both may run here and this thread not here alone. This
    /// thread may stay beyond that ([`call_received`]).
    pub fn both(tid: i32) -> Option<(Held, Option<Held>)> {
        OWN.with_borrow_mut(|own| {
            if own.stays.is_some() {
                return Some((Held::one(tid)?, None));
            }
            let ours = sched_getaffinity(None).ok().filter(|ours| ours.count() > 1)?;
            // This thread first: the other is held where it is.
            let here = Held::at(sched_getcpu(), None, ours)?;
            let task = Held::one(tid)?;
            let here = match own.may_stay {
                true => {
                    own.stays = Some((here, coarse::now()));
                    None
                }
                false => Some(here),
            };
            Some((task, here))
        })
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use rustix::thread::gettid;

    use super::*;

    fn processors() -> u32 {
        sched_getaffinity(None).map_or(0, |allowed| allowed.count())
    }

    /// With a task that waits, its number, and how many processors it may run on; where there are several.
    fn beside(act: impl FnOnce(i32, &dyn Fn() -> u32, u32)) {
        let all = processors();
        if all < 2 {
            return;
        }
        let (sender, other) = channel();
        let (end, ended) = channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _ = sender.send(gettid().as_raw_nonzero().get());
                let _ = ended.recv();
            });
            let tid = other.recv().unwrap_or_default();
            act(
                tid,
                &|| sched_getaffinity(Pid::from_raw(tid)).map_or(0, |allowed| allowed.count()),
                all,
            );
            drop(end);
        });
    }

    #[test]
    fn a_caller_is_free_once_its_stay_has_ended() {
        beside(|tid, of_task, all| {
            let stay = Stay::default();
            for _ in 0..3 {
                stay.begin(tid);
                assert_eq!(of_task(), 1);
                stay.end();
                assert_eq!(of_task(), all);
            }
            stay.end();
        });
    }

    #[test]
    fn a_thread_stays_only_while_one_task_alone_calls() {
        beside(|tid, of_task, all| {
            let hand_over = || {
                let held = Held::both(tid);
                assert_eq!((held.is_some(), processors(), of_task()), (true, 1, 1));
                drop(held);
                assert_eq!(of_task(), all, "the task is free at once");
            };
            call_received(false);
            hand_over();
            assert_eq!(processors(), all);
            call_received(true);
            hand_over();
            assert_eq!(processors(), 1);
            hand_over();
            call_received(false);
            assert_eq!(processors(), all, "somebody else calls");
            call_received(true);
            hand_over();
            std::thread::sleep(Duration::from_millis(4 * STAY));
            call_received(true);
            assert_eq!(processors(), all, "for a while");
            hand_over();
            release();
            assert_eq!(processors(), all, "it waits");
            hand_over();
            assert_eq!(processors(), all, "nobody has called since");
            call_received(true);
            hand_over();
            let started = thread("elsewhere").spawn(processors).map(std::thread::JoinHandle::join);
            assert!(matches!(started, Ok(Ok(inherited)) if inherited == all), "{started:?}");
        });
    }
}
