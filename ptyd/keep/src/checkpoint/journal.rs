use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use agentsh_protocol::Bytes;
use serde::{Deserialize, Serialize};

use super::CheckpointError;
use super::plan::Step;
use crate::Id;

/// The format that is written.
const FORMAT: u32 = 1;

/// A rollback that is decided: everything is staged, and from the moment this file has its name the
/// new state is the one that will be, whoever is killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Journal {
    format: u32,
    /// The checkpoint that is gone back to.
    pub target: Id,
    /// The checkpoint of the state before.
    pub undo: Id,
    pub stage: Bytes,
    pub steps: Vec<Step>,
    pub steps_done: bool,
}

impl Journal {
    pub fn new(target: Id, undo: Id, stage: &Path, steps: Vec<Step>) -> Journal {
        Journal {
            format: FORMAT,
            target,
            undo,
            stage: Bytes::from(stage),
            steps,
            steps_done: false,
        }
    }

    /// Writes it so that it outlasts a power failure.
    pub fn commit(&self, store: &Path) -> std::io::Result<()> {
        let unfinished = store.join("journal.unfinished");
        let mut file = BufWriter::new(File::create(&unfinished)?);
        serde_json::to_writer(&mut file, self)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        std::fs::rename(unfinished, path(store))?;
        File::open(store)?.sync_all()
    }

    /// The journal of a rollback that was interrupted, if there is one.
    pub fn read(store: &Path) -> Result<Option<Journal>, CheckpointError> {
        let file = path(store);
        let damaged = |problem: String| CheckpointError::Damaged {
            file: file.clone(),
            problem,
        };
        let text = match std::fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(damaged(error.to_string())),
        };
        let journal: Journal = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if journal.format != FORMAT {
            return Err(CheckpointError::Format {
                file,
                format: journal.format,
            });
        }
        Ok(Some(journal))
    }

    /// Notes that all steps are done: none is ever done again.
    pub fn settle(&mut self, store: &Path) -> std::io::Result<()> {
        self.steps_done = true;
        self.commit(store)
    }

    /// Ends the rollback.
    pub fn remove(store: &Path) -> std::io::Result<()> {
        std::fs::remove_file(path(store))
    }
}

fn path(store: &Path) -> PathBuf {
    store.join("journal")
}
