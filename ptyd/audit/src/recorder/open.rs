//! Opening a record, and putting in order what a death left.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::batch::Identity;
use super::log::Log;
use super::restore::{self, Restored};
use super::shared::Shared;
use super::writer::Writer;
use super::{Inner, Options, RecordError, Recorder};
use crate::anchor::{Anchor, AnchorFile};
use crate::event::{EventDraft, EventType, Value};
use crate::spool::{Found, Spool};
use crate::store::{SessionDir, make_dir};

impl Recorder {
    /// Opens the record of a session for writing, and first completes what an earlier writer had accepted.
    ///
    /// One process at a time: [`RecordError::Busy`] otherwise. A sealed record is not opened again.
    pub fn open(dir: &SessionDir, options: Options) -> Result<Recorder, RecordError> {
        let path = dir.events_path();
        for folder in [path.parent(), dir.anchor_path().parent()].into_iter().flatten() {
            make_dir(folder).map_err(failed("create", folder))?;
        }
        let log = Log::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => RecordError::Busy { path: path.clone() },
            _ => failed("open", &path)(source),
        })?;
        refuse_if_sealed(dir)?;
        let anchor = AnchorFile::open(&dir.anchor_path()).map_err(failed("open", &dir.anchor_path()))?;
        let restored = restore(dir, &log, options)?;
        // From the first line on there is an anchor.
        anchor
            .write(&Anchor::at(dir.id(), restored.base, false))
            .map_err(failed("write", &dir.anchor_path()))?;
        let identity = Identity {
            session_id: dir.id().to_owned(),
            salt: restored.spool.salt(),
        };
        let shared = Arc::new(Shared::new(restored.spool, path.clone(), restored.base.drained));
        let writer = Writer {
            shared: Arc::clone(&shared),
            log,
            anchor,
            identity,
            base: restored.base,
            options,
            // What a dead writer wrote it may not have synced.
            dirty: Some(std::time::Instant::now()),
        };
        let thread = std::thread::Builder::new()
            .name("record".to_owned())
            .stack_size(256 << 10)
            .spawn(|| writer.run())
            .map_err(failed("start the writer of", &path))?;
        let recorder = Recorder(Arc::new(Inner {
            shared,
            options,
            writer: Mutex::new(Some(thread)),
        }));
        if restored.damaged {
            let reason = "the spool was torn, as by a power failure: what was accepted last may be missing";
            recorder.emit(EventDraft {
                fields: &[("reason", Value::Text(reason))],
                ..EventDraft::new(EventType::EventsLost)
            })?;
        }
        Ok(recorder)
    }
}

/// What [`recover`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// The record was complete.
    Nothing,
    /// What the dead writer had accepted was written, the end noted, the record sealed.
    Completed,
}

/// Completes the record of a session whose supervisor died: everything accepted is written once, a torn last line is
/// repaired, a `session_destroyed` with the cause is added if there is none, and the anchor is sealed.
///
/// [`RecordError::Busy`] if the supervisor lives.
pub fn recover(dir: &SessionDir, cause: &str) -> Result<Recovered, RecordError> {
    let recorder = match Recorder::open(dir, Options::default()) {
        Err(RecordError::Sealed { .. }) => return Ok(Recovered::Nothing),
        other => other?,
    };
    recorder.flush(Duration::from_secs(30))?;
    let path = dir.events_path();
    let last = last_type(&path).map_err(failed("read", &path))?;
    if last != Some(EventType::SessionDestroyed) {
        recorder.emit(EventDraft {
            fields: &[("cause", Value::Text(cause))],
            ..EventDraft::new(EventType::SessionDestroyed)
        })?;
    }
    recorder.seal()?;
    Ok(Recovered::Completed)
}

fn last_type(path: &Path) -> io::Result<Option<EventType>> {
    let log = Log::reader(path)?;
    let line = log.line_before(log.len()?)?;
    Ok(restore::Stamp::of(&line).map(|stamp| stamp.kind))
}

fn refuse_if_sealed(dir: &SessionDir) -> Result<(), RecordError> {
    let path = dir.anchor_path();
    match Anchor::read(&path) {
        Ok(Some(anchor)) if anchor.sealed => Err(RecordError::Sealed {
            path: dir.events_path(),
        }),
        // A torn anchor (a power failure) is written anew; verify has told of it until then.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData || error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(())
        }
        Err(error) => Err(failed("read", &path)(error)),
    }
}

fn restore(dir: &SessionDir, log: &Log, options: Options) -> Result<Restored, RecordError> {
    let (spool_path, log_path) = (dir.spool_path(), dir.events_path());
    let found = Spool::open(&spool_path).map_err(failed("open", &spool_path))?;
    if let Found::Spool(spool) = found {
        return restore::with_spool(dir.id(), spool, log).map_err(failed("restore", &log_path));
    }
    let base = restore::from_log(dir.id(), log).map_err(failed("read", &log_path))?;
    let damaged = matches!(found, Found::Damaged);
    if damaged {
        // Kept beside the new one: it may be evidence.
        let aside = spool_path.with_extension("damaged");
        std::fs::rename(&spool_path, &aside).map_err(failed("rename", &spool_path))?;
    }
    let spool = Spool::create(&spool_path, options.spool_bytes, base).map_err(failed("create", &spool_path))?;
    Ok(Restored { spool, base, damaged })
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> RecordError {
    let path = path.to_owned();
    move |source| RecordError::Io {
        action,
        path: path.clone(),
        source,
    }
}
