use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with the folders and files of sessions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{}: {source}", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
    #[error("`{0}` is not an id (a UUIDv7 in its usual form)")]
    NoId(String),
    #[error("no session `{0}`")]
    NotFound(String),
    #[error("`{word}` is the beginning or name of {}: say more of it", candidates.join(", "))]
    Ambiguous { word: String, candidates: Vec<String> },
}

impl StoreError {
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.to_owned();
        move |source| StoreError::Io { action, path, source }
    }
}
