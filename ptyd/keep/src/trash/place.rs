use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::{Id, Record, ledger};
use crate::fs::{expunge, make_private, open_absolute, open_dir, path_of, stat_fd, unique_name};

/// Where in `usage` the settled part of the ledger stands.
const SETTLED: u64 = 8;

/// One trash folder, held open: `files/` and `info/` as freedesktop.org has them, `recent` for the
/// records that have no file there yet, `incoming/` for copies that are being made, `expunged/` for
/// what is being removed, `usage` for the bytes that count against the quota and how far `recent` is
/// settled; a lock on that last file orders everything that changes the folder.
#[derive(Debug)]
pub(crate) struct Place {
    pub path: PathBuf,
    pub mount: u64,
    pub dir: OwnedFd,
    pub files: OwnedFd,
    pub info: OwnedFd,
    pub incoming: OwnedFd,
    pub expunged: OwnedFd,
    pub ledger: OwnedFd,
    usage: Mutex<OwnedFd>,
}

impl Place {
    /// Opens the trash folder `name` in `parent`, and makes it if it is missing. It must be
    /// `owner`'s and closed to all others. For `reading` it may lie where nothing can be written.
    pub fn open(parent: BorrowedFd, name: &CStr, owner: u32, reading: bool) -> Result<Place, Errno> {
        let dir = make_private(parent, name, owner)?;
        // Root's trash takes in the files of commands that run under other uids: its inner folders
        // are open to all, and the outer one lets nobody reach them by path.
        let mode = Mode::from_raw_mode(if owner == 0 { 0o777 } else { 0o700 });
        let inner = |name: &CStr| -> Result<OwnedFd, Errno> {
            match rustix::fs::mkdirat(&dir, name, mode) {
                Ok(()) => {
                    let made = open_dir(&dir, name)?;
                    rustix::fs::fchmod(&made, mode)?; // whatever the umask is
                    Ok(made)
                }
                Err(Errno::EXIST) => open_dir(&dir, name),
                Err(errno) => Err(errno),
            }
        };
        let file = |name: &CStr, more: OFlags| {
            let always = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let open = |flags| rustix::fs::openat(&dir, name, always | flags, Mode::RUSR | Mode::WUSR);
            match open(OFlags::RDWR | OFlags::CREATE | more) {
                Err(Errno::ROFS) if reading => open(OFlags::RDONLY),
                opened => opened,
            }
        };
        let usage = file(c"usage", OFlags::empty())?;
        let ledger = file(c"recent", OFlags::APPEND)?;
        ignore_in_git(dir.as_fd())?;
        Ok(Place {
            path: path_of(&dir)?,
            mount: stat_fd(&dir)?.mount,
            files: inner(c"files")?,
            info: inner(c"info")?,
            incoming: inner(c"incoming")?,
            expunged: inner(c"expunged")?,
            ledger,
            usage: Mutex::new(usage),
            dir,
        })
    }

    /// Waits for this place to be nobody else's, in this process and in others.
    pub fn lock(&self) -> Result<Locked<'_>, Errno> {
        let usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        rustix::io::retry_on_intr(|| rustix::fs::flock(usage.as_fd(), FlockOperation::LockExclusive))?;
        Ok(Locked { place: self, usage })
    }

    /// Whether somebody has removed this folder, or one of those in it. Asked only where something failed.
    pub fn is_gone(&self) -> bool {
        let inner = [
            ("files", &self.files),
            ("info", &self.info),
            ("incoming", &self.incoming),
            ("expunged", &self.expunged),
        ];
        inner.into_iter().any(|(name, held)| {
            let Ok(held) = stat_fd(held) else { return true };
            // The path tells what the count does not where layers of folders are merged; who acts as another user
            // may not look there.
            let moved = match open_absolute(&self.path.join(name), false).and_then(stat_fd) {
                Ok(found) => !found.same_object(&held),
                Err(errno) => matches!(errno, Errno::NOENT | Errno::NOTDIR),
            };
            held.nlink == 0 || moved
        })
    }

    /// Ends removals, interrupted ones too. Needs no lock.
    pub fn sweep(&self) -> Result<(), Errno> {
        expunge(self.expunged.as_fd())
    }
}

/// A trash inside a work tree must not turn up in it.
fn ignore_in_git(dir: BorrowedFd) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    match rustix::fs::openat(dir, c".gitignore", flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => write_all(file.as_fd(), b"*\n"),
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// A place under its lock.
pub(crate) struct Locked<'a> {
    place: &'a Place,
    usage: MutexGuard<'a, OwnedFd>,
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let _ = rustix::fs::flock(self.usage.as_fd(), FlockOperation::Unlock);
    }
}

impl Locked<'_> {
    /// The bytes that count against the quota; none if the count was lost.
    pub fn used(&self) -> Result<Option<u64>, Errno> {
        let mut bytes = [0; 8];
        let read = rustix::io::pread(self.usage.as_fd(), &mut bytes, 0)?;
        Ok((read == 8).then(|| u64::from_le_bytes(bytes)))
    }

    pub fn set_used(&self, bytes: u64) -> Result<(), Errno> {
        rustix::io::pwrite(self.usage.as_fd(), &bytes.to_le_bytes(), 0).map(|_| ())
    }

    /// The place.
    pub fn place(&self) -> &Place {
        self.place
    }

    /// How many bytes of the ledger are settled.
    pub fn settled(&self) -> Result<u64, Errno> {
        let mut bytes = [0; 8];
        let read = rustix::io::pread(self.usage.as_fd(), &mut bytes, SETTLED)?;
        Ok(if read == 8 { u64::from_le_bytes(bytes) } else { 0 })
    }

    pub fn set_settled(&self, bytes: u64) -> Result<(), Errno> {
        rustix::io::pwrite(self.usage.as_fd(), &bytes.to_le_bytes(), SETTLED).map(|_| ())
    }

    /// Writes the record into the ledger, then has `take` bring the object into `files/`. A crash
    /// between the two leaves the object in place and a record of nothing, and so does a failure.
    /// `used` is what [`Locked::used`] said.
    pub fn admit(
        &self,
        record: &Record,
        used: u64,
        take: impl FnOnce(&CStr) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        ledger::append(self.place.ledger.as_fd(), record)?;
        self.set_used(used.saturating_add(record.charge))?;
        let taken = take(&record.id.file_name());
        if taken.is_err() {
            let _ = self.set_used(used);
        }
        taken
    }

    /// Takes the entry out of the books when its object has left `files/`.
    pub fn dismiss(&self, id: &Id, charge: u64) -> Result<(), Errno> {
        match rustix::fs::unlinkat(&self.place.info, id.info_name(), rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        self.set_used(self.used()?.unwrap_or(0).saturating_sub(charge))
    }

    /// Removes an entry for ever. The object leaves `files/` whole and at once; its removal, which
    /// takes time, comes after and can be interrupted.
    pub fn expunge(&self, id: &Id, charge: u64) -> Result<(), Errno> {
        let place = self.place;
        let moved = rustix::fs::renameat_with(
            &place.files,
            id.file_name(),
            &place.expunged,
            unique_name(),
            RenameFlags::NOREPLACE,
        );
        match moved {
            Ok(()) | Err(Errno::NOENT) => self.dismiss(id, charge),
            // A folder without write permission for its owner cannot be moved to another one.
            Err(Errno::ACCESS) => {
                rustix::fs::chmodat(&place.files, id.file_name(), Mode::RWXU, rustix::fs::AtFlags::empty())?;
                rustix::fs::renameat(&place.files, id.file_name(), &place.expunged, unique_name())?;
                self.dismiss(id, charge)
            }
            Err(errno) => Err(errno),
        }
    }
}

/// Writes a record that was not there before.
pub(crate) fn write_info(info: BorrowedFd, record: &Record) -> Result<(), Errno> {
    let text = record.to_info().map_err(|_| Errno::INVAL)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(info, record.id.info_name(), flags, Mode::RUSR | Mode::WUSR)?;
    write_all(file.as_fd(), text.as_bytes())
}

pub(crate) fn write_all(file: BorrowedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::retry_on_intr(|| rustix::io::write(file, bytes))? {
            0 => return Err(Errno::NOSPC),
            written => bytes = &bytes[written..],
        }
    }
    Ok(())
}
