use std::path::PathBuf;

use agentsh_protocol::Bytes;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Why a checkpoint was not made, read or restored. The workspace is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The kernel refused a step.
    #[error("{path}: {step}: {}", std::io::Error::from(*errno))]
    Refused {
        path: PathBuf,
        step: &'static str,
        errno: Errno,
    },
    /// No checkpoint has this id.
    #[error("no checkpoint {0} of this workspace")]
    Unknown(String),
    /// Several checkpoints have ids that begin or end so.
    #[error("{0} stands for more than one checkpoint")]
    Ambiguous(String),
    /// A file of the store is cut or altered.
    #[error("{file}: damaged: {problem}")]
    Damaged { file: PathBuf, problem: String },
    /// It was written by a later version.
    #[error("{file}: format {format} is not known here")]
    Format { file: PathBuf, format: u32 },
    /// Nothing can be staged where a rename leads into the workspace.
    #[error("{0}: no folder for staging can be made on this mount")]
    NoStage(PathBuf),
    /// The path is not in the checkpoint.
    #[error("{0} is not in the checkpoint")]
    NotThere(PathBuf),
}

/// The step that opens the store.
pub(super) const OPENING: &str = "open the store";

impl CheckpointError {
    /// Whether the store itself could not be opened, and not the workspace.
    pub fn is_closed(&self) -> bool {
        matches!(self, CheckpointError::Refused { step, .. } if *step == OPENING)
    }

    pub(crate) fn refused(path: impl Into<PathBuf>, step: &'static str) -> impl FnOnce(Errno) -> CheckpointError {
        let path = path.into();
        move |errno| CheckpointError::Refused { path, step, errno }
    }
}

/// Something in the workspace that could not be recorded or restored like the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Relative to the workspace.
    pub path: Bytes,
    pub reason: String,
}

impl Problem {
    pub(crate) fn new(path: &[u8], reason: impl Into<String>) -> Problem {
        Problem {
            path: Bytes::from(path),
            reason: reason.into(),
        }
    }

    pub(crate) fn errno(path: &[u8], errno: Errno) -> Problem {
        Problem::new(path, std::io::Error::from(errno).to_string())
    }
}
