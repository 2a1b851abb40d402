//! Retention: which sessions' records are removed.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::lock;
use crate::store::{SessionDir, Store, StoreError};
use crate::time;

/// How long and how much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// A session that ended longer ago is removed.
    pub max_age: Duration,
    /// While all sessions together take more bytes on disk, the one that ended first is removed.
    pub max_bytes: u64,
}

impl Default for Retention {
    /// 30 days, 10 GiB.
    fn default() -> Retention {
        Retention {
            max_age: Duration::from_secs(30 * 86_400),
            max_bytes: 10 << 30,
        }
    }
}

/// What does not say when it ended is left alone as long as it is newer than this: it may be a session that starts.
const STARTING: Duration = Duration::from_secs(600);

/// What was, or would be, removed.
#[derive(Debug, Default, Serialize)]
pub struct Collected {
    pub removed: Vec<Removed>,
    pub freed_bytes: u64,
    pub kept: usize,
    pub kept_bytes: u64,
    /// What could not be read or removed, one line each.
    pub problems: Vec<String>,
}

/// One session that was removed.
#[derive(Debug, Serialize)]
pub struct Removed {
    pub session_id: String,
    pub bytes: u64,
    /// When it ended, as far as is known; RFC 3339.
    pub ended: String,
}

struct Candidate {
    dir: SessionDir,
    bytes: u64,
    ended: u64,
    live: bool,
    /// Whether it says itself that it has ended.
    over: bool,
    /// Whether it never came to stand.
    unbegun: bool,
}

/// Removes the sessions that `retention` does not keep, and what never became one; with `dry_run` only says which. Running
/// sessions are counted and never touched, and neither is for ten minutes what does not say that it has ended.
pub fn collect(store: &Store, retention: &Retention, dry_run: bool) -> Result<Collected, StoreError> {
    let mut collected = Collected::default();
    if !dry_run {
        sweep(store, &mut collected);
    }
    let mut all = Vec::new();
    for dir in store.dirs()? {
        match candidate(dir) {
            Ok(candidate) => all.push(candidate),
            Err(error) => collected.problems.push(error.to_string()),
        }
    }
    all.sort_by_key(|candidate| candidate.ended);
    let mut total: u64 = all.iter().map(|candidate| candidate.bytes).sum();
    let now = time::parse_rfc3339(&time::now_rfc3339()).unwrap_or(0);
    for candidate in all {
        let age = Duration::from_nanos(now.saturating_sub(candidate.ended));
        let wanted = !candidate.unbegun && age <= retention.max_age && total <= retention.max_bytes;
        let starting = !candidate.over && age < STARTING;
        if wanted || candidate.live || starting {
            collected.kept += 1;
            continue;
        }
        match if dry_run { Ok(true) } else { remove(&candidate.dir) } {
            Ok(true) => {
                total -= candidate.bytes;
                collected.freed_bytes += candidate.bytes;
                collected.removed.push(Removed {
                    session_id: candidate.dir.id().to_owned(),
                    bytes: candidate.bytes,
                    ended: time::rfc3339(candidate.ended),
                });
            }
            Ok(false) => collected.kept += 1, // it began to run in this moment
            Err(error) => collected
                .problems
                .push(format!("{}: {error}", candidate.dir.path().display())),
        }
    }
    collected.kept_bytes = total;
    Ok(collected)
}

fn candidate(dir: SessionDir) -> Result<Candidate, StoreError> {
    let path = dir.path();
    let said = dir.info().ok().and_then(|info| info.ended);
    let said = said.and_then(|ended| time::parse_rfc3339(&ended));
    let ended = match said {
        Some(ended) => ended,
        // It died, or its session.json is unreadable: the last change of its record is when it was last seen.
        None => last_change(&dir).map_err(StoreError::io(&path, "read"))?,
    };
    Ok(Candidate {
        bytes: size(&path).map_err(StoreError::io(&path, "read"))?,
        live: dir.is_live(),
        over: said.is_some(),
        unbegun: dir.is_unbegun(),
        ended,
        dir,
    })
}

fn last_change(dir: &SessionDir) -> io::Result<u64> {
    let metadata = std::fs::metadata(dir.events_path()).or_else(|_| std::fs::metadata(dir.path()))?;
    let seconds = u64::try_from(metadata.mtime()).unwrap_or(0);
    Ok(seconds.saturating_mul(1_000_000_000))
}

/// Bytes on disk of a folder and all below; links are not followed.
fn size(path: &Path) -> io::Result<u64> {
    let metadata = std::fs::symlink_metadata(path)?;
    let mut bytes = metadata.blocks() * 512;
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path)? {
            // What a session removes meanwhile takes no space.
            match size(&entry?.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => bytes += other?,
            }
        }
    }
    Ok(bytes)
}

/// Removes a session. Its record is locked meanwhile, so that nobody opens it; first the folder gets another name, so
/// that a death in the middle leaves no half session.
fn remove(dir: &SessionDir) -> io::Result<bool> {
    let _lock = match File::options().read(true).write(true).open(dir.events_path()) {
        Ok(file) => match lock::take(&file) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            other => other.map(|()| Some(file))?,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    take_away(dir).map(|()| true)
}

/// Removes what was made of a session that does not come to stand. Nobody but its maker knows of it.
pub fn discard(dir: &SessionDir) -> io::Result<()> {
    take_away(dir)
}

/// Removes what is left of sessions whose maker was killed before they had a record; their ids. Whoever makes one now for
/// itself loses it, so this is for a broker that begins.
pub fn discard_unbegun(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut gone = Vec::new();
    for dir in store.dirs()?.iter().filter(|dir| dir.is_unbegun()) {
        take_away(dir).map_err(StoreError::io(&dir.path(), "remove"))?;
        gone.push(dir.id().to_owned());
    }
    Ok(gone)
}

fn take_away(dir: &SessionDir) -> io::Result<()> {
    let path = dir.path();
    let aside = path.with_file_name(format!("{REMOVING}{}", dir.id()));
    let absent = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let folder = std::fs::rename(&path, &aside);
    // At once: an anchor without its record looks like a record that somebody removed.
    let anchor = std::fs::remove_file(dir.anchor_path());
    match folder {
        Err(error) if absent(&error) => {}
        other => other.and_then(|()| std::fs::remove_dir_all(&aside))?,
    }
    match anchor {
        Err(error) if absent(&error) => Ok(()),
        other => other,
    }
}

/// How the name of a folder begins that is being removed.
const REMOVING: &str = ".removing-";

/// Finishes what an earlier run that died had begun.
fn sweep(store: &Store, collected: &mut Collected) {
    let Ok(entries) = std::fs::read_dir(store.path().join("sessions")) else {
        return; // no session yet
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|name| name.strip_prefix(REMOVING)) else {
            continue;
        };
        let Ok(dir) = SessionDir::new(store.path(), id) else {
            continue;
        };
        if let Err(error) = std::fs::remove_dir_all(entry.path()) {
            collected.problems.push(format!("{}: {error}", entry.path().display()));
        } else {
            let _ = std::fs::remove_file(dir.anchor_path()); // it may have been removed already
        }
    }
}
