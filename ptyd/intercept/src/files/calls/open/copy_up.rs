//! What is to be written and exists only at its original: where it is redirected to gets a copy, which is written then.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::Request;
use super::existing::open_again;
use super::redirected::make_folders;
use crate::files::calls::call::Call;
use crate::files::judge::Verdict;
use crate::files::operation::Operation;
use crate::files::resolve::Pin;
use crate::files::sys;
use crate::outcome::Outcome;

/// Makes the copy of `original`, which is at `path`, at `to`, as the caller: what it may not read is not copied for it. An
/// empty one where the content is given up. It appears there when it is whole, and only if it can be opened as is asked.
pub(super) fn copy_up(
    call: &mut Call<'_, '_>,
    request: &Request,
    original: &Pin,
    path: &Path,
    to: &Path,
) -> Result<(), Outcome> {
    let flags = request.flags;
    let empty = flags.has(libc::O_TRUNC);
    let from = match empty {
        true => None,
        false => Some(open_again(call, original, readable(call, path)?)?),
    };
    if empty && !call.has_room(false)? {
        return Err(Outcome::Errno(Errno::MFILE));
    }
    // Folders are made with the caller's umask.
    call.rest();
    call.act(true)?;
    make_folders(to)?;
    let (folder, name) = (to.parent().ok_or(Errno::INVAL)?, to.file_name().ok_or(Errno::INVAL)?);
    let how = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let parent = rustix::fs::openat2(CWD, folder, how, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    let how = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let copy = rustix::fs::openat(&parent, ".", how, Mode::RUSR | Mode::WUSR)?;
    if let Some(from) = &from {
        call.engine.parts.trash.fill(from.as_fd(), copy.as_fd())?;
        let of = &original.stat;
        let nanoseconds = |part| i64::try_from(part).unwrap_or(0);
        let (access, modification) = (nanoseconds(of.st_atime_nsec), nanoseconds(of.st_mtime_nsec));
        sys::set_times(copy.as_fd(), Some(&[of.st_atime, access, of.st_mtime, modification]))?;
    }
    rustix::fs::fchmod(&copy, Mode::from_raw_mode(original.stat.st_mode & 0o777))?;
    let number = || rustix::path::DecInt::from_fd(&copy);
    let access = flags.without(!libc::O_ACCMODE);
    rustix::fs::openat(call.descriptors(), number(), access, Mode::empty())?;
    let name = CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)?;
    match rustix::fs::linkat(call.descriptors(), number(), &parent, &name, AtFlags::SYMLINK_FOLLOW) {
        // Somebody else made it meanwhile.
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(Outcome::Errno(errno)),
    }
}

/// How it is read; not at all where policy keeps it from being read.
fn readable(call: &Call<'_, '_>, path: &Path) -> Result<OFlags, Errno> {
    match call.judge(Operation::Read, path).verdict {
        Verdict::Deny(errno) => Err(errno),
        Verdict::Approve => Err(Errno::ACCESS),
        _ => Ok(OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC),
    }
}
