//! The state folder: `sessions/<id>/` for each session, `heads/<id>.json` for the anchor of each record.

mod atomic;
mod dir;
mod error;
mod plain;

use std::io;
use std::path::{Path, PathBuf};

use agentsh_protocol::api::SessionInfo;

pub(crate) use atomic::make_dir;
pub use dir::{SessionDir, Stream};
pub use error::StoreError;
pub use plain::open_plain;
pub(crate) use plain::read_plain;

/// All sessions of one user.
#[derive(Debug, Clone)]
pub struct Store {
    state: PathBuf,
}

/// What a state folder holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// Oldest first.
    pub sessions: Vec<(SessionDir, SessionInfo)>,
    /// Folders that could not be read, each with the reason.
    pub problems: Vec<StoreError>,
}

impl Store {
    /// The store in a state folder (see `places::Account::state_dir`), which need not exist yet.
    pub fn new(state: &Path) -> Store {
        Store {
            state: state.to_owned(),
        }
    }

    /// The state folder.
    pub fn path(&self) -> &Path {
        &self.state
    }

    /// Makes the folder of a new session, with `session.json` and `policy.yaml`.
    pub fn create(&self, info: &SessionInfo, policy_text: &str) -> Result<SessionDir, StoreError> {
        let dir = SessionDir::new(&self.state, &info.id)?;
        let path = dir.path();
        let heads = self.state.join("heads");
        make_dir(&heads).map_err(StoreError::io(&heads, "create"))?;
        for part in dir::PARTS {
            let part = path.join(part);
            make_dir(&part).map_err(StoreError::io(&part, "create"))?;
        }
        dir.write_policy_text(policy_text)?;
        dir.write_info(info)?;
        Ok(dir)
    }

    /// Every session with its `session.json`.
    pub fn list(&self) -> Result<Listing, StoreError> {
        let mut listing = Listing::default();
        for dir in self.dirs()? {
            match dir.info() {
                Ok(info) => listing.sessions.push((dir, info)),
                Err(problem) => listing.problems.push(problem),
            }
        }
        Ok(listing)
    }

    /// The session that `word` means: a whole id, a name, or the beginning of an id that no other has.
    pub fn find(&self, word: &str) -> Result<SessionDir, StoreError> {
        if let Ok(dir) = SessionDir::new(&self.state, word)
            && dir.path().is_dir()
        {
            return Ok(dir);
        }
        let listing = self.list()?;
        let named = listing
            .sessions
            .iter()
            .filter(|(_, info)| info.name.as_deref() == Some(word));
        let mut found: Vec<&SessionDir> = named.map(|(dir, _)| dir).collect();
        if found.len() > 1 {
            // Names may be used again: the session that runs is meant.
            let live: Vec<&SessionDir> = found.iter().copied().filter(|dir| dir.is_live()).collect();
            found = if live.is_empty() { found } else { live };
        }
        let dirs = self.dirs()?;
        if found.is_empty() && !word.is_empty() {
            found = dirs.iter().filter(|dir| dir.id().starts_with(word)).collect();
        }
        match found.as_slice() {
            [] => Err(StoreError::NotFound(word.to_owned())),
            [dir] => Ok((*dir).clone()),
            several => Err(StoreError::Ambiguous {
                word: word.to_owned(),
                candidates: several.iter().map(|dir| dir.id().to_owned()).collect(),
            }),
        }
    }

    /// Every session of which a folder or an anchor is left, oldest first.
    pub fn known(&self) -> Result<Vec<SessionDir>, StoreError> {
        let heads = self.state.join("heads");
        let mut known = self.dirs()?;
        let entries = match std::fs::read_dir(&heads) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(known),
            other => other.map_err(StoreError::io(&heads, "read"))?,
        };
        for entry in entries {
            let name = entry.map_err(StoreError::io(&heads, "read"))?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
            known.extend(id.and_then(|id| SessionDir::new(&self.state, id).ok()));
        }
        known.sort_by(|left, right| left.id().cmp(right.id()));
        known.dedup();
        Ok(known)
    }

    /// The folders that are named by an id, oldest first (ids begin with their time).
    pub fn dirs(&self) -> Result<Vec<SessionDir>, StoreError> {
        let sessions = self.state.join("sessions");
        let entries = match std::fs::read_dir(&sessions) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(StoreError::io(&sessions, "read"))?,
        };
        let mut dirs = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StoreError::io(&sessions, "read"))?;
            if let Some(name) = entry.file_name().to_str()
                && let Ok(dir) = SessionDir::new(&self.state, name)
            {
                dirs.push(dir);
            }
        }
        dirs.sort_by(|left, right| left.id().cmp(right.id()));
        Ok(dirs)
    }
}
