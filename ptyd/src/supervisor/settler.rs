//! Who writes the trash to disk every second, and gives its records their files once deletions have ended.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use agentsh_keep::trash::Trash;

/// A thread that settles the trash when it has been quiet for a moment.
pub(super) struct Settler {
    called: Arc<AtomicBool>,
    thread: Thread,
}

/// How long it must be quiet.
const QUIET: Duration = Duration::from_secs(1);

/// After so many moments it is done even if it never is.
const PATIENCE: usize = 30;

impl Settler {
    /// Starts the thread, which first settles what an earlier session may have left.
    pub(super) fn start(trash: Arc<Trash>) -> io::Result<Settler> {
        let called = Arc::new(AtomicBool::new(true));
        let own = Arc::clone(&called);
        let run = move || {
            loop {
                while !own.load(Ordering::Acquire) {
                    thread::park();
                }
                for _ in 0..PATIENCE {
                    own.store(false, Ordering::Release);
                    thread::sleep(QUIET);
                    // As often as the record, and as little in the way of a deletion.
                    if let Err(error) = trash.sync() {
                        tracing::warn!("{error}");
                    }
                    if !own.load(Ordering::Acquire) {
                        break;
                    }
                }
                if let Err(error) = trash.settle() {
                    tracing::warn!("{error}");
                }
            }
        };
        let handle = thread::Builder::new()
            .name("settler".into())
            .stack_size(256 << 10)
            .spawn(run)?;
        Ok(Settler {
            called,
            thread: handle.thread().clone(),
        })
    }

    /// Says that there is something to settle.
    pub(super) fn call(&self) {
        if !self.called.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}
