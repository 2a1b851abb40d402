//! Where a caller is to go on: on the serving thread's processor, or on another.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use super::processors;
use crate::coarse;
use crate::process::procfs::Stat;
use crate::sys::listener;

/// Whether several callers take turns; as long as one alone calls, nothing of another needs to be asked.
pub(super) struct Turns {
    streak: u32,
    preempted: i64,
    /// Where this thread was at the call before.
    here: usize,
    /// Who called last, and before.
    recent: [Turn; RECENT],
    /// When it was looked last whether two share a processor.
    looked: Instant,
    /// Since when the last few calls came, how many did, and whether they came fast.
    since: Instant,
    calls: u32,
    fast: bool,
}

#[derive(Clone, Copy, Default)]
struct Turn {
    tid: i32,
    processor: usize,
    /// By [`coarse::now`].
    at: u64,
}

/// How many callers are remembered.
const RECENT: usize = 8;

/// For how many milliseconds somebody who called counts as one who calls.
const CALLS: u64 = 4;

/// How often it is looked at most whether two share a processor: that costs as much as a call.
const LOOK: Duration = Duration::from_micros(500);

/// Over how many calls it is seen how fast they come.
const COUNTED: u32 = 16;

/// Calls that come faster are what all wait for: what another processor would do beside this thread is less than it takes
/// to wake it up.
const FAST: Duration = Duration::from_micros(30);

impl Turns {
    /// Calls in a row after which a caller counts as alone.
    const ALONE: u32 = 32;

    pub(super) fn new() -> Turns {
        Turns {
            streak: Turns::ALONE,
            preempted: 0,
            here: 0,
            recent: [Turn::default(); RECENT],
            looked: Instant::now(),
            since: Instant::now(),
            calls: 0,
            fast: false,
        }
    }

    /// Whether the same task has called for a while, and nobody else.
    pub(super) fn alone(&self) -> bool {
        self.streak >= Turns::ALONE
    }

    /// Whether the next call comes from another processor: its caller was already waiting while this thread was at
    /// work here, and had not taken this processor from it to do so.
    pub(super) fn next_is_elsewhere(&mut self, listener: BorrowedFd<'_>) -> bool {
        !self.alone() && listener::pending(listener) && !self.was_preempted()
    }

    /// Whether this thread lost its processor since it was asked last: the caller that it woke there may have run at
    /// once (`getrusage(2)`, `ru_nivcsw`).
    fn was_preempted(&mut self) -> bool {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_THREAD) else {
            return false;
        };
        let before = std::mem::replace(&mut self.preempted, usage.involuntary_context_switches());
        before != self.preempted
    }

    /// Task `tid` has made a call, from another processor or this one. The processor on which it is to go on, if that is not
    /// this one: where it was; or an idle one, if it shares this one with another that calls as well. The kernel would
    /// leave both here for a while, for whoever calls is woken where it is answered.
    ///
    /// `goes_on`: the call is one that is answered at once, most times. Of all others this thread is what takes the time.
    pub(super) fn took(&mut self, tid: i32, goes_on: bool, elsewhere: bool) -> Option<usize> {
        self.streak = match self.recent[0].tid == tid {
            true => self.streak.saturating_add(1),
            false => 0,
        };
        if self.alone() {
            return None;
        }
        let here = rustix::thread::sched_getcpu();
        let moved = std::mem::replace(&mut self.here, here) != here;
        let place = self.recent.iter().position(|turn| turn.tid == tid);
        // Whoever calls wakes this thread where it is itself, unless this thread has not quite left the queue of its own
        // processor.
        let strange = !moved && place.is_some_and(|place| self.recent[place].processor != here);
        let home = match elsewhere || strange {
            _ if self.come_fast() || !goes_on => None,
            true => processors::of(tid).filter(|processor| *processor != here),
            false => self.idle(tid, here),
        };
        self.recent[..=place.unwrap_or(RECENT - 1)].rotate_right(1);
        self.recent[0] = Turn {
            tid,
            processor: home.unwrap_or(here),
            at: coarse::now(),
        };
        home
    }

    /// Whether calls come so fast that all wait for this thread.
    fn come_fast(&mut self) -> bool {
        self.calls += 1;
        if self.calls == COUNTED {
            let now = Instant::now();
            self.fast = now - std::mem::replace(&mut self.since, now) < FAST * COUNTED;
            self.calls = 0;
        }
        self.fast
    }

    /// Another processor, if `tid` and somebody else take turns on this one.
    fn idle(&mut self, tid: i32, here: usize) -> Option<usize> {
        let [other, before, ..] = self.recent;
        let now = coarse::now();
        let alternate = before.tid == tid && [other, before].iter().all(|turn| now.saturating_sub(turn.at) <= CALLS);
        if !alternate || self.looked.elapsed() < LOOK {
            return None;
        }
        self.looked = Instant::now();
        let stat = Stat::of_task(other.tid).ok().filter(Stat::runs)?;
        (stat.processor() == Some(here))
            .then(|| processors::other(here))
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;

    use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity};

    use super::*;

    /// Keeps the calling thread on one processor of several; which one.
    fn stay() -> Option<usize> {
        let allowed = sched_getaffinity(None).ok().filter(|allowed| allowed.count() > 1)?;
        let here = (0..CpuSet::MAX_CPU).find(|number| allowed.is_set(*number))?;
        stay_on(here).then_some(here)
    }

    fn stay_on(number: usize) -> bool {
        let mut only = CpuSet::new();
        only.set(number);
        sched_setaffinity(None, &only).is_ok()
    }

    fn own() -> i32 {
        gettid().as_raw_nonzero().get()
    }

    #[test]
    fn who_shares_a_processor_with_another_caller_goes_on_elsewhere() {
        processors::prepare();
        let Some(here) = stay() else { return };
        let (sender, other) = channel();
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _ = sender.send(own());
                while !ended.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            let busy = other.recv().unwrap_or_default();
            let mut homes = Vec::new();
            // Between two calls others may have this processor for longer than anybody counts as a caller.
            let moved = (0..100).any(|_| {
                let mut turns = Turns::new();
                std::thread::sleep(LOOK);
                homes = [own(), busy, own()].map(|tid| turns.took(tid, true, false)).to_vec();
                homes[2].is_some()
            });
            ended.store(true, Ordering::Relaxed);
            assert!(
                moved && homes[..2] == [None, None] && homes[2] != Some(here),
                "{homes:?} at {here}"
            );
        });
    }

    #[test]
    fn who_takes_turns_with_somebody_who_waits_stays() {
        processors::prepare();
        if stay().is_none() {
            return;
        }
        let (sender, other) = channel();
        let (end, ended) = channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _ = sender.send(own());
                let _ = ended.recv();
            });
            let waits = other.recv().unwrap_or_default();
            let mut turns = Turns::new();
            // Until it does.
            std::thread::sleep(Duration::from_millis(20));
            let homes = [own(), waits, own()].map(|tid| turns.took(tid, true, false));
            drop(end);
            assert_eq!(homes, [None; 3]);
        });
    }

    #[test]
    fn who_was_somewhere_else_goes_back() {
        processors::prepare();
        let Some(here) = stay() else { return };
        let Some(there) = processors::other(here) else { return };
        let (sender, other) = channel();
        let (end, ended) = channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                stay_on(there);
                let _ = sender.send(own());
                let _ = ended.recv();
            });
            let far = other.recv().unwrap_or_default();
            let mut turns = Turns::new();
            assert_eq!(turns.took(far, true, false), None);
            turns.took(own(), true, false);
            assert_eq!(turns.took(far, true, true), Some(there), "it was waiting");
            assert_eq!(turns.took(own(), true, false), None);
            assert_eq!(turns.took(far, true, false), Some(there), "it woke this thread here");
            assert_eq!(turns.took(own(), true, true), None, "it is here by now");
            assert_eq!(turns.took(far, false, true), None, "its call changes something");
            drop(end);
        });
    }

    #[test]
    fn nobody_is_moved_while_calls_come_fast() {
        let mut turns = Turns::new();
        let mut round = |pause: Duration| {
            for tid in 0..COUNTED as i32 {
                turns.took(tid, true, false);
            }
            std::thread::sleep(pause);
            turns.fast
        };
        // Another program may have this processor for a while.
        assert!((0..100).any(|_| round(Duration::ZERO)));
        round(FAST * COUNTED);
        assert!(!round(Duration::ZERO));
        assert!((0..100).any(|_| round(Duration::ZERO)));
        assert_eq!(turns.took(own(), true, true), None);
    }

    #[test]
    fn nothing_is_asked_of_who_calls_alone() {
        let mut turns = Turns::new();
        let homes = (0..2 * Turns::ALONE)
            .map(|_| turns.took(1, true, false))
            .collect::<Vec<_>>();
        assert!(homes.iter().all(Option::is_none));
        assert!(turns.streak >= Turns::ALONE);
    }
}
