//! Moving or linking never weakens a rule.

use std::ffi::{CString, OsStr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::call::Call;
use super::content::{Coming, coming};
use super::permit::Permit;
use crate::files::actor;
use crate::files::judge::{Judgement, Verdict};
use crate::files::operation::Operation;
use crate::files::resolve::Pin;
use crate::outcome::Outcome;

/// Entries of a moved tree that are looked at; a larger one is not moved but copied by the caller
/// (`EXDEV`), each file judged by itself.
const MOST_ENTRIES: usize = 500_000;

/// What a name that something leaves is judged by: nothing comes there.
pub const MOVED: Option<&[u8]> = Some(&[]);

/// What the record says where a tree cannot be looked through.
const UNLISTED: &str = "what lies below it may be judged otherwise than itself, and cannot be listed";

/// What making an object of this kind is called, where that is not plain creation.
pub fn making(kind: FileType) -> Option<Operation> {
    match kind {
        FileType::RegularFile => None,
        FileType::Directory => Some(Operation::Mkdir),
        FileType::Symlink => Some(Operation::Symlink),
        _ => Some(Operation::Mknod),
    }
}

fn removal(kind: FileType) -> Operation {
    match kind {
        FileType::Directory => Operation::Rmdir,
        _ => Operation::Delete,
    }
}

fn kind_of(pin: &Pin) -> FileType {
    FileType::from_raw_mode(pin.stat.st_mode)
}

impl Call<'_, '_> {
    /// What a name that gets `comes`, and loses `goes`, is asked beside the rename: rules may speak of either by the name that
    /// it has alone.
    pub fn comes_and_goes(&self, permit: Permit, comes: &Pin, goes: Option<&Pin>) -> Permit {
        let permit = match making(kind_of(comes)) {
            Some(operation) => self.also(permit, operation),
            None => permit,
        };
        match goes {
            Some(goes) => self.also(permit, removal(kind_of(goes))),
            None => permit,
        }
    }

    /// Asks the person if the verdict says so.
    pub fn ask_if_needed(&self, permit: Permit) -> Result<Permit, Outcome> {
        match permit.judgement.verdict {
            Verdict::Approve => self.approved(permit),
            _ => Ok(permit),
        }
    }

    /// Refuses to bring what is at `from` under `to`, where it could be read or written more freely.
    /// `content` is [`MOVED`] or, where the old name stays, nothing.
    pub fn not_weaker(&self, from: &Path, to: &Path, content: Option<&[u8]>) -> Result<(), Outcome> {
        for operation in [Operation::Read, Operation::Write] {
            let before = self.judge_content(operation, from, content);
            let strict = before.verdict.strictness() >= Verdict::Approve.strictness();
            if strict && self.judge(operation, to).verdict.strictness() < before.verdict.strictness() {
                let errno = match before.verdict {
                    Verdict::Deny(errno) => errno,
                    _ => Errno::ACCESS,
                };
                let permit = Permit {
                    operation,
                    path: from.to_owned(),
                    judgement: before,
                    approved: None,
                };
                return Err(self.refuse(&permit, errno));
            }
        }
        Ok(())
    }

    /// Whether `top` is a folder, and what lies below it is judged otherwise than itself where it moves.
    pub fn tree_matters(&self, top: &Pin, from: &Path, to: &Path) -> bool {
        let judge = &self.engine.parts.judge;
        let stands_against =
            |operation, path: &Path| self.judge(operation, path).verdict.strictness() >= Verdict::Approve.strictness();
        top.kind() == libc::S_IFDIR
            && (judge.differs_below(from)
                || judge.differs_below(to)
                // Of the folder these are not asked.
                || stands_against(Operation::Delete, from)
                || stands_against(Operation::Symlink, to)
                || stands_against(Operation::Mknod, to))
    }

    /// Refuses a move of the folder `top` that brings something below it where it may not be made, or from where it may not
    /// be taken. For where [`Call::tree_matters`]; the caller holds the guard under which no name appears. What a person
    /// said yes to for the folder holds below it, by the same rule. What is returned keeps files as they were judged.
    pub fn tree_may_move(&self, top: &Pin, leaves: &Permit, arrives: &Permit) -> Result<Vec<Below>, Outcome> {
        let (from, to) = (leaves.path.as_path(), arrives.path.as_path());
        let granted = [leaves, arrives].map(|permit| permit.approved.filter(|yes| *yes).map(|_| &permit.judgement));
        let mut held = Vec::new();
        // The worker's own rights: a folder that its owner cannot list can hold names as well.
        let names = actor::as_reader(|| list(top)).map_err(|errno| match errno {
            Errno::TOOBIG => Outcome::Errno(Errno::XDEV),
            other => self.refuse_because(leaves, other, UNLISTED),
        })?;
        for (name, kind) in names {
            let (old, new) = (from.join(&name), to.join(&name));
            let folder = kind == FileType::Directory;
            let arrive = match folder {
                true => Operation::Mkdir,
                false => Operation::Create,
            };
            self.strictest_unasked(Operation::Rename, &old, MOVED, granted)?;
            self.strictest_unasked(removal(kind), &old, MOVED, granted)?;
            if let Some(making) = making(kind).filter(|_| !folder) {
                self.strictest_unasked(making, &new, MOVED, granted)?;
            }
            let there = self.judge(arrive, &new);
            // Under the same rule it was judged when it came.
            let judged = there.by_content && self.judge(arrive, &old) == there;
            let content = match there.by_content && !judged && !folder {
                true => actor::as_reader(|| pin_below(top, &name))
                    .ok()
                    .and_then(|pin| coming(self, arrive, &new, &pin)),
                false => None,
            };
            let known = match judged || folder {
                true => MOVED,
                false => content.as_ref().map(Coming::bytes),
            };
            self.strictest_unasked(arrive, &new, known, granted)?;
            if let Some(content) = content {
                held.push(Below::new(top, &name, content)?);
            }
            self.not_weaker(&old, &new, MOVED)?;
        }
        Ok(held)
    }

    /// A thousand questions are not asked for one move: what needs one is refused.
    fn strictest_unasked(
        &self,
        operation: Operation,
        path: &Path,
        content: Option<&[u8]>,
        granted: [Option<&Judgement>; 2],
    ) -> Result<(), Outcome> {
        let permit = self.strictest_with(&[operation], path.to_owned(), content)?;
        match permit.judgement.verdict {
            Verdict::Approve if !permit.judgement.by_content && granted.contains(&Some(&permit.judgement)) => Ok(()),
            Verdict::Approve => Err(self.refuse(&permit, Errno::ACCESS)),
            _ => Ok(()),
        }
    }
}

/// What comes with a folder that is moved, and where it lies.
pub struct Below {
    folder: OwnedFd,
    name: CString,
    coming: Coming,
}

impl Below {
    fn new(top: &Pin, path: &Path, coming: Coming) -> Result<Below, Errno> {
        let name = path.file_name().ok_or(Errno::NOENT)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Below {
            folder: actor::as_reader(|| rustix::fs::openat2(&top.fd, folder, flags, Mode::empty(), BELOW))?,
            name: CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)?,
            coming,
        })
    }

    /// What comes.
    pub fn coming(&self) -> &Coming {
        &self.coming
    }

    /// As [`Coming::renew`].
    ///
    /// # Errors
    /// As there.
    pub fn renew(&mut self, call: &Call<'_, '_>) -> Result<(), Errno> {
        self.coming.renew(call, &self.folder, &self.name)
    }
}

/// Every name below `top`, relative to it, and what has it. `E2BIG` if there are too many.
fn list(top: &Pin) -> Result<Vec<(PathBuf, FileType)>, Errno> {
    let mut found = Vec::new();
    let mut left = vec![PathBuf::from(".")];
    while let Some(folder) = left.pop() {
        for entry in Dir::new(open_below(top, &folder)?)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let path = match folder.as_os_str() == "." {
                true => PathBuf::from(name),
                false => folder.join(name),
            };
            let kind = match entry.file_type() {
                FileType::Unknown => kind_below(top, &path)?,
                kind => kind,
            };
            if kind == FileType::Directory {
                left.push(path.clone());
            }
            found.push((path, kind));
            if found.len() > MOST_ENTRIES {
                return Err(Errno::TOOBIG);
            }
        }
    }
    Ok(found)
}

const BELOW: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

fn open_below(top: &Pin, folder: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // Without a new access time where that is allowed: the caller has not listed it.
    match rustix::fs::openat2(&top.fd, folder, flags | OFlags::NOATIME, Mode::empty(), BELOW) {
        Err(Errno::PERM) => rustix::fs::openat2(&top.fd, folder, flags, Mode::empty(), BELOW),
        result => result,
    }
}

fn pin_below(top: &Pin, path: &Path) -> Result<Pin, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Pin::plain(rustix::fs::openat2(&top.fd, path, flags, Mode::empty(), BELOW)?)
}

fn kind_below(top: &Pin, path: &Path) -> Result<FileType, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat2(&top.fd, path, flags, Mode::empty(), ResolveFlags::BENEATH)?;
    Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode))
}
