//! The engine with a wall in the kernel.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agentsh_policy::{NetOp, Policy};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Connections, Counters, Engine, EngineError, Told, spawn};
use crate::gate::{Flow, Gate, Transport};
use crate::local;
use crate::pins::Pins;
use crate::wall::{Verdict, Wall, What};

/// Another engine, and around every group of the session a wall that lets through what that engine's judge carries
/// out, what the kernel's own tables of the policy's rules allow, and nothing else.
pub struct Kernel {
    inner: Box<dyn Engine>,
    watch: Arc<Watch>,
    connections: Arc<Connections>,
}

/// What a wall leaves to others.
#[derive(Debug, Clone, Copy)]
pub struct Leaves {
    /// Connections to the kernel's tables, where policy simply allows them; else each is judged by the inner engine's
    /// judge.
    pub tables: bool,
    /// Echo requests to that judge alone: the kernel asks no program about them.
    pub echo: bool,
}

/// There is no wall; the other engine holds alone.
pub struct NotRaised {
    pub inner: Box<dyn Engine>,
    pub error: EngineError,
}

impl Kernel {
    /// Raises the wall; the calling process is the one that judges.
    ///
    /// # Errors
    /// Where the kernel or the user's rights do not allow it.
    pub fn raise(inner: Box<dyn Engine>, gate: &Gate, leaves: Leaves) -> Result<Kernel, NotRaised> {
        let wall = match Wall::raise(leaves.echo) {
            Ok(wall) => wall,
            Err(error) => {
                let error = error.into();
                return Err(NotRaised { inner, error });
            }
        };
        Ok(Kernel {
            inner,
            connections: Arc::clone(&gate.connections),
            watch: Arc::new(Watch {
                wall,
                tables: leaves.tables,
                pins: Arc::clone(&gate.pins),
                policy: Mutex::default(),
                told: Mutex::default(),
                lost: AtomicU64::new(0),
                stopped: AtomicBool::new(false),
            }),
        })
    }
}

impl Engine for Kernel {
    fn name(&self) -> &'static str {
        "ebpf"
    }

    fn start(&self, told: Arc<dyn Told>) -> Result<(), EngineError> {
        *self.watch.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&told));
        let notice = self.watch.wall.notice().map_err(EngineError::Descriptors)?;
        let watch = Arc::clone(&self.watch);
        spawn("wall", move || watch.run(&notice))?;
        if self.watch.tables {
            let changes = local::listen().map_err(EngineError::Addresses)?;
            let watch = Arc::clone(&self.watch);
            spawn("addresses", move || watch.follow(&changes))?;
            let watch = Arc::clone(&self.watch);
            self.watch.pins.watch(Box::new(move |address| watch.pinned(address)));
            // An end may be told before the beginning, which is on its way here.
            let watch = Arc::clone(&self.watch);
            self.connections.ask_first(Box::new(move || watch.tell()));
        }
        self.inner.start(told)
    }

    fn apply(&self, policy: &Arc<Policy>) -> Result<(), EngineError> {
        self.inner.apply(policy)?;
        // What has passed so far passed by the rules so far.
        self.watch.tell();
        *self.watch.policy.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(policy));
        self.watch.feed()
    }

    fn enclose(&self, folder: &Path) -> Result<(), EngineError> {
        self.inner.enclose(folder)?;
        Ok(self.watch.wall.enclose(folder)?)
    }

    fn settle(&self) {
        self.watch.tell();
        self.inner.settle();
    }

    fn holds(&self, flow: &Flow, cookie: u64) -> bool {
        let (at, watch) = (flow.address, &self.watch);
        watch.tables
            && flow.operation == NetOp::Connect
            && flow.transport == Transport::Tcp
            && !at.ip().is_unspecified()
            && watch.wall.lets_pass(at.ip(), at.port(), cookie)
    }

    fn counters(&self) -> Counters {
        self.inner.counters()
    }

    fn stop(&self) {
        self.watch.stopped.store(true, Ordering::Release);
        self.watch.tell();
        self.inner.stop();
    }
}

/// What the wall has stopped or let through, on its way to the record; and what its tables are made from.
struct Watch {
    wall: Wall,
    tables: bool,
    pins: Arc<Pins>,
    policy: Mutex<Option<Arc<Policy>>>,
    told: Mutex<Option<Arc<dyn Told>>>,
    lost: AtomicU64,
    stopped: AtomicBool,
}

/// How often the end is looked for.
const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// What comes within this time is told together: who is waited for has to be woken by those who connect.
const GATHER: Duration = Duration::from_millis(5);

impl Watch {
    fn run(&self, notice: &OwnedFd) {
        while !self.stopped.load(Ordering::Acquire) {
            match poll(&mut [PollFd::new(notice, PollFlags::IN)], Some(&LOOK)) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(0) => {
                    if let Err(error) = self.wall.forget_expired() {
                        tracing::error!("names that do not hold any more stay in the kernel's tables: {error}");
                    }
                }
                Ok(_) => {
                    std::thread::sleep(GATHER);
                    self.tell();
                }
                Err(errno) => {
                    tracing::error!("waiting for the wall ({errno}): what it stops is told at the session's end");
                    return;
                }
            }
        }
    }

    /// Follows the machine's own addresses.
    fn follow(&self, changes: &OwnedFd) {
        while !self.stopped.load(Ordering::Acquire) {
            match local::has_changed(changes) {
                Ok(false) => {}
                Ok(true) => {
                    if let Err(error) = self.feed() {
                        tracing::error!("the kernel's tables cannot be made anew: {error}");
                    }
                }
                Err(errno) => {
                    tracing::error!("changes of addresses are not told any more ({errno}): every connection is judged");
                    let _ = self.wall.feed(None, Vec::new());
                    return;
                }
            }
        }
    }

    /// Makes the tables from the policy and the names of now.
    fn feed(&self) -> Result<(), EngineError> {
        let policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let pinned = self.pins.all(Instant::now());
        Ok(self.wall.feed(policy.as_ref().filter(|_| self.tables), pinned)?)
    }

    fn pinned(&self, address: std::net::IpAddr) {
        let names = self.pins.live(address, Instant::now());
        if let Err(error) = self.wall.pin(address, &names) {
            tracing::error!("the kernel's tables do not take {address}: {error}");
        }
    }

    /// Tells all that there is. Whoever holds the lock tells in the order of events.
    fn tell(&self) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = told.as_ref() else { return };
        while let Some(event) = self.wall.next_event() {
            match &event.what {
                What::Address { verdict, rule, .. } if *verdict != Verdict::Deny => {
                    let (rule, audited) = self.wall.rule(*rule);
                    told.passed(&event, rule.as_deref(), audited);
                }
                _ => told.stopped(&event),
            }
        }
        let lost = self.wall.lost();
        let more = lost - self.lost.swap(lost, Ordering::AcqRel).min(lost);
        if more > 0 {
            told.lost(more, "operations that the wall in the kernel stopped or let through");
        }
    }
}
