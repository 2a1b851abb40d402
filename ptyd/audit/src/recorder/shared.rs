//! What the emitting threads and the writer share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Health, RecordError};
use crate::event::EventDraft;
use crate::spool::{Spool, record};

/// When the spool holds this much, the writer does not wait for the window to pass.
pub(super) const BATCH: u64 = 256 << 10;

const GOOD: u8 = 0;
const FULL: u8 = 1;
const FAILED: u8 = 2;

/// Room that is left, while the disk is full, for what was let through and is not on record yet.
const RESERVE: u64 = 256 << 10;

/// How long an observation waits for room before it is dropped and counted: the writer keeps up with any load that lets
/// it run, so that only a stuck disk makes holes.
const OBSERVATION_PATIENCE: Duration = Duration::from_millis(20);

pub(super) struct Shared {
    pub(super) spool: Spool,
    pub(super) events_path: PathBuf,
    /// Held while a record is appended: a copy of some hundred bytes.
    producer: Mutex<Producer>,
    /// Up to where the spool's space is free again.
    drained: AtomicU64,
    /// Whether the writer sleeps without a deadline.
    idle: AtomicBool,
    requests: Mutex<Requests>,
    wake: Condvar,
    health: Mutex<Health>,
    /// How far `health` has sunk ([`GOOD`], [`FULL`], [`FAILED`]), for those who ask often.
    sunk: AtomicU8,
    /// Told on every change of `drained` and `health`.
    progress: Condvar,
}

struct Producer {
    closed: bool,
}

/// What the writer is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Requests {
    /// There are records.
    pub(super) work: bool,
    /// Do not wait for the window.
    pub(super) now: bool,
    pub(super) stop: Option<Stop>,
}

/// How the writer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The session may be opened again.
    Close,
    /// The record is complete.
    Seal,
}

impl Shared {
    pub(super) fn new(spool: Spool, events_path: PathBuf, drained: u64) -> Shared {
        Shared {
            spool,
            events_path,
            producer: Mutex::new(Producer { closed: false }),
            drained: AtomicU64::new(drained),
            idle: AtomicBool::new(false),
            requests: Mutex::default(),
            wake: Condvar::new(),
            health: Mutex::new(Health::Good),
            sunk: AtomicU8::new(GOOD),
            progress: Condvar::new(),
        }
    }

    /// Appends an encoded record; waits up to `patience` for room.
    pub(super) fn append(
        &self,
        draft: &EventDraft<'_>,
        encoded: &mut [u8],
        patience: Duration,
    ) -> Result<(), RecordError> {
        let capacity = self.spool.capacity();
        let (room, patience) = if draft.may_drop() {
            (capacity / 4 * 3, patience.min(OBSERVATION_PATIENCE))
        } else {
            (capacity, patience)
        };
        let mut deadline = None;
        loop {
            if self.try_append(encoded, room)? {
                return Ok(());
            }
            let give_up = *deadline.get_or_insert_with(|| Instant::now() + patience);
            if self.wait_for_room(encoded.len() as u64, room, give_up, draft.may_drop()) {
                continue;
            }
            if draft.may_drop() {
                self.spool.add_lost(draft.count.max(1));
                return Ok(());
            }
            return Err(RecordError::Full {
                path: self.events_path.clone(),
            });
        }
    }

    /// Appends if the spool then holds no more than `room`.
    fn try_append(&self, encoded: &mut [u8], room: u64) -> Result<bool, RecordError> {
        let producer = hold(&self.producer);
        if producer.closed {
            return Err(RecordError::Closed);
        }
        Ok(self.append_held(producer, encoded, room))
    }

    /// Appends an event of the writer's own, also after the end of all others. False if it does not fit.
    pub(super) fn append_own(&self, encoded: &mut [u8]) -> bool {
        self.append_held(hold(&self.producer), encoded, self.spool.capacity())
    }

    fn append_held(&self, producer: MutexGuard<'_, Producer>, encoded: &mut [u8], room: u64) -> bool {
        let tail = self.spool.tail();
        let used = tail - self.drained.load(SeqCst) + encoded.len() as u64;
        if used > room {
            drop(producer);
            self.request(|requests| requests.now = true);
            return false;
        }
        record::place(encoded, tail);
        self.spool.append(encoded);
        drop(producer);
        // The writer says that it is idle and then looks at the tail once more; we moved the tail and then look at
        // `idle`. Both orders are total, so one of us sees the other.
        let crossed = used >= BATCH && used - (encoded.len() as u64) < BATCH;
        if self.idle.load(SeqCst) && self.idle.swap(false, SeqCst) {
            self.request(|requests| requests.work = true);
        }
        if crossed {
            self.request(|requests| requests.now = true);
        }
        true
    }

    /// Waits until `len` bytes fit. False when the deadline passes, or at once for an observation while the disk is full.
    fn wait_for_room(&self, len: u64, room: u64, deadline: Instant, may_drop: bool) -> bool {
        let mut health = hold(&self.health);
        loop {
            // Others append and the writer drains between the two looks.
            if self.spool.tail().saturating_sub(self.drained.load(SeqCst)) + len <= room {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || (may_drop && *health != Health::Good) {
                return false;
            }
            health = self
                .progress
                .wait_timeout(health, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits until all up to `target` is in the record.
    pub(super) fn wait_drained(&self, target: u64, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut health = hold(&self.health);
        while self.drained.load(SeqCst) < target {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            health = self
                .progress
                .wait_timeout(health, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// Refuses every further event, and says where the last one ended.
    pub(super) fn close(&self) -> u64 {
        hold(&self.producer).closed = true;
        self.spool.tail()
    }

    pub(super) fn request(&self, change: impl FnOnce(&mut Requests)) {
        change(&mut hold(&self.requests));
        self.wake.notify_one();
    }

    /// Waits until something is asked for that `enough` accepts, or the deadline; takes the requests (a stop remains).
    pub(super) fn wait_request(&self, deadline: Option<Instant>, enough: impl Fn(Requests) -> bool) -> Requests {
        let mut requests = hold(&self.requests);
        while !enough(*requests) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            requests = match left {
                Some(left) if left.is_zero() => break,
                Some(left) => {
                    self.wake
                        .wait_timeout(requests, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self.wake.wait(requests).unwrap_or_else(PoisonError::into_inner),
            };
        }
        let taken = *requests;
        *requests = Requests {
            stop: taken.stop,
            ..Requests::default()
        };
        taken
    }

    /// Called by the writer before it sleeps without a deadline: whether it may.
    pub(super) fn go_idle(&self, drained: u64) -> bool {
        self.idle.store(true, SeqCst);
        if self.spool.tail() == drained {
            return true;
        }
        self.idle.store(false, SeqCst);
        false
    }

    pub(super) fn no_longer_idle(&self) {
        self.idle.store(false, SeqCst);
    }

    pub(super) fn set_drained(&self, position: u64) {
        let _health = hold(&self.health); // so that no waiter misses it
        self.drained.store(position, SeqCst);
        self.progress.notify_all();
    }

    pub(super) fn health(&self) -> Health {
        hold(&self.health).clone()
    }

    pub(super) fn takes_changes(&self) -> bool {
        let has_room = || {
            let used = self.spool.tail().saturating_sub(self.drained.load(SeqCst));
            used + RESERVE <= self.spool.capacity()
        };
        match self.sunk.load(SeqCst) {
            GOOD => true,
            FULL => has_room(),
            _ => false,
        }
    }

    pub(super) fn set_health(&self, health: Health) {
        let mut current = hold(&self.health);
        if *current != health {
            let sunk = match health {
                Health::Good => GOOD,
                Health::Full { .. } => FULL,
                Health::Failed { .. } => FAILED,
            };
            self.sunk.store(sunk, SeqCst);
            *current = health;
            self.progress.notify_all();
        }
    }
}

/// A lock whose holder panicked protects plain values that are whole at every moment: go on with them.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
