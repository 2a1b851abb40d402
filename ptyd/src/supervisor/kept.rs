//! The trash as the file engine uses it: what is about to be lost is kept first.

use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use agentsh_intercept::Errno;
use agentsh_intercept::files::{self, Doomed, Loss};
use agentsh_keep::trash::{self, Limits, Meta, Removal, TrashError, Version};
use agentsh_policy::Policy;

use super::files::rule_name;
use super::session::Session;
use super::settler::Settler;

/// What a policy says of the trash (`filesystem.trash`).
pub(crate) fn limits(policy: &Policy) -> Limits {
    let trash = policy.settings().map(|settings| &settings.file.filesystem.trash);
    trash.map_or_else(Limits::default, |trash| Limits {
        max_age: trash.max_age.map(|age| age.0).or(Limits::default().max_age),
        max_size: trash.max_size.map(|size| size.0),
        version_size_limit: trash
            .version_size_limit
            .map_or(Limits::default().version_size_limit, |size| size.0),
    })
}

/// One session's use of its user's trash.
pub(crate) struct Keeper {
    trash: Arc<trash::Trash>,
    settler: Settler,
    session: Weak<Session>,
    next: AtomicU64,
    /// What was kept by a copy and may have to be taken back, by number.
    copies: Mutex<HashMap<u64, trash::Kept>>,
}

fn errno(error: &TrashError) -> Errno {
    let errno = Errno::from_raw_os_error(error.errno());
    match errno {
        // As it is without a trash.
        Errno::NOTEMPTY => tracing::debug!("not deleted: {error}"),
        _ => tracing::warn!("not kept, so not deleted: {error}"),
    }
    errno
}

impl Keeper {
    pub(crate) fn new(trash: trash::Trash, session: &Arc<Session>) -> io::Result<Keeper> {
        let trash = Arc::new(trash);
        Ok(Keeper {
            settler: Settler::start(Arc::clone(&trash))?,
            trash,
            session: Arc::downgrade(session),
            next: AtomicU64::new(1),
            copies: Mutex::default(),
        })
    }

    /// Who is about to lose it, and by which rule it is kept.
    fn meta(&self, doomed: &Doomed<'_>) -> Meta {
        let Some(session) = self.session.upgrade() else {
            return Meta::default();
        };
        let rules = session.rules();
        let rule = doomed.rule.and_then(|number| rule_name(&rules.policy, number));
        Meta {
            session: Some(session.id.clone()),
            command: session.shared.members.command_of(doomed.tgid).map(|id| id.to_string()),
            rule: rule.map(str::to_owned),
        }
    }

    fn copied(&self, kept: trash::Kept) -> files::Kept {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.copies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, kept);
        files::Kept::Copy(number)
    }

    fn removed(&self, doomed: &Doomed<'_>, removal: Removal, path: &Path, meta: &Meta) -> Result<files::Kept, Errno> {
        let Some((parent, name)) = doomed.entry else {
            return Err(Errno::INVAL);
        };
        match self.trash.discard(parent, name, removal, path, meta) {
            Ok(_) => Ok(files::Kept::Moved(self.next.fetch_add(1, Ordering::Relaxed))),
            Err(error) => Err(errno(&error)),
        }
    }
}

impl files::Trash for Keeper {
    fn keep(&self, doomed: &Doomed<'_>) -> Result<files::Kept, Errno> {
        let meta = self.meta(doomed);
        self.settler.call();
        match (doomed.loss, doomed.entry, doomed.object) {
            (Loss::Unlink, ..) => self.removed(doomed, Removal::Unlink, doomed.path, &meta),
            (Loss::Rmdir, ..) => self.removed(doomed, Removal::Rmdir, doomed.path, &meta),
            (Loss::Replace, Some((parent, name)), _) => {
                let kept = self.trash.keep_replaced(parent, name, doomed.path, &meta);
                kept.map(|kept| self.copied(kept)).map_err(|error| errno(&error))
            }
            (Loss::Replace, None, _) | (Loss::Truncate(_) | Loss::Punch, _, None) => Err(Errno::INVAL),
            (Loss::Truncate(_) | Loss::Punch, _, Some(object)) => {
                match self.trash.keep_version(object, doomed.path, &meta) {
                    Ok(Version::Kept(kept)) => Ok(self.copied(*kept)),
                    Ok(Version::NotKept { reason }) => {
                        tracing::debug!("{}: no version kept: {reason}", doomed.path.display());
                        Ok(files::Kept::Nothing(reason.word()))
                    }
                    Err(error) => Err(errno(&error)),
                }
            }
        }
    }

    fn origin(&self, path: &Path) -> Option<PathBuf> {
        let original = self.trash.moved_here(path)?.original?;
        Some(PathBuf::from(original.as_os_str()))
    }

    fn fill(&self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Errno> {
        self.trash.fill(from, to)
    }

    fn settle(&self, kept: files::Kept, lost: bool) {
        let files::Kept::Copy(number) = kept else { return };
        let copy = self
            .copies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&number);
        if let Some(copy) = copy
            && !lost
            && let Err(error) = self.trash.retract(&copy)
        {
            tracing::warn!("taking back what was kept for nothing: {error}");
        }
    }
}
