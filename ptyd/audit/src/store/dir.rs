use std::io;
use std::path::{Path, PathBuf};

use agentsh_protocol::api::SessionInfo;

use super::{StoreError, atomic, read_plain};
use crate::lock;

/// The folders in it.
pub(super) const PARTS: [&str; 3] = ["recordings", "output", "checkpoints"];

/// One output stream of a command, as it is kept on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn as_str(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// The folder of one session's record: `session.json`, `policy.yaml`, `events.jsonl`, `recordings/`, `output/`,
/// `checkpoints/`, and while it runs `spool`. The anchor of its record stands outside, in `heads/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDir {
    id: String,
    state: PathBuf,
}

impl SessionDir {
    /// The folder of session `id` below the state folder; it need not exist.
    pub fn new(state: &Path, id: &str) -> Result<SessionDir, StoreError> {
        if !agentsh_protocol::is_id(id) {
            return Err(StoreError::NoId(id.to_owned()));
        }
        Ok(SessionDir {
            id: id.to_owned(),
            state: state.to_owned(),
        })
    }

    /// The session's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The folder itself.
    pub fn path(&self) -> PathBuf {
        self.state.join("sessions").join(&self.id)
    }

    /// The record.
    pub fn events_path(&self) -> PathBuf {
        self.path().join("events.jsonl")
    }

    /// What is accepted and not yet in the record.
    pub(crate) fn spool_path(&self) -> PathBuf {
        self.path().join("spool")
    }

    /// The anchor of the record's head.
    pub fn anchor_path(&self) -> PathBuf {
        self.state.join("heads").join(format!("{}.json", self.id))
    }

    /// The resolved policy.
    pub fn policy_path(&self) -> PathBuf {
        self.path().join("policy.yaml")
    }

    /// The control groups that were made for the session, one folder a line, each written before it is made.
    pub fn groups_path(&self) -> PathBuf {
        self.path().join("groups")
    }

    /// The recording of one command.
    pub fn recording_path(&self, command: &str) -> Result<PathBuf, StoreError> {
        Ok(self
            .path()
            .join("recordings")
            .join(format!("{}.cast", checked(command)?)))
    }

    /// The kept output of one command.
    pub fn output_path(&self, command: &str, stream: Stream) -> Result<PathBuf, StoreError> {
        let name = format!("{}.{}", checked(command)?, stream.as_str());
        Ok(self.path().join("output").join(name))
    }

    /// What a command wrote into a pipe of its caller, as it was recorded on its way.
    pub fn piped_path(&self, command: &str, stream: Stream) -> Result<PathBuf, StoreError> {
        let name = format!("{}.{}.piped", checked(command)?, stream.as_str());
        Ok(self.path().join("output").join(name))
    }

    /// Whether a process (the session's supervisor) has the record open for writing. Asked of the kernel, so it is true
    /// also when `session.json` is out of date.
    pub fn is_live(&self) -> bool {
        lock::is_held(&self.events_path())
    }

    /// Whether it was left before there was a record: nothing was ever written there or kept.
    pub fn is_unbegun(&self) -> bool {
        let absent = |path: PathBuf| {
            let found = std::fs::symlink_metadata(path);
            found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        };
        let empty = |part: &str| match std::fs::read_dir(self.path().join(part)) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        [self.events_path(), self.anchor_path(), self.spool_path()]
            .into_iter()
            .all(absent)
            && PARTS.into_iter().all(empty)
    }

    /// What `session.json` says.
    pub fn info(&self) -> Result<SessionInfo, StoreError> {
        let path = self.path().join("session.json");
        let text = read_plain(&path).map_err(StoreError::io(&path, "read"))?;
        serde_json::from_slice(&text).map_err(|source| StoreError::Malformed { path, source })
    }

    /// Replaces `session.json` as a whole: readers see the old or the new.
    pub fn write_info(&self, info: &SessionInfo) -> Result<(), StoreError> {
        let path = self.path().join("session.json");
        let mut text = serde_json::to_vec_pretty(info).map_err(|source| StoreError::Malformed {
            path: path.clone(),
            source,
        })?;
        text.push(b'\n');
        atomic::replace(&path, &text).map_err(StoreError::io(&path, "write"))
    }

    /// The text of the resolved policy.
    pub fn policy_text(&self) -> Result<String, StoreError> {
        let path = self.policy_path();
        let text = read_plain(&path).and_then(|text| String::from_utf8(text).map_err(io::Error::other));
        text.map_err(StoreError::io(&path, "read"))
    }

    /// Replaces the resolved policy as a whole.
    pub fn write_policy_text(&self, text: &str) -> Result<(), StoreError> {
        let path = self.policy_path();
        atomic::replace(&path, text.as_bytes()).map_err(StoreError::io(&path, "write"))
    }
}

/// Ids become file names, so nothing but an id may pass.
fn checked(command: &str) -> Result<&str, StoreError> {
    if agentsh_protocol::is_id(command) {
        Ok(command)
    } else {
        Err(StoreError::NoId(command.to_owned()))
    }
}
