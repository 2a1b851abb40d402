//! The caller's recordings on disk: which one a word means.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use agentsh_audit::Store;
use agentsh_terminal::recording::Recording;
use agentsh_terminal::search::recordings;

use crate::error::Error;
use crate::{record, render};

/// A recording of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub session: String,
    pub command: String,
    pub path: PathBuf,
}

/// The recordings of the sessions that `wanted` names by id, oldest first. A folder that cannot be read is said.
///
/// # Errors
/// The state folder itself cannot be read.
pub fn all(store: &Store, wanted: impl Fn(&str) -> bool) -> Result<Vec<Kept>, Error> {
    let mut all = Vec::new();
    for dir in record::dirs(store)? {
        if !wanted(dir.id()) {
            continue;
        }
        let folder = dir.path().join("recordings");
        match recordings(&folder) {
            Ok(paths) => all.extend(paths.into_iter().map(|path| Kept {
                session: dir.id().to_owned(),
                command: command_of(&path),
                path,
            })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => render::say(&format!("agentsh: {}: {source}", folder.display())),
        }
    }
    Ok(all)
}

fn command_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.trim_end_matches(".zst").trim_end_matches(".cast").to_owned()
}

/// What `word` means: a file, a command by a unique beginning of its id, or a session, whose recordings are joined.
///
/// # Errors
/// It means nothing, or several things, or what it means is no recording.
pub fn open(store: &Store, word: &OsStr) -> Result<(Recording, Vec<PathBuf>), Error> {
    let (path, bytes) = (Path::new(word), word.as_bytes());
    if bytes.contains(&b'/') || bytes.ends_with(b".cast") || bytes.ends_with(b".cast.zst") || path.is_file() {
        if path.is_dir() {
            return Err(Error::file(path, std::io::ErrorKind::IsADirectory.into()));
        }
        return Ok((Recording::open(path)?, vec![path.to_owned()]));
    }
    let word = &*word.to_string_lossy();
    let kept = meant(store, word)?;
    let paths: Vec<PathBuf> = kept.into_iter().map(|kept| kept.path).collect();
    let opened = paths
        .iter()
        .map(|path| Recording::open(path))
        .collect::<Result<Vec<_>, _>>()?;
    match Recording::join(opened) {
        Some(recording) => Ok((recording, paths)),
        None => Err(nothing(word)),
    }
}

fn meant(store: &Store, word: &str) -> Result<Vec<Kept>, Error> {
    let of_command: Vec<Kept> = all(store, |_| true)?
        .into_iter()
        .filter(|kept| kept.command.starts_with(word))
        .collect();
    match (of_command.len(), store.find(word)) {
        (0, Ok(dir)) => all(store, |id| id == dir.id()),
        (1, Err(_)) => Ok(of_command),
        (1, Ok(_)) => Err(several(word)),
        // Ids of one moment begin alike: a whole session id wins over commands of which it is no beginning.
        (0, Err(_)) => Err(nothing(word)),
        (_, _) => Err(several(word)),
    }
}

fn nothing(word: &str) -> Error {
    Error::unknown(
        format!("no recording of {}", render::visible(word)),
        "recorded are commands with a terminal; `agentsh search TEXT` looks through all recordings, and a file is named by its path",
    )
}

fn several(word: &str) -> Error {
    Error::unknown(
        format!("several recordings begin with {}", render::visible(word)),
        "give more characters of the id",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentsh_protocol::new_id;

    const CAST: &str = "{\"version\":3,\"term\":{\"cols\":20,\"rows\":4},\"command\":\"ls\"}\n[1.0, \"o\", \"hi\"]\n";

    #[test]
    fn a_word_means_a_file_a_command_or_a_session() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let store = Store::new(folder.path());
        let session = new_id();
        let json = format!(
            r#"{{"id": "{session}", "name": "work", "workspace": null, "policy": "p", "mode": "m", "path": "/x",
                "created": "", "state": "ended", "uid": 0, "automatic": false}}"#
        );
        let dir = store.create(&serde_json::from_str(&json)?, "")?;
        let (one, two) = (new_id(), new_id());
        std::fs::write(dir.recording_path(&one)?, CAST)?;
        std::fs::write(dir.recording_path(&two)?, CAST)?;
        assert_eq!(open(&store, one.as_ref())?.1, [dir.recording_path(&one)?]);
        let (joined, paths) = open(&store, "work".as_ref())?;
        assert_eq!((paths.len(), joined.events.len()), (2, 6));
        let path = dir.recording_path(&one)?;
        assert_eq!(open(&store, path.as_os_str())?.0.events.len(), 1);
        assert!(open(&store, one[..4].as_ref()).is_err() && open(&store, "nothing".as_ref()).is_err());
        assert!(open(&store, "/nowhere/x.cast".as_ref()).is_err() && open(&store, "/tmp/".as_ref()).is_err());
        Ok(())
    }
}
