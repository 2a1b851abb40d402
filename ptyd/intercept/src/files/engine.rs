//! The handler of all file calls.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rustix::io::Errno;

use super::calls::{self, Call};
use super::folders::Folders;
use super::host::Host;
use super::judge::FileJudge;
use super::masks::Masks;
use super::record::FileRecorder;
use super::resolve::Tasks;
use super::trash::Trash;
use crate::caller::Caller;
use crate::handler::Handler;
use crate::outcome::Outcome;

/// The four others that the engine works with.
#[derive(Clone)]
pub struct Parts {
    /// Decides.
    pub judge: Arc<dyn FileJudge>,
    /// Keeps what is deleted softly.
    pub trash: Arc<dyn Trash>,
    /// Remembers.
    pub recorder: Arc<dyn FileRecorder>,
    /// Knows the session's tasks.
    pub tasks: Arc<dyn Tasks>,
}

/// Judges file calls on the object that they really touch and carries them out as the caller.
///
/// One engine serves all commands of a session: the order between changes of names that it keeps is
/// needed across all who share the files.
pub struct FileEngine {
    pub(super) host: Host,
    pub(super) parts: Parts,
    names: RwLock<()>,
    pub(super) masks: Masks,
    pub(super) folders: Folders,
}

impl FileEngine {
    /// An engine for one session.
    ///
    /// # Errors
    /// Where `/proc` does not show us ourselves.
    pub fn new(parts: Parts) -> Result<Self, Errno> {
        Ok(FileEngine {
            host: Host::new()?,
            parts,
            names: RwLock::new(()),
            masks: Masks::default(),
            folders: Folders::default(),
        })
    }

    /// The calls that it answers.
    pub fn numbers() -> Vec<i64> {
        let mut numbers = calls::numbers();
        numbers.push(libc::SYS_umask);
        numbers
    }

    /// Held from judging a path until its name is made or removed: no tree moves meanwhile.
    pub(super) fn names_stay(&self) -> RwLockReadGuard<'_, ()> {
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while a tree is looked through and moved: no name appears in it meanwhile.
    pub(super) fn names_move(&self) -> RwLockWriteGuard<'_, ()> {
        self.names.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for FileEngine {
    fn handle(&self, caller: &Caller<'_>) -> Outcome {
        let number = caller.notification().nr;
        if let Some(outcome) = calls::quick(self, caller) {
            return outcome;
        }
        if number == libc::SYS_umask {
            return match caller.tgid() {
                Ok(tgid) => {
                    self.masks.change(tgid);
                    Outcome::Continue
                }
                Err(errno) => Outcome::Errno(errno),
            };
        }
        let Some(handler) = calls::handler(number) else {
            return Outcome::Errno(Errno::NOSYS);
        };
        match Call::new(self, caller).and_then(|mut call| handler(&mut call)) {
            Ok(outcome) | Err(outcome) => outcome,
        }
    }
}
