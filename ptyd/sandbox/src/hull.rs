//! The hull: the union of all that policy could ever allow, as paths with rights.
//!
//! Landlock knows only what is allowed. A denial below an allowed folder is therefore *lowered*: the
//! folder is replaced by its other children, files included. What a folder's children are is looked up
//! when the hull is made; [`Hull::is_current`] tells whether a lowered folder has changed since.

mod right;
mod spot;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

pub use right::{Right, Rights};
use spot::Spot;

/// What policy could do with a right in a whole folder tree, the folder itself included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlook {
    /// Everything there is allowed, now and later.
    All,
    /// Nothing there is, or could become, allowed.
    Nothing,
    /// Some is and some is not, and the difference lies along paths that are known: look at the children.
    Mixed,
    /// Some is and some is not, by names that can be anywhere: only the notifications can hold it.
    Scattered,
}

/// Who knows what policy could do.
pub trait Territory {
    /// For the tree that begins at `folder`.
    fn tree(&self, right: Right, folder: &Path) -> Outlook;
    /// For one object that is no folder.
    fn object(&self, right: Right, path: &Path) -> bool;
}

/// One entry of the hull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub path: PathBuf,
    pub rights: Rights,
    pub is_folder: bool,
    /// Device and inode when it was granted.
    object: Object,
}

/// Device and inode.
type Object = (u64, u64);

/// Where everything that could be allowed lies.
#[derive(Debug, Clone, Default)]
pub struct Hull {
    grants: BTreeMap<PathBuf, Grant>,
    /// Them by the bytes of their paths.
    places: HashMap<Box<[u8]>, Spot, foldhash::fast::RandomState>,
    lowered: BTreeMap<PathBuf, Stamp>,
    /// Rights for which the hull is wider than policy in some tree, because names there decide.
    scattered: Rights,
}

/// When a folder's names last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(folder: &Path) -> Option<Stamp> {
        let metadata = fs::symlink_metadata(folder).ok()?;
        Some(Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// Folders deeper than this are not lowered: what is denied there is left out with its parent.
const MAX_DEPTH: usize = 64;

impl Hull {
    /// Walks from the root along the paths on which policy differs.
    pub fn compile(territory: &dyn Territory) -> Hull {
        let mut hull = Hull::default();
        hull.visit(territory, Rights::ALL, Path::new("/"), 0);
        hull
    }

    fn visit(&mut self, territory: &dyn Territory, rights: Rights, folder: &Path, depth: usize) {
        let mut mixed = Rights::default();
        for right in rights.iter() {
            match territory.tree(right, folder) {
                Outlook::All => self.grant(right, folder, true),
                Outlook::Nothing => {}
                Outlook::Scattered => {
                    self.scattered.insert(right);
                    // Programs there can only be executed by who may read them.
                    self.grant(right, folder, true);
                }
                Outlook::Mixed => mixed.insert(right),
            }
        }
        if mixed != Rights::default() && depth < MAX_DEPTH {
            self.lower(territory, mixed, folder, depth);
        }
    }

    fn lower(&mut self, territory: &dyn Territory, rights: Rights, folder: &Path, depth: usize) {
        // Taken before the names are read: a name that comes in between makes the hull out of date.
        let Some(stamp) = Stamp::of(folder) else { return };
        let Ok(entries) = fs::read_dir(folder) else { return };
        self.lowered.entry(folder.to_owned()).or_insert(stamp);
        for entry in entries.flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.visit(territory, rights, &path, depth + 1),
                // Landlock judges what a link leads to.
                Ok(kind) if kind.is_symlink() => {}
                Ok(_) => {
                    let of_files = rights.iter().filter(|right| right.is_of_files());
                    for right in of_files.filter(|right| territory.object(*right, &path)) {
                        self.grant(right, &path, false);
                    }
                }
                Err(_) => {}
            }
        }
    }

    fn grant(&mut self, right: Right, path: &Path, is_folder: bool) {
        let grant = self.grants.entry(path.to_owned()).or_insert_with(|| Grant {
            path: path.to_owned(),
            rights: Rights::default(),
            is_folder,
            object: Stamp::of(path).map_or((0, 0), |stamp| (stamp.device, stamp.inode)),
        });
        grant.rights.insert(right);
        let bytes = path.as_os_str().as_bytes();
        match self.places.get_mut(bytes) {
            Some(spot) => spot.rights.insert(right),
            None => drop(self.places.insert(bytes.into(), Spot::new(grant))),
        }
    }

    /// Grants a right on one object and, if it is a folder, all below it, beside what the territory gave.
    pub fn add(&mut self, right: Right, path: &Path) {
        let Ok(path) = fs::canonicalize(path) else { return };
        let is_folder = path.is_dir();
        if is_folder || right.is_of_files() {
            self.grant(right, &path, is_folder);
        }
    }

    /// Every path with its rights, parents before children.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.values()
    }

    /// Whether a process under this hull's ruleset surely has `right` on the object at this canonical
    /// path: it or a folder above it is granted, and has been there since. False is safe: the call is then
    /// carried out instead of continued. `moves` counts the names that the session moved: while it stays the
    /// same, a folder is not looked at again for every call.
    pub fn holds(&self, right: Right, path: &[u8], moves: u64) -> bool {
        // A call that is continued anywhere could be turned into such a tree by a second thread.
        !self.scattered.contains(right) && self.grants_at(right, path, moves)
    }

    /// Whether a process under this hull's ruleset has `right` on the object at this canonical path, be it that policy
    /// denies it what lies beside it; `moves` as for [`Hull::holds`].
    pub fn grants_at(&self, right: Right, path: &[u8], moves: u64) -> bool {
        // The ruleset knows the object itself, not whatever has its name now.
        self.granting(right, path)
            .is_some_and(|(folder, spot)| spot.is_there(folder, moves))
    }

    /// The innermost grant at or above `path`. On the path of every decision: slices are looked up, nothing
    /// is allocated.
    fn granting<'p>(&self, right: Right, path: &'p [u8]) -> Option<(&'p [u8], &Spot)> {
        let mut folder = path;
        loop {
            if let Some(spot) = self.places.get(folder)
                && spot.rights.contains(right)
                && (spot.is_folder || folder.len() == path.len())
            {
                return Some((folder, spot));
            }
            folder = match folder.iter().rposition(|byte| *byte == b'/')? {
                0 if folder == b"/" => return None,
                0 => b"/",
                slash => &folder[..slash],
            };
        }
    }

    /// Whether the lowered folders have the names that they had when the hull was made.
    pub fn is_current(&self) -> bool {
        self.lowered
            .iter()
            .all(|(folder, stamp)| Stamp::of(folder).as_ref() == Some(stamp))
    }

    /// Folders that are replaced by their children.
    pub fn lowered(&self) -> impl Iterator<Item = &Path> {
        self.lowered.keys().map(PathBuf::as_path)
    }
}

#[cfg(test)]
mod tests;
