//! The terminals of a session's commands: each has a hub that relays it, records it, and lets people in.

mod open;
mod report;

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agentsh_terminal::hub::{Hub, Io, Joining, Role};
use agentsh_terminal::marker::Marker;

pub(super) use open::{Opened, open};

/// The hubs by the ids of their commands.
#[derive(Default)]
pub(crate) struct Terminals {
    hubs: Mutex<HashMap<String, Arc<Hub>>>,
    /// Recordings that are being written, and hubs that are not closed.
    open: Mutex<usize>,
    closed: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Terminals {
    /// The hub of a command, as long as its terminal is open.
    pub(crate) fn get(&self, command: &str) -> Option<Arc<Hub>> {
        lock(&self.hubs).get(command).cloned()
    }

    fn insert(&self, command: &str, hub: Arc<Hub>) {
        lock(&self.hubs).insert(command.to_owned(), hub);
    }

    fn remove(&self, command: &str) {
        lock(&self.hubs).remove(command);
    }

    pub(in super::super) fn opened(&self) {
        *lock(&self.open) += 1;
    }

    pub(in super::super) fn over(&self) {
        let mut open = lock(&self.open);
        *open = open.saturating_sub(1);
        self.closed.notify_all();
    }

    /// The command's own process has ended with this wait status.
    pub(crate) fn command_ended(&self, command: &str, status: Option<i32>) {
        if let Some(hub) = self.get(command) {
            // Unknown only where a process died before the kernel could be asked: by a signal.
            hub.finish(status.unwrap_or(libc::SIGKILL));
        }
    }

    /// Lets a client in, if the command's terminal is open.
    pub(crate) fn attach(&self, command: &str, stream: OwnedFd, watch: bool) -> bool {
        let Some(hub) = self.get(command) else { return false };
        hub.attach(Joining {
            role: if watch { Role::Watcher } else { Role::Writer },
            io: Io::Framed(stream.into()),
            window: None,
            take: false,
            fresh: false,
        });
        true
    }

    /// The caller's terminal is gone: so is the command's.
    pub(crate) fn hang_up(&self, command: &str) {
        if let Some(hub) = self.get(command) {
            hub.hang_up();
        }
    }

    /// A denial becomes a marker in the recording.
    pub(crate) fn denied(&self, command: &str, what: impl FnOnce() -> String) {
        if let Some(hub) = self.get(command) {
            hub.mark(Marker::Denied(what()));
        }
    }

    /// Hangs every terminal up and waits until all recordings are closed, or `limit` is over.
    pub(crate) fn close_all(&self, limit: Duration) {
        for hub in lock(&self.hubs).values() {
            hub.hang_up();
        }
        let deadline = Instant::now() + limit;
        let mut open = lock(&self.open);
        while *open > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::error!("{} recordings were not closed in time", *open);
                return;
            }
            open = self
                .closed
                .wait_timeout(open, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
