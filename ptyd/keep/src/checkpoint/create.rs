use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use agentsh_protocol::Bytes;
use rustix::io::Errno;

use super::pack::Packs;
use super::walk::{Found, Walk};
use super::{CheckpointError, Checkpoints, Entry, Header, Lock, Manifest};
use crate::fs::Time;

/// A workspace that changes while it is walked is walked again so many times.
const TRIES: usize = 3;

/// File systems stamp changes with a clock that moves in ticks of up to 10 ms.
const TICK: Duration = Duration::from_millis(20);

/// A checkpoint that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// With `unstable`, what kept changing, and `problems`, what could not be read.
    pub header: Header,
    /// Walks that it took: more than one if the workspace changed meanwhile.
    pub walks: usize,
}

impl Checkpoints {
    /// Makes a checkpoint of all that is in the workspace: hidden and untracked files, `.git`, links,
    /// empty folders, fifos. Left out, and named in the header, are other file systems mounted in it
    /// and our own folders. What changes meanwhile is read again, and reported if it keeps
    /// changing; what changes after it was read is as if it had changed afterwards.
    ///
    /// # Errors
    /// The workspace cannot be opened or the store not be written. Nothing is left of it then.
    pub fn create(&self, label: Option<&str>) -> Result<Created, CheckpointError> {
        let lock = self.lock()?;
        let (manifest, walks) = self.create_locked(label, &lock)?;
        Ok(Created {
            header: manifest.header.clone(),
            walks,
        })
    }

    pub(super) fn create_locked(
        &self,
        label: Option<&str>,
        lock: &Lock,
    ) -> Result<(Arc<Manifest>, usize), CheckpointError> {
        match self.record(label) {
            Ok((manifest, walks, wasted)) => {
                *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&manifest));
                if wasted {
                    self.drop_unused_packs(lock)?;
                }
                Ok((manifest, walks))
            }
            Err(error) => {
                self.drop_unused_packs(lock)?;
                Err(error)
            }
        }
    }

    /// The checkpoint, the walks it took, and whether something was stored that it does not use.
    fn record(&self, label: Option<&str>) -> Result<(Arc<Manifest>, usize, bool), CheckpointError> {
        let before = self.newest()?;
        let (names, known) = match &before {
            Some(before) => (before.header.packs.clone(), stored(before)),
            None => Default::default(),
        };
        let old = names.len();
        let packs = Packs::new(self.store.join("packs"), names, known);
        let excluded = self.excluded();
        let started = Time::now();
        let mut read_since = before
            .as_ref()
            .map_or(Time(i64::MIN, 0), |before| before.header.started);
        let mut prior: Vec<Entry> = Vec::new();
        let mut found = Found::default();
        let mut walks = 0;
        while walks < TRIES {
            let entries = if walks == 0 {
                before.as_ref().map_or(&[][..], |before| &before.entries)
            } else {
                &prior
            };
            let walk = Walk {
                root: self.root.as_fd(),
                prior: by_path(entries),
                trusted_before: read_since.before(TICK),
                packs: Some(&packs),
                excluded: &excluded,
            };
            let this = Time::now();
            found = walk
                .run()
                .map_err(CheckpointError::refused(&self.workspace, "record"))?;
            walks += 1;
            if found.unstable.is_empty() {
                break;
            }
            prior.clone_from(&found.entries);
            read_since = this;
        }
        let mut manifest = Manifest::assemble(label, &self.workspace, started, found.entries);
        let names = packs.names();
        manifest.settle_packs(&names);
        let wasted = names[old..].iter().any(|pack| !manifest.header.packs.contains(pack));
        let header = &mut manifest.header;
        header.finished = Time::now();
        header.unstable = found.unstable;
        header.unstable.sort();
        header.unstable.dedup();
        header.problems = found.problems;
        header.excluded = excluded.into_iter().map(Bytes).collect();
        header.excluded.sort();
        let path = self.manifest_path(manifest.header.id);
        manifest.write(&path).map_err(|error| {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            CheckpointError::refused(path, "write")(errno)
        })?;
        Ok((Arc::new(manifest), walks, wasted))
    }

    /// The newest checkpoint that can be read.
    fn newest(&self) -> Result<Option<Arc<Manifest>>, CheckpointError> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        for id in self.ids()?.into_iter().rev() {
            if let Some(latest) = latest.as_ref()
                && latest.header.id == id
            {
                return Ok(Some(Arc::clone(latest)));
            }
            if let Ok(manifest) = Manifest::read(&self.manifest_path(id)) {
                let manifest = Arc::new(manifest);
                *latest = Some(Arc::clone(&manifest));
                return Ok(Some(manifest));
            }
        }
        Ok(None)
    }

    /// The present state, stored nowhere; files that are still those of `like` are not read.
    pub(super) fn survey(&self, like: &Manifest) -> Result<Manifest, CheckpointError> {
        let excluded = self.excluded();
        let started = Time::now();
        let walk = Walk {
            root: self.root.as_fd(),
            prior: by_path(&like.entries),
            trusted_before: like.header.started.before(TICK),
            packs: None,
            excluded: &excluded,
        };
        let found = walk.run().map_err(CheckpointError::refused(&self.workspace, "walk"))?;
        let mut manifest = Manifest::assemble(None, &self.workspace, started, found.entries);
        manifest.header.problems = found.problems;
        manifest.header.excluded = excluded.into_iter().map(Bytes).collect();
        Ok(manifest)
    }
}

fn by_path(entries: &[Entry]) -> HashMap<&[u8], &Entry> {
    entries.iter().map(|entry| (entry.path.0.as_slice(), entry)).collect()
}

fn stored(manifest: &Manifest) -> HashMap<super::entry::Digest, super::entry::Location> {
    let contents = manifest.entries.iter().filter_map(|entry| entry.contents);
    contents
        .filter_map(|contents| Some((contents.hash, contents.at?)))
        .collect()
}
