//! The recorder of one session: takes events in on the hot path, keeps them whatever dies, writes the record.

mod batch;
mod commands;
mod log;
mod open;
mod restore;
mod shared;
mod writer;

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use open::{Recovered, recover};
use shared::{Shared, Stop};

use crate::event::EventDraft;
use crate::spool::record;
use crate::time;

/// How a recorder works. The default is meant for every session; tests choose other times and sizes.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Size of the spool in bytes: how much can be accepted while the disk is full. At least 2 MiB.
    pub spool_bytes: u64,
    /// Identical operations within it are folded; an event is in the record at the latest this much later.
    pub window: Duration,
    /// How long the record may be ahead of the disk.
    pub sync_every: Duration,
    /// How long [`Recorder::emit`] waits for room in the spool.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            spool_bytes: 4 << 20,
            window: Duration::from_millis(250),
            sync_every: Duration::from_secs(1),
            patience: Duration::from_secs(5),
        }
    }
}

/// Whether the record can be written. Unless it is good, a session takes no new command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    Good,
    /// No space (or quota) for the record. All that was accepted is in the spool; it heals when there is space.
    Full {
        message: String,
    },
    /// The record cannot be written for another reason.
    Failed {
        message: String,
    },
}

impl Health {
    fn of(current: Health, error: Option<&io::Error>) -> Health {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match (error, current) {
            (_, failed @ Health::Failed { .. }) => failed,
            (None, _) => Health::Good,
            (Some(error), _) => {
                let message = format!("cannot write events.jsonl: {error}");
                match error.kind() {
                    StorageFull | QuotaExceeded | FileTooLarge => Health::Full { message },
                    _ => Health::Failed { message },
                }
            }
        }
    }
}

/// Why an event was not accepted, or a record not opened. What was not recorded must not happen: the caller denies.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    #[error("the record {} cannot take more events: the disk is full or too slow", path.display())]
    Full { path: PathBuf },
    #[error("the record is closed")]
    Closed,
    #[error("an event of {0} bytes is too long")]
    TooLong(usize),
    #[error("{} is written by another process", path.display())]
    Busy { path: PathBuf },
    #[error("the record {} is sealed: its session has ended", path.display())]
    Sealed { path: PathBuf },
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

/// A handle on the recorder of one session; clones share it. When the last goes, what was accepted is written and
/// synced. Open it with [`Recorder::open`].
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    options: Options,
    writer: Mutex<Option<JoinHandle<()>>>,
}

thread_local! {
    static ENCODED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Recorder {
    /// Takes an event in. When this returns `Ok`, the event survives the death of every process of ours.
    ///
    /// It costs a copy to memory. It waits only if the spool is full: at most `patience`, then it is an error and the
    /// operation must be denied. Plain observations (reads, listings, stats that were allowed) are dropped and counted instead.
    pub fn emit(&self, draft: EventDraft<'_>) -> Result<(), RecordError> {
        ENCODED.with_borrow_mut(|encoded| {
            record::encode(&draft, time::now(), encoded);
            if encoded.len() > record::MAX {
                return Err(RecordError::TooLong(encoded.len()));
            }
            let result = self.0.shared.append(&draft, encoded, self.0.options.patience);
            if encoded.capacity() > 64 << 10 {
                // One long argument list must not stay in the memory of every thread.
                *encoded = Vec::new();
            }
            result
        })
    }

    /// Waits until all that was emitted before is in `events.jsonl`, at most `timeout`.
    pub fn flush(&self, timeout: Duration) -> Result<(), RecordError> {
        let shared = &self.0.shared;
        let target = shared.spool.tail();
        shared.request(|requests| requests.now = true);
        if shared.wait_drained(target, timeout) {
            return Ok(());
        }
        Err(RecordError::Full {
            path: shared.events_path.clone(),
        })
    }

    /// Whether the record can be written.
    pub fn health(&self) -> Health {
        self.0.shared.health()
    }

    /// Whether what is about to be changed can be put on record: by [`Recorder::health`], and while the disk is full as long
    /// as the spool has room. Without a lock: it is asked for every change of a file.
    pub fn takes_changes(&self) -> bool {
        self.0.shared.takes_changes()
    }

    /// Ends the record: refuses further events, writes and syncs what was accepted, seals the anchor. The last event
    /// should be a `session_destroyed`.
    pub fn seal(&self) -> Result<(), RecordError> {
        self.0.stop(Stop::Seal)
    }

    /// As [`Recorder::seal`], but the session may be opened again.
    pub fn close(&self) -> Result<(), RecordError> {
        self.0.stop(Stop::Close)
    }
}

impl Inner {
    fn stop(&self, how: Stop) -> Result<(), RecordError> {
        let last = self.shared.close();
        self.shared.request(|requests| requests.stop = Some(how));
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that panicked has not drained the spool: seen below.
            let _ = writer.join();
        }
        match self.shared.health() {
            Health::Good if self.shared.wait_drained(last, Duration::ZERO) => Ok(()),
            Health::Failed { message } => Err(RecordError::Io {
                action: "complete",
                path: self.shared.events_path.clone(),
                source: io::Error::other(message),
            }),
            _ => Err(RecordError::Full {
                path: self.shared.events_path.clone(),
            }),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nobody is left to tell; what could not be written is in the spool.
        let _ = self.stop(Stop::Close);
    }
}

#[cfg(test)]
mod tests;
