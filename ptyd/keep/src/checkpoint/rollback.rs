use std::ffi::{CStr, CString};
use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::io::Errno;

use super::change::changes;
use super::journal::Journal;
use super::pack::Reader;
use super::plan::{Plan, Step};
use super::stage::{Stage, numbered};
use super::{Change, CheckpointError, Checkpoints, Manifest, Problem, apply};
use crate::Id;
use crate::fs::{Kind, join, names, open_beneath, stat};
use crate::trash::{Kept, Meta, Removal};

/// What a rollback did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    pub target: Id,
    /// The checkpoint of the state before: rolling back to it undoes this. None for a dry run.
    pub undo: Option<Id>,
    /// Seen from the state before. Empty for one that was recovered.
    pub changes: Vec<Change>,
    /// What was left as it is, and why.
    pub problems: Vec<Problem>,
    /// What others changed while the rollback ran, and had to give way: it is in the trash.
    pub kept: Vec<Kept>,
}

impl Checkpoints {
    /// Brings the workspace back to a checkpoint. A checkpoint of the present state is made first;
    /// then all that is to come is laid out beside the workspace; then a journal decides, and
    /// renames bring about, the new state. Killed before the journal is written it leaves the old
    /// state; after that the next [`Checkpoints::open`] ends it. The session's commands should stand still.
    ///
    /// # Errors
    /// The checkpoint or the store is damaged, or there is no room: nothing in the workspace has changed then.
    pub fn rollback(&self, id: Id, dry_run: bool) -> Result<Rollback, CheckpointError> {
        let target = self.show(id)?;
        if dry_run {
            let present = self.survey(&target)?;
            let changes = changes(&present, &target);
            let problems = Plan::new(&present, &target, &changes).problems;
            return Ok(Rollback {
                target: id,
                undo: None,
                changes,
                problems,
                kept: Vec::new(),
            });
        }
        let lock = self.lock()?;
        let (present, _) = self.create_locked(Some(&format!("before rollback to {id}")), &lock)?;
        let undo = present.header.id;
        let changes = changes(&present, &target);
        let plan = Plan::new(&present, &target, &changes);
        let stage = self.new_stage()?;
        let mut reader = Reader::new(self.store.join("packs"), &target.header.packs);
        let mut problems = plan.problems;
        let decided = stage.fill(&plan.staged, &mut reader).and_then(|unset| {
            problems.extend(unset);
            rustix::fs::syncfs(&stage.new).map_err(CheckpointError::refused(&stage.path, "sync"))?;
            let journal = Journal::new(id, undo, &stage.path, plan.steps);
            journal
                .commit(&self.store)
                .map_err(|error| self.journal_failed(error))?;
            Ok(journal)
        });
        let journal = match decided {
            Ok(journal) => journal,
            Err(error) => {
                // Unless the journal has its name after all: then the next open ends the rollback.
                if matches!(Journal::read(&self.store), Ok(None)) {
                    let _ = stage.clear(); // at the latest the next rollback does
                }
                return Err(error);
            }
        };
        let ended = self.end(journal, &stage, &present)?;
        problems.extend(ended.problems);
        Ok(Rollback {
            changes,
            problems,
            ..ended
        })
    }

    fn journal_failed(&self, error: std::io::Error) -> CheckpointError {
        let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        CheckpointError::refused(self.store.join("journal"), "write")(errno)
    }

    fn new_stage(&self) -> Result<Stage, CheckpointError> {
        // One stage a store, so that what a killed run left is found and cleared.
        let hash = blake3::hash(self.store.as_os_str().as_encoded_bytes()).to_hex();
        let name = CString::new(&hash[..16]).unwrap_or_default();
        let failed = |errno| CheckpointError::refused(&self.workspace, "stage beside it")(errno);
        let scratch = self.trash.scratch(self.root.as_fd()).map_err(failed)?;
        let scratch = scratch.ok_or_else(|| CheckpointError::NoStage(self.workspace.clone()))?;
        Stage::create(scratch.as_fd(), &name, rustix::process::geteuid().as_raw()).map_err(failed)
    }

    /// Ends a rollback that was interrupted after it was decided.
    pub(super) fn recover(&self) -> Result<Option<Rollback>, CheckpointError> {
        if Journal::read(&self.store)?.is_none() {
            return Ok(None);
        }
        let _lock = self.lock()?;
        // Read again: another process may have ended it meanwhile.
        let Some(journal) = Journal::read(&self.store)? else {
            return Ok(None);
        };
        let path = PathBuf::from(journal.stage.as_os_str());
        let stage = Stage::open(path.clone(), rustix::process::geteuid().as_raw()).map_err(
            CheckpointError::refused(path, "open the stage of an interrupted rollback"),
        )?;
        let undo = self.show(journal.undo)?;
        self.end(journal, &stage, &undo).map(Some)
    }

    /// Does the steps, saves what is nobody's but in the way, and clears up.
    fn end(&self, mut journal: Journal, stage: &Stage, undo: &Manifest) -> Result<Rollback, CheckpointError> {
        let mut problems = Vec::new();
        if !journal.steps_done {
            problems = apply::run(self.root.as_fd(), stage, &journal.steps);
            journal
                .settle(&self.store)
                .map_err(|error| self.journal_failed(error))?;
        }
        let kept = self.save_strangers(&journal, stage, undo, &mut problems)?;
        Journal::remove(&self.store).map_err(|error| self.journal_failed(error))?;
        if let Err(errno) = stage.clear() {
            problems.push(Problem::new(
                b"",
                format!("{}: {}", stage.path.display(), std::io::Error::from(errno)),
            ));
        }
        Ok(Rollback {
            target: journal.target,
            undo: Some(journal.undo),
            changes: Vec::new(),
            problems,
            kept,
        })
    }

    /// Moves to the trash what was taken out of the workspace and is not in the checkpoint of the
    /// state before: it was changed or made since.
    fn save_strangers(
        &self,
        journal: &Journal,
        stage: &Stage,
        undo: &Manifest,
        problems: &mut Vec<Problem>,
    ) -> Result<Vec<Kept>, CheckpointError> {
        let failed = |errno| CheckpointError::refused(&stage.path, "look through")(errno);
        let mut origins = std::collections::HashMap::new();
        for step in &journal.steps {
            if let Step::Away { path, number } = step {
                origins.insert(numbered(*number), path);
            }
        }
        let meta = Meta {
            rule: Some(format!("rollback to {}", journal.target)),
            ..Meta::default()
        };
        let mut kept = Vec::new();
        for name in names(&stage.old).map_err(failed)? {
            let origin = origins.get(&name);
            if is_recorded(stage, &name, origin.map(|path| path.0.as_slice()), undo).map_err(failed)? {
                continue;
            }
            let original = match origin {
                Some(path) => self.workspace.join(path.as_os_str()),
                None => self
                    .workspace
                    .join(format!("found-during-rollback-{}", name.to_string_lossy())),
            };
            match self
                .trash
                .discard(stage.old.as_fd(), &name, Removal::Tree, &original, &meta)
            {
                Ok(entry) => kept.push(entry),
                Err(error) => {
                    let path = origin.map(|path| path.0.as_slice()).unwrap_or_default();
                    problems.push(Problem::new(path, format!("changed meanwhile, and not kept: {error}")));
                }
            }
        }
        Ok(kept)
    }
}

/// Whether all that is under a name in `old/` is in the checkpoint. An empty folder loses nothing.
fn is_recorded(stage: &Stage, name: &CStr, origin: Option<&[u8]>, undo: &Manifest) -> Result<bool, Errno> {
    let mut open = vec![(name.to_bytes().to_vec(), origin.unwrap_or_default().to_vec())];
    let top = stat(&stage.old, name)?;
    if top.kind != Kind::Dir {
        return Ok(origin.is_some_and(|path| same(undo, path, &top)));
    }
    while let Some((here, path)) = open.pop() {
        let dir = open_beneath(&stage.old, &here)?;
        for child in names(&dir)? {
            let found = stat(&dir, &child)?;
            let (inner, path) = (join(&here, &child), join(&path, &child));
            if origin.is_none() || !same(undo, &path, &found) {
                return Ok(false);
            }
            if found.kind == Kind::Dir {
                open.push((inner, path));
            }
        }
    }
    Ok(true)
}

/// Whether an object is the one recorded at a path. Its status change time is not asked: the rename moves it.
fn same(undo: &Manifest, path: &[u8], found: &crate::fs::Stat) -> bool {
    undo.get(path).is_some_and(|entry| {
        let unchanged = entry.kind == Kind::Dir || (entry.size == found.size && entry.modified() == found.mtime);
        entry.kind == found.kind && entry.ino == found.ino && unchanged
    })
}
