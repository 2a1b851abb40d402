//! The groups of a session's commands, until each is removed.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agentsh_sandbox::cgroup::{Group, Resource};

use crate::process::{self, Identity};

/// How long killed processes may take to leave a group.
const LEFT_WITHIN: Duration = Duration::from_secs(2);

/// Limits that are counted, and told when they are reached.
pub(super) const COUNTED: [Resource; 3] = [Resource::Memory, Resource::Pids, Resource::Cpu];

/// All groups that are there.
#[derive(Default)]
pub(crate) struct Groups(Mutex<Vec<Entry>>);

struct Entry {
    command: String,
    group: Arc<Group>,
    /// The inode of its v2 folder.
    number: Option<u64>,
    /// How often each of [`COUNTED`] was reached when it was told last.
    told: [u64; COUNTED.len()],
    /// Its command is still on its way in: nobody is served, and it is not over.
    enters: bool,
}

impl Groups {
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a command's group in.
    pub(crate) fn add(&self, command: &str, group: Group) -> Arc<Group> {
        let group = Arc::new(group);
        let number = group
            .unified_folder()
            .and_then(|folder| std::fs::metadata(folder).ok())
            .map(|meta| meta.ino());
        self.lock().push(Entry {
            command: command.to_owned(),
            group: Arc::clone(&group),
            number,
            told: [0; COUNTED.len()],
            enters: true,
        });
        group
    }

    /// The command is served from now on, or has failed to start.
    pub(crate) fn entered(&self, command: &str) {
        let mut entries = self.lock();
        for entry in entries.iter_mut().filter(|entry| entry.command == command) {
            entry.enters = false;
        }
    }

    /// The group of a command.
    pub(crate) fn of(&self, command: &str) -> Option<Arc<Group>> {
        let entries = self.lock();
        let found = entries.iter().find(|entry| entry.command == command);
        found.map(|entry| Arc::clone(&entry.group))
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Group>> {
        self.lock().iter().map(|entry| Arc::clone(&entry.group)).collect()
    }

    /// The command whose v2 group has this number: the inode of its folder.
    pub(crate) fn command_at(&self, number: u64) -> Option<String> {
        let entries = self.lock();
        let found = entries.iter().find(|entry| entry.number == Some(number));
        found.map(|entry| entry.command.clone())
    }

    /// The commands that have one.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.lock().iter().map(|entry| entry.command.clone()).collect()
    }

    /// Which limits a command has reached, and how often, since this was asked last. Before the end a
    /// limit is told of once: a flood of refused forks is two events, not thousands.
    pub(super) fn news(&self, command: &str, end: bool) -> Vec<(Resource, u64)> {
        let mut entries = self.lock();
        let Some(entry) = entries.iter_mut().find(|entry| entry.command == command) else {
            return Vec::new();
        };
        let mut news = Vec::new();
        for (resource, told) in COUNTED.into_iter().zip(&mut entry.told) {
            // Processor time runs out in every period of a busy command: it is told at the end.
            if !end && (*told > 0 || resource == Resource::Cpu) {
                continue;
            }
            let reached = entry.group.reached(resource);
            if reached > *told {
                news.push((resource, reached - *told));
                *told = reached;
            }
        }
        news
    }

    /// Removes the groups of commands that are over; whether none of those is left.
    pub(crate) fn sweep(&self, is_over: impl Fn(&str) -> bool) -> bool {
        let mut left = true;
        self.lock().retain(|entry| {
            if entry.enters || !is_over(&entry.command) {
                return true;
            }
            let removed = entry.group.remove().is_ok();
            left &= removed;
            !removed
        });
        left
    }
}

/// Ends whoever is in a group, and removes it; whether it is gone.
pub(crate) fn close(group: &Group) -> bool {
    group.kill();
    let limit = Instant::now() + LEFT_WITHIN;
    loop {
        if group.remove().is_ok() {
            return true;
        }
        if Instant::now() > limit {
            return false;
        }
        let members = group.processes().into_iter().filter_map(|pid| Identity::of(pid).ok());
        process::end_trees(members);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The groups that a dead session's record names.
pub(crate) fn recorded(folders: Vec<String>) -> Group {
    Group::of_folders(folders.into_iter().map(PathBuf::from))
}
