use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::place::Place;
use super::{How, Id, Record, Trash, TrashError};
use crate::fs::{Kind, apply, attributes, attributes_fd, copy_contents, make_like, open_absolute, stat};

/// Where an entry is restored to. Nothing that exists is ever overwritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Where it was; an error if something is there.
    Original,
    /// Where it was, under a free name if something is there.
    Beside,
    /// Here; symbolic links in the folders above are followed.
    At(PathBuf),
}

impl Trash {
    /// Brings an entry back, with the folders above it that are missing, and returns its path.
    /// Folders that are in the trash themselves come back with their attributes. A folder above the
    /// original place that has become a symbolic link is not followed: it was made by the session.
    ///
    /// # Errors
    /// [`TrashError::Exists`] if the place is taken; the kernel's refusals. The entry stays then.
    pub fn restore(&self, id: Id, target: &Target) -> Result<PathBuf, TrashError> {
        let (place, entry) = self.entry(id)?;
        let wanted = match target {
            Target::At(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
            _ => entry.record.original().ok_or(TrashError::NoOrigin(id))?,
        };
        let refused = |errno| TrashError::refused(&wanted, "restore")(errno);
        let (folder, name) = match (wanted.parent(), wanted.file_name()) {
            (Some(folder), Some(name)) => (folder, name),
            _ => return Err(refused(Errno::INVAL)),
        };
        let parent = match target {
            Target::At(_) => made_by_name(folder),
            _ => self.made_without_links(folder),
        }
        .map_err(TrashError::refused(folder, "open"))?;
        for attempt in 0..1000 {
            let mut name = name.to_owned();
            if attempt > 0 {
                name.push(format!(".restored-{attempt}"));
            }
            let path = folder.join(&name);
            let name = CString::new(name.as_bytes()).map_err(|_| refused(Errno::INVAL))?;
            match bring_back(&place, &entry.record, parent.as_fd(), &name) {
                Ok(()) => return Ok(path),
                Err(Errno::EXIST) if *target == Target::Beside => {}
                Err(Errno::EXIST) => return Err(TrashError::Exists(path)),
                Err(Errno::XDEV) => return Err(TrashError::OtherMount(path)),
                Err(errno) => return Err(refused(errno)),
            }
        }
        Err(TrashError::Exists(wanted))
    }

    /// Brings several entries back to where they were, the last deleted first, so that a tree which
    /// was removed piece by piece finds its folders.
    pub fn restore_all(&self, ids: &[Id]) -> Vec<(Id, Result<PathBuf, TrashError>)> {
        let mut ids = ids.to_vec();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.into_iter()
            .map(|id| (id, self.restore(id, &Target::Original)))
            .collect()
    }

    /// Opens the folders of a path one by one and makes those that are missing.
    fn made_without_links(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut dir = rustix::fs::open("/", flags, Mode::empty())?;
        let mut so_far = PathBuf::from("/");
        for component in path.components() {
            let name = match component {
                Component::RootDir => continue,
                Component::Normal(name) => CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)?,
                _ => return Err(Errno::INVAL),
            };
            so_far.push(component);
            dir = match rustix::fs::openat(&dir, &name, flags, Mode::empty()) {
                Err(Errno::NOENT) => {
                    self.make_folder(dir.as_fd(), &name, &so_far)?;
                    rustix::fs::openat(&dir, &name, flags, Mode::empty())?
                }
                opened => opened?,
            };
        }
        Ok(dir)
    }

    fn make_folder(&self, parent: BorrowedFd, name: &CStr, path: &Path) -> Result<(), Errno> {
        let removed = self
            .list()
            .unwrap_or_default()
            .into_iter()
            .rev()
            .find(|entry| entry.record.how == How::Described && entry.record.original().as_deref() == Some(path));
        if let Some(entry) = removed
            && let Ok((place, entry)) = self.entry(entry.record.id)
        {
            return bring_back(&place, &entry.record, parent, name);
        }
        rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o777))
    }
}

fn made_by_name(folder: &Path) -> Result<OwnedFd, Errno> {
    std::fs::create_dir_all(folder).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    open_absolute(folder, true)
}

/// Brings the object to its name, then takes the entry out of the books. A crash in between leaves a
/// record of nothing, which repair withdraws.
fn bring_back(place: &Place, record: &Record, parent: BorrowedFd, name: &CStr) -> Result<(), Errno> {
    let locked = place.lock()?;
    let id = record.id.file_name();
    if record.how == How::Described {
        rustix::fs::mkdirat(parent, name, Mode::RWXU)?;
        let carrier = attributes(place.files.as_fd(), &id, &stat(&place.files, &id)?)?;
        finish(parent, name, record.attributes(carrier.xattrs))?;
        locked.expunge(&record.id, record.charge)?;
        return place.sweep();
    }
    match rustix::fs::renameat_with(&place.files, &id, parent, name, RenameFlags::NOREPLACE) {
        Err(Errno::XDEV) => {
            copy_back(place, &id, parent, name)?;
            locked.expunge(&record.id, record.charge)?;
            place.sweep()
        }
        Ok(()) => locked.dismiss(&record.id, record.charge),
        Err(errno) => Err(errno),
    }
}

/// Restores anything but a folder to another mount, by copy.
fn copy_back(place: &Place, id: &CStr, parent: BorrowedFd, name: &CStr) -> Result<(), Errno> {
    let found = stat(&place.files, id)?;
    match found.kind {
        Kind::File => {
            let from = rustix::fs::openat(&place.files, id, OFlags::RDONLY | OFlags::NOFOLLOW, Mode::empty())?;
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let to = rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?;
            let filled = copy_contents(&from, &to, found.size, u64::MAX)
                .and_then(|_| attributes_fd(from.as_fd(), &found))
                .and_then(|told| apply(to.as_fd(), &told));
            if filled.is_err() {
                let _ = rustix::fs::unlinkat(parent, name, AtFlags::empty());
            }
            filled.map(|_| ())
        }
        _ => make_like(place.files.as_fd(), id, &found, parent, name),
    }
}

fn finish(parent: BorrowedFd, name: &CStr, told: crate::fs::Attributes) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    apply(made.as_fd(), &told).map(|_| ())
}
