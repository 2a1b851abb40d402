//! The engine with a wall in the kernel.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use agentsh_policy::Policy;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Counters, Engine, EngineError, Told, spawn};
use crate::wall::{Wall, What};

/// Another engine, and around every group of the session a wall that lets through what that engine's judge carries
/// out, and nothing else.
pub struct Kernel {
    inner: Box<dyn Engine>,
    watch: Arc<Watch>,
}

impl Kernel {
    /// Raises the wall; the calling process is the one that judges.
    ///
    /// # Errors
    /// Where the kernel or the user's rights do not allow it.
    pub fn raise(inner: Box<dyn Engine>) -> Result<Kernel, EngineError> {
        Ok(Kernel {
            inner,
            watch: Arc::new(Watch {
                wall: Wall::raise()?,
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
        self.inner.start(told)
    }

    fn apply(&self, policy: &Policy) -> Result<(), EngineError> {
        self.inner.apply(policy)
    }

    fn enclose(&self, folder: &Path) -> Result<(), EngineError> {
        self.inner.enclose(folder)?;
        Ok(self.watch.wall.enclose(folder)?)
    }

    fn release(&self, folder: &Path) {
        self.watch.wall.forget(folder);
        self.inner.release(folder);
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

/// What the wall has stopped, on its way to the record.
struct Watch {
    wall: Wall,
    told: Mutex<Option<Arc<dyn Told>>>,
    lost: AtomicU64,
    stopped: AtomicBool,
}

/// How often the end is looked for.
const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

impl Watch {
    fn run(&self, notice: &OwnedFd) {
        while !self.stopped.load(Ordering::Acquire) {
            match poll(&mut [PollFd::new(notice, PollFlags::IN)], Some(&LOOK)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => self.tell(),
                Err(errno) => {
                    tracing::error!("waiting for the wall ({errno}): what it stops is told at the session's end");
                    return;
                }
            }
        }
    }

    /// Tells all that there is. Whoever holds the lock tells in the order of events.
    fn tell(&self) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(told) = told.as_ref() else { return };
        while let Some(event) = self.wall.next_event() {
            // Programs and their ends are told by their own calls.
            if !matches!(event.what, What::Exec | What::Exit) {
                told.stopped(&event);
            }
        }
        let lost = self.wall.lost();
        let more = lost - self.lost.swap(lost, Ordering::AcqRel).min(lost);
        if more > 0 {
            told.lost(more, "operations that the wall in the kernel stopped");
        }
    }
}
