//! The wall in the kernel: around a session's control groups a wall that lets through what was judged, and
//! nothing else.
//!
//! Every operation is judged at its notification and carried out on the caller's own socket by the supervisor.
//! The wall knows that process. Whatever comes from anybody else in a group was not judged, by whichever way it
//! went around the notification, and does not leave; with the supervisor dead nothing does.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use agentsh_ebpf::{Event, Operation, What};
use agentsh_ebpf::{Table, WallError};

/// A session's wall.
pub(crate) struct Wall(Mutex<agentsh_ebpf::Wall>);

impl Wall {
    /// Loads it; the calling process is the one that judges.
    ///
    /// # Errors
    /// Where the kernel or the user's rights do not allow it.
    pub fn raise() -> Result<Wall, WallError> {
        let table = Table {
            exempt: Some(std::process::id()),
            ..Table::closed()
        };
        agentsh_ebpf::Wall::load(&table).map(|wall| Wall(Mutex::new(wall)))
    }

    fn lock(&self) -> MutexGuard<'_, agentsh_ebpf::Wall> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts it around a group of the v2 hierarchy, before anybody is in it.
    ///
    /// # Errors
    /// The group is not behind the wall then.
    pub fn enclose(&self, folder: &Path) -> Result<(), WallError> {
        self.lock().enclose(folder)
    }

    /// The group is about to be removed.
    pub fn forget(&self, folder: &Path) {
        // A group that is gone already has nothing left to be told.
        let _ = self.lock().forget(folder);
    }

    /// The next event, if there is one.
    pub fn next_event(&self) -> Option<Event> {
        self.lock().next_event()
    }

    /// How many events were lost since the beginning.
    pub fn lost(&self) -> u64 {
        self.lock().lost().unwrap_or(0)
    }

    /// A descriptor that can be read when something was stopped.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn notice(&self) -> io::Result<OwnedFd> {
        self.lock().as_fd().try_clone_to_owned()
    }
}
