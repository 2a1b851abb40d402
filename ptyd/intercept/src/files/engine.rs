//! The handler of all file calls.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use rustix::io::Errno;

use super::calls::{self, Call};
use super::folders::Folders;
use super::host::Host;
use super::judge::FileJudge;
use super::masks::Masks;
use super::record::FileRecorder;
use super::resolve::Tasks;
use super::staging::Staging;
use super::trash::Trash;
use crate::caller::Caller;
use crate::handler::Handler;
use crate::outcome::Outcome;

/// The others that the engine works with.
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
    /// Knows where folders are; the session's [`Locator`](crate::Locator) has it.
    pub folders: Arc<Folders>,
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
    pub(super) folders: Arc<Folders>,
    pub(super) staging: Staging,
}

impl FileEngine {
    /// An engine for one session.
    ///
    /// # Errors
    /// Where `/proc` does not show us ourselves.
    pub fn new(parts: Parts) -> Result<Arc<Self>, Errno> {
        let host = Host::new()?;
        Ok(Arc::new_cyclic(|engine: &Weak<FileEngine>| FileEngine {
            host,
            folders: Arc::clone(&parts.folders),
            parts,
            names: RwLock::new(()),
            masks: Masks::default(),
            staging: Staging::new(Weak::clone(engine)),
        }))
    }

    /// Puts in its place, or drops, what was written in place to files whose content decides and is complete.
    /// Called before whatever could see the outcome.
    pub fn settle(&self) {
        self.staging.settle(self);
    }

    /// The calls that it answers.
    pub fn numbers() -> Vec<i64> {
        let mut numbers = calls::numbers();
        numbers.push(libc::SYS_umask);
        numbers
    }

    /// Answers `chdir(2)`, which nobody else need ask about where no rule hides names.
    pub fn enters(&self, caller: &Caller<'_>) -> Outcome {
        match Call::new(self, caller) {
            Ok(call) => call.carried_out(calls::chdir),
            Err(outcome) => outcome,
        }
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
        self.settle();
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
        match Call::new(self, caller) {
            Ok(call) => call.carried_out(handler),
            Err(outcome) => outcome,
        }
    }
}
