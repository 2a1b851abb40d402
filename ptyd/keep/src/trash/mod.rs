//! The trash: what a session deletes or overwrites, until a person purges it.
//!
//! Each mount has its own, because only a rename keeps an object whole, and a rename between two
//! mounts fails even on one file system. It has the form of freedesktop.org's trash specification.

mod anew;
mod diff;
mod discard;
mod error;
mod ledger;
mod list;
mod locate;
mod place;
mod purge;
mod record;
mod repair;
mod replace;
mod restore;
mod version;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use crate::Id;
pub use crate::compare::{Diff, Digest};
pub use discard::Removal;
pub use error::TrashError;
pub use list::Entry;
pub use purge::Selection;
pub use record::{Cause, How, Meta, Record};
pub use repair::Repaired;
pub use restore::Target;
pub use version::{NotKept, Version};

use place::Place;

/// The limits that policy sets (`filesystem.trash`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Entries older than this go at [`Trash::purge_expired`].
    pub max_age: Option<Duration>,
    /// Bytes that each mount's trash may hold; at this limit deletions are refused.
    pub max_size: Option<u64>,
    /// The largest file whose contents are copied where they cannot be shared; in bytes.
    pub version_size_limit: u64,
}

impl Default for Limits {
    /// Thirty days, no limit in size, versions up to 64 MiB.
    fn default() -> Limits {
        Limits {
            max_age: Some(Duration::from_secs(30 * 86_400)),
            max_size: None,
            version_size_limit: 64 << 20,
        }
    }
}

/// What is now in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub record: Record,
    /// The trash folder that holds it.
    pub place: PathBuf,
}

/// A user's trash on all mounts. Methods may be called from several threads and processes at once.
#[derive(Debug)]
pub struct Trash {
    owner: u32,
    workspace: Option<PathBuf>,
    limits: Limits,
    /// Whether nothing is to be kept by it.
    reading: bool,
    state: PathBuf,
    places: Mutex<Places>,
}

/// The places that are open.
#[derive(Debug)]
struct Places {
    home: Arc<Place>,
    /// On other mounts.
    others: Vec<Arc<Place>>,
}

impl Places {
    /// Home first.
    fn iter(&self) -> impl Iterator<Item = &Arc<Place>> {
        std::iter::once(&self.home).chain(&self.others)
    }
}

impl Trash {
    /// Opens the trash in the user's state folder (made if it is missing, with mode 0700), and those
    /// on other mounts that were made before and are still there.
    ///
    /// `workspace` is where a trash is made for its mount if the mount's top is not to be written.
    ///
    /// # Errors
    /// The state folder's trash cannot be made, or is another user's, or open to others.
    pub fn open(state: &Path, workspace: Option<&Path>, limits: Limits) -> Result<Trash, TrashError> {
        Self::open_for(state, workspace, limits, false)
    }

    /// The same for who only looks at what was kept, also where nothing can be written.
    ///
    /// # Errors
    /// As [`Trash::open`].
    pub fn open_to_read(state: &Path, workspace: Option<&Path>) -> Result<Trash, TrashError> {
        Self::open_for(state, workspace, Limits::default(), true)
    }

    fn open_for(state: &Path, workspace: Option<&Path>, limits: Limits, reading: bool) -> Result<Trash, TrashError> {
        let owner = rustix::process::geteuid().as_raw();
        let home = locate::home(state, owner, reading)?;
        let trash = Trash {
            owner,
            workspace: workspace.map(Path::to_owned),
            limits,
            reading,
            state: state.to_owned(),
            places: Mutex::new(Places {
                home,
                others: Vec::new(),
            }),
        };
        trash.open_known();
        Ok(trash)
    }

    /// The folders that hold kept files: no session may read or write them.
    pub fn places(&self) -> Vec<PathBuf> {
        self.all().iter().map(|place| place.path.clone()).collect()
    }

    /// Makes the names and records of what was kept outlast a power failure, not the bytes of copies that the
    /// kernel has yet to write. Call it off the path of deletions.
    ///
    /// # Errors
    /// The file system cannot write.
    pub fn sync(&self) -> Result<(), TrashError> {
        for place in self.all() {
            let sync = || {
                rustix::fs::fsync(&place.files)?;
                rustix::fs::fsync(&place.info)?;
                rustix::fs::fdatasync(&place.ledger)
            };
            sync().map_err(TrashError::refused(&place.path, "sync"))?;
        }
        Ok(())
    }

    fn all(&self) -> Vec<Arc<Place>> {
        self.lock_places().iter().cloned().collect()
    }

    fn home(&self) -> Arc<Place> {
        Arc::clone(&self.lock_places().home)
    }

    fn lock_places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_room(&self, place: &Place, used: u64, charge: u64) -> Result<(), TrashError> {
        match self.limits.max_size {
            Some(limit) if used.saturating_add(charge) > limit => Err(TrashError::Full {
                place: place.path.clone(),
                used,
                limit,
            }),
            _ => Ok(()),
        }
    }

    /// Admits an entry to a place under its lock: room is checked, the record is written, `take`
    /// brings the object.
    fn admit(
        &self,
        place: &Arc<Place>,
        record: Record,
        take: impl FnOnce(&std::ffi::CStr) -> Result<(), rustix::io::Errno>,
    ) -> Result<Kept, TrashError> {
        let failed = |errno| TrashError::Refused {
            path: record.original().unwrap_or_default(),
            step: "move to the trash",
            errno,
        };
        let locked = place.lock().map_err(failed)?;
        let used = locked.used().map_err(failed)?.unwrap_or(0);
        self.check_room(place, used, record.charge)?;
        locked.admit(&record, used, take).map_err(failed)?;
        Ok(Kept {
            record,
            place: place.path.clone(),
        })
    }
}
