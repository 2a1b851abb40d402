use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;

use super::pack::pack_path;
use super::{CheckpointError, Checkpoints, Lock, Manifest};
use crate::Id;
use crate::fs::Time;

/// Which checkpoints are to go: those that any of the conditions names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    pub ids: Vec<Id>,
    pub older_than: Option<Duration>,
    /// All but the newest so many.
    pub keep: Option<usize>,
    /// The oldest, until the store holds at most so many bytes; the newest stays.
    pub max_size: Option<u64>,
}

impl Checkpoints {
    /// Removes checkpoints for ever, and the packs that no other uses. Returns the ids that went.
    ///
    /// # Errors
    /// A file of the store cannot be removed. A damaged manifest is removed when it is named, and
    /// while one is left no pack is.
    pub fn purge(&self, selection: &Selection) -> Result<Vec<Id>, CheckpointError> {
        let lock = self.lock()?;
        let mut ids = self.ids()?;
        let oldest = selection.older_than.map(|age| Time::now().before(age));
        let surplus = selection.keep.map_or(0, |keep| ids.len().saturating_sub(keep));
        let mut gone = Vec::new();
        for (age, id) in ids.iter().enumerate() {
            let old = oldest.is_some_and(|oldest| {
                Manifest::read_header(&self.manifest_path(*id)).is_ok_and(|header| header.started < oldest)
            });
            if age < surplus || old || selection.ids.contains(id) {
                gone.push(*id);
            }
        }
        for id in &gone {
            self.remove(self.manifest_path(*id))?;
        }
        self.drop_unused_packs(&lock)?;
        if let Some(limit) = selection.max_size {
            ids.retain(|id| !gone.contains(id));
            ids.pop();
            for id in ids {
                if self.size()? <= limit {
                    break;
                }
                self.remove(self.manifest_path(id))?;
                self.drop_unused_packs(&lock)?;
                gone.push(id);
            }
        }
        Ok(gone)
    }

    /// The bytes that the store takes on its device.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn size(&self) -> Result<u64, CheckpointError> {
        let mut total = 0;
        for folder in [self.store.clone(), self.store.join("packs")] {
            for entry in self.read(folder)? {
                let blocks = entry
                    .metadata()
                    .map_or(0, |metadata| std::os::unix::fs::MetadataExt::blocks(&metadata));
                total += blocks * 512;
            }
        }
        Ok(total)
    }

    /// Removes packs that no manifest names, and files that were not finished.
    pub(super) fn drop_unused_packs(&self, _lock: &Lock) -> Result<(), CheckpointError> {
        for entry in self.read(self.store.clone())? {
            if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "unfinished")
            {
                self.remove(entry.path())?;
            }
        }
        let listing = self.list()?;
        if !listing.damaged.is_empty() {
            return Ok(()); // which packs it needs is not known
        }
        let used: HashSet<PathBuf> = listing
            .checkpoints
            .iter()
            .flat_map(|header| &header.packs)
            .map(|id| pack_path(&self.store.join("packs"), id))
            .collect();
        for entry in self.read(self.store.join("packs"))? {
            let ours = entry.file_name().as_bytes().ends_with(b".pack");
            if ours && !used.contains(&entry.path()) {
                self.remove(entry.path())?;
            }
        }
        Ok(())
    }

    fn read(&self, folder: PathBuf) -> Result<Vec<std::fs::DirEntry>, CheckpointError> {
        let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        entries.map_err(|error| {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            CheckpointError::refused(folder, "list")(errno)
        })
    }

    fn remove(&self, path: PathBuf) -> Result<(), CheckpointError> {
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => {
                let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
                Err(CheckpointError::refused(path, "remove")(errno))
            }
        }
    }
}
