//! Walking a workspace with two threads. Folders are opened anew by path below the root, with no
//! symbolic link and no other mount on the way, so that nothing done meanwhile leads the walk out.

use std::collections::{HashMap, HashSet};
use std::os::fd::BorrowedFd;
use std::sync::{Condvar, Mutex, PoisonError};

use agentsh_protocol::Bytes;
use rustix::io::Errno;

use super::Problem;
use super::entry::Entry;
use super::pack::{Packs, Writer};
use super::visit::Visit;
use crate::fs::{Stat, Time, stat_fd};

/// More threads than this wait for each other, and for the session's commands.
const THREADS: usize = 2;

/// What is to be walked, and what is known of it.
pub(crate) struct Walk<'a> {
    pub root: BorrowedFd<'a>,
    /// Entries of an earlier walk: what is still the same is not read again.
    pub prior: HashMap<&'a [u8], &'a Entry>,
    /// Earlier entries that changed at this moment or later may have changed again within the same
    /// tick of the file system's clock: they are read again.
    pub trusted_before: Time,
    /// Where contents go; without it they are only hashed.
    pub packs: Option<&'a Packs>,
    pub excluded: &'a HashSet<Vec<u8>>,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub entries: Vec<Entry>,
    pub unstable: Vec<Bytes>,
    pub problems: Vec<Problem>,
}

struct Queue {
    /// Folders that wait, with what their parent's listing said of them.
    waiting: Vec<(Vec<u8>, Stat)>,
    busy: usize,
    failed: Option<Errno>,
}

impl Walk<'_> {
    /// Walks all of it.
    pub fn run(&self) -> Result<Found, Errno> {
        let root = stat_fd(self.root)?;
        let queue = Mutex::new(Queue {
            waiting: vec![(Vec::new(), root)],
            busy: 0,
            failed: None,
        });
        let changed = Condvar::new();
        let mut all = Found::default();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| scope.spawn(|| self.work(&queue, &changed, root.mount)))
                .collect();
            for thread in threads {
                match thread.join() {
                    Ok(found) => all.append(found),
                    Err(_) => lock(&queue).failed = Some(Errno::IO),
                }
            }
        });
        match lock(&queue).failed {
            Some(errno) => Err(errno),
            None => Ok(all),
        }
    }

    fn work(&self, queue: &Mutex<Queue>, changed: &Condvar, mount: u64) -> Found {
        let mut writer = self.packs.map(Writer::new);
        let mut found = Found::default();
        while let Some((path, stat)) = next(queue, changed) {
            let mut visit = Visit {
                walk: self,
                mount,
                writer: writer.as_mut(),
                found: &mut found,
                inner: Vec::new(),
            };
            let result = visit.folder(&path, &stat);
            let inner = visit.inner;
            let mut queue = lock(queue);
            queue.busy -= 1;
            queue.waiting.extend(inner);
            if let Err(errno) = result {
                queue.failed = Some(errno);
            }
            changed.notify_all();
        }
        if let Some(writer) = writer
            && let Err(error) = writer.finish()
        {
            lock(queue).failed = Some(Errno::from_io_error(&error).unwrap_or(Errno::IO));
        }
        found
    }
}

/// The next folder; none when all is done or lost.
fn next(queue: &Mutex<Queue>, changed: &Condvar) -> Option<(Vec<u8>, Stat)> {
    let mut queue = lock(queue);
    loop {
        if queue.failed.is_some() {
            return None;
        }
        if let Some(folder) = queue.waiting.pop() {
            queue.busy += 1;
            return Some(folder);
        }
        if queue.busy == 0 {
            return None;
        }
        queue = changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}

fn lock(queue: &Mutex<Queue>) -> std::sync::MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Found {
    fn append(&mut self, mut other: Found) {
        self.entries.append(&mut other.entries);
        self.unstable.append(&mut other.unstable);
        self.problems.append(&mut other.problems);
    }
}
