//! What a person did outside to what belongs to the session, for its record.

use agentsh_audit::{EventDraft, EventType, RecordError, Value};
use agentsh_protocol::act::Act;

use super::session::Session;

impl Session {
    /// Puts what is done on record.
    ///
    /// # Errors
    /// The record takes nothing.
    pub(crate) fn note_act(&self, act: &Act) -> Result<(), RecordError> {
        match act {
            Act::Restored { entry, original, path } => self.emit(EventDraft {
                path: Some(&path.0),
                path2: original.as_ref().map(|original| original.0.as_slice()),
                fields: &[("entry", Value::Text(entry))],
                ..EventDraft::new(EventType::FileRestore)
            }),
            Act::Purged { entries, bytes } => self.emit(EventDraft {
                fields: &[
                    ("entries", Value::Unsigned(*entries)),
                    ("bytes", Value::Unsigned(*bytes)),
                ],
                ..EventDraft::new(EventType::TrashPurged)
            }),
            Act::CheckpointCreated { checkpoint, label } => self.emit(EventDraft {
                fields: &[
                    ("id", Value::Text(checkpoint)),
                    ("label", Value::Text(label.as_deref().unwrap_or_default())),
                ],
                ..EventDraft::new(EventType::CheckpointCreated)
            }),
            Act::CheckpointRestored {
                checkpoint,
                undo,
                changes,
            } => self.emit(EventDraft {
                fields: &[
                    ("id", Value::Text(checkpoint)),
                    ("undo", Value::Text(undo.as_deref().unwrap_or_default())),
                    ("changes", Value::Unsigned(*changes)),
                ],
                ..EventDraft::new(EventType::CheckpointRestored)
            }),
        }
    }
}
