//! What a person has done outside of a session to what belongs to it (`POST /v1/sessions/ID/acts`): the session's
//! supervisor alone may write to its record.

use serde::{Deserialize, Serialize};

use crate::Bytes;

/// One thing that is done already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// An entry of the trash was brought back.
    Restored {
        entry: String,
        /// Where it was, if that is known.
        original: Option<Bytes>,
        /// Where it is now.
        path: Bytes,
    },
    /// Entries of the trash are gone for ever.
    Purged { entries: u64, bytes: u64 },
    /// The workspace's state was kept.
    CheckpointCreated { checkpoint: String, label: Option<String> },
    /// The workspace was brought back to a checkpoint.
    CheckpointRestored {
        checkpoint: String,
        /// The checkpoint of the state before.
        undo: Option<String>,
        changes: u64,
    },
}
