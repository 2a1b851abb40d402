//! A version that is complete: judged, then in its place or dropped.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::{AtFlags, Stat};
use rustix::io::Errno;

use super::{Staged, read};
use crate::caller::held;
use crate::files::calls::has_attributes;
use crate::files::engine::FileEngine;
use crate::files::fresh;
use crate::files::judge::{Judgement, Question, Verdict};
use crate::files::operation::Operation;
use crate::files::record::{Effect, FileRecord};
use crate::files::resolve::of_name;
use crate::files::sys;
use crate::files::trash::{Doomed, Kept, Loss};

/// What is there to be judged.
struct Version {
    path: PathBuf,
    /// None: too much, or there is a second name by which it could be changed; so it counts as unread.
    bytes: Option<Vec<u8>>,
    stat: Stat,
    /// Whether it was given extended attributes.
    attributes: bool,
}

/// Whether it is over with `staged`: placed, dropped, or a matter between a thread of its own and a person.
pub fn settle(engine: &FileEngine, staged: &Arc<Staged>) -> bool {
    while staged.held.load(Ordering::Acquire) > 0 {
        std::thread::yield_now();
    }
    match sys::lease_against_writers(&staged.file) {
        Ok(()) => {}
        Err(Errno::AGAIN) => return false,
        Err(errno) => {
            tracing::error!(%errno, "a new version is dropped: whether it is complete cannot be known");
            return true;
        }
    }
    let version = match complete(engine, staged) {
        Ok(Some(version)) => version,
        Ok(None) => return true,
        Err(errno) => {
            tracing::warn!(%errno, "a new version is dropped: it cannot be read");
            return true;
        }
    };
    let (operation, judgement) = judge(engine, staged, &version);
    let told = Told {
        engine,
        staged,
        operation,
        judgement: &judgement,
        approved: None,
    };
    match judgement.verdict {
        Verdict::Deny(errno) => told.refused(&version.path, errno),
        Verdict::Redirect { .. } => told.refused(&version.path, Errno::ACCESS),
        Verdict::Approve => ask(engine, staged, version, operation, judgement),
        _ => told.place(&version),
    }
    true
}

/// `None`: there is nothing to place. Nobody else has written, or whoever did wrote to what has lost its name.
fn complete(engine: &FileEngine, staged: &Staged) -> Result<Option<Version>, Errno> {
    let stat = rustix::fs::fstat(&staged.file)?;
    let bytes = content(staged, &stat);
    let shown = |of: &Stat| (of.st_mode, of.st_uid, of.st_gid, of.st_mtime, of.st_mtime_nsec);
    if bytes.as_ref() == Some(&staged.before) && shown(&stat) == shown(&staged.stat) {
        return Ok(None);
    }
    let path = of_name(&engine.host, &staged.parent, staged.name.as_bytes())?;
    Ok(has_its_name(staged).then_some(Version {
        path,
        bytes,
        stat,
        attributes: has_attributes(&staged.file)?,
    }))
}

/// Whether the version that was opened is the one that has the name.
fn has_its_name(staged: &Staged) -> bool {
    let there = rustix::fs::statat(&staged.parent, &staged.name, AtFlags::SYMLINK_NOFOLLOW);
    there.is_ok_and(|there| staged.base.is(&there))
}

/// Whether nobody writes to it or has changed anything else of it since it was judged, and it has no name by which it
/// could be changed once it is in its place. The lease holds back who would write, the guard who would give it a name.
fn is_as_judged(staged: &Staged, version: &Version) -> bool {
    let shown = |of: &Stat| (of.st_nlink, of.st_mode, of.st_uid, of.st_gid);
    let same = |now: Stat| shown(&now) == shown(&version.stat);
    rustix::fs::fstat(&staged.file).is_ok_and(same)
        && has_attributes(&staged.file) == Ok(version.attributes)
        && sys::lease_against_writers(&staged.file).is_ok()
}

/// What else was done to it through the descriptor is judged as if it had been done to the file.
fn judge(engine: &FileEngine, staged: &Staged, version: &Version) -> (Operation, Judgement) {
    let base = &staged.base.stat;
    let changed = [
        (Operation::Create, staged.created),
        (Operation::Chmod, version.stat.st_mode != base.st_mode),
        (
            Operation::Chown,
            (version.stat.st_uid, version.stat.st_gid) != (base.st_uid, base.st_gid),
        ),
        (Operation::Xattr, version.attributes),
    ];
    let ask = |operation| {
        engine.parts.judge.judge(&Question {
            operation,
            path: &version.path,
            tid: staged.tid,
            tgid: staged.tgid,
            content: version.bytes.as_deref(),
        })
    };
    let written = (Operation::Write, ask(Operation::Write));
    changed
        .into_iter()
        .filter(|(_, changed)| *changed)
        .map(|(operation, _)| (operation, ask(operation)))
        .fold(written, |strictest, other| {
            match other.1.verdict.strictness() > strictest.1.verdict.strictness() {
                true => other,
                false => strictest,
            }
        })
}

/// Its writer does not wait any more, so a thread does. The old version stays until there is a yes.
fn ask(engine: &FileEngine, staged: &Arc<Staged>, version: Version, operation: Operation, judgement: Judgement) {
    let (weak, staged) = (engine.staging.engine(), Arc::clone(staged));
    let wait = move || {
        let Some(engine) = weak.upgrade() else { return };
        let question = Question {
            operation,
            path: &version.path,
            tid: staged.tid,
            tgid: staged.tgid,
            content: None,
        };
        let answer = engine.parts.judge.ask_for_later(&question, &judgement);
        let told = Told {
            engine: &engine,
            staged: &staged,
            operation,
            judgement: &judgement,
            approved: Some(answer.is_ok()),
        };
        match answer {
            // A lease holds for a minute: what was asked about must still be what is there.
            Ok(()) if is_still(&staged, &version) => told.place(&version),
            Ok(()) => told.refused(&version.path, Errno::STALE),
            Err(errno) => told.refused(&version.path, errno),
        }
    };
    let started = held::thread("question").spawn(wait);
    if let Err(error) = started {
        tracing::error!(%error, "a new version is dropped: nobody can be asked");
    }
}

fn is_still(staged: &Staged, version: &Version) -> bool {
    sys::lease_against_writers(&staged.file).is_ok() && content(staged, &version.stat) == version.bytes
}

fn content(staged: &Staged, stat: &Stat) -> Option<Vec<u8>> {
    read(staged.file.as_fd()).ok().filter(|_| stat.st_nlink == 0)
}

/// What a record is made from.
struct Told<'a> {
    engine: &'a FileEngine,
    staged: &'a Staged,
    operation: Operation,
    judgement: &'a Judgement,
    approved: Option<bool>,
}

impl Told<'_> {
    fn refused(&self, path: &Path, errno: Errno) {
        self.record(path, Effect::Refused, Err(errno), None);
    }

    fn record(&self, path: &Path, effect: Effect, result: Result<(), Errno>, kept: Option<Kept>) {
        self.engine.parts.recorder.record(&FileRecord {
            tid: self.staged.tid,
            tgid: self.staged.tgid,
            operation: self.operation,
            path,
            second: None,
            judgement: self.judgement,
            approved: self.approved,
            effect,
            result,
            kept,
            why: None,
        });
    }

    /// Takes the place. The open for writing is on record; this only where there is more to say.
    fn place(&self, version: &Version) {
        let _move = self.engine.names_move();
        let now = of_name(&self.engine.host, &self.staged.parent, self.staged.name.as_bytes());
        if !has_its_name(self.staged) || now.as_ref() != Ok(&version.path) || !is_as_judged(self.staged, version) {
            return self.refused(&version.path, Errno::STALE);
        }
        let kept = match self.keep(version) {
            Ok(kept) => kept,
            Err(errno) => return self.refused(&version.path, errno),
        };
        let result = self.takes_its_name(version);
        if let Some(kept) = kept {
            self.engine.parts.trash.settle(kept, result.is_ok());
        }
        let kept = kept.filter(|_| result.is_ok());
        if kept.is_some() || self.approved.is_some() || result.is_err() {
            self.record(&version.path, Effect::CarriedOut, result, kept);
        }
    }

    /// Keeps the old version if a rule wants that.
    fn keep(&self, version: &Version) -> Result<Option<Kept>, Errno> {
        let by = self.engine.parts.judge.judge(&Question {
            operation: Operation::Delete,
            path: &version.path,
            tid: self.staged.tid,
            tgid: self.staged.tgid,
            content: None,
        });
        if !by.keeps || self.staged.before.is_empty() {
            return Ok(None);
        }
        let doomed = Doomed {
            entry: Some((self.staged.parent.as_fd(), &self.staged.name)),
            object: Some(self.staged.base.fd.as_fd()),
            path: &version.path,
            loss: Loss::Replace,
            tgid: self.staged.tgid,
            rule: by.rule,
        };
        match self.engine.parts.trash.keep(&doomed)? {
            Kept::Moved(_) => Err(Errno::IO),
            kept => Ok(Some(kept)),
        }
    }

    /// What was read takes the name, in a file that its writer never had.
    fn takes_its_name(&self, version: &Version) -> Result<(), Errno> {
        let Staged { parent, name, file, .. } = self.staged;
        let descriptors = self.engine.host.descriptors();
        let Some(bytes) = &version.bytes else {
            return fresh::take_name(descriptors, file, parent, name);
        };
        let fresh = fresh::like(descriptors, parent, file, bytes)?;
        // Whoever finds it by its passing name waits until it has the other, as for the version itself.
        sys::lease_against_writers(&fresh)?;
        fresh::take_name(descriptors, &fresh, parent, name)
    }
}
