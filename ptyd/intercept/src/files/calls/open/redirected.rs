//! Opening another file instead.
//!
//! The target's folders may be the caller's to write to, so that no symbolic link on the way is followed.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::copy_up::copy_up;
use super::{Request, existing, new};
use crate::files::actor;
use crate::files::calls::call::Call;
use crate::files::calls::permit::Permit;
use crate::files::resolve::{Found, How, Pin, Place, Root, guard};
use crate::outcome::Outcome;

/// Opens the file at `to` with the caller's rights. `None`: nothing is there, and the original is meant then. `original`:
/// what is at the path that the caller said.
pub(super) fn open(
    call: &mut Call<'_, '_>,
    request: &Request,
    permit: &Permit,
    (to, if_there): (&Path, bool),
    original: Option<&Pin>,
) -> Result<Option<Outcome>, Outcome> {
    let path = CString::new(to.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
    let place = Place {
        path,
        start: None,
        at: None,
        root: Root::Host,
    };
    let creates = request.flags.has(libc::O_CREAT) && !if_there;
    if creates {
        make_folders(to)?;
    }
    let how = How {
        follow: false,
        resolve: ResolveFlags::NO_SYMLINKS,
    };
    let permit = permit.same();
    let second = Some(to.to_owned());
    let copied = original.filter(|pin| pin.kind() == libc::S_IFREG && !if_there);
    let found = match (call.resolver().find(&place, how), copied) {
        (Ok(Found::Missing(_)) | Err(Errno::NOENT), Some(original)) => {
            copy_up(call, request, original, &permit.path, to).map_err(|outcome| match outcome {
                Outcome::Errno(errno) => call.refuse(&permit, errno),
                other => other,
            })?;
            call.resolver().find(&place, how)
        }
        (found, _) => found,
    };
    match found {
        Ok(Found::Object(_)) if creates && request.flags.has(libc::O_EXCL) => Err(Outcome::Errno(Errno::EXIST)),
        Ok(Found::Object(pin)) if pin.kind() == libc::S_IFLNK => Err(Outcome::Errno(Errno::LOOP)),
        Ok(Found::Object(pin)) => {
            guard(&call.resolver(), &pin)?;
            existing::reopen(call, request, &pin, &permit, second).map(Some)
        }
        Ok(Found::Missing(_)) | Err(Errno::NOENT) if if_there => Ok(None),
        Ok(Found::Missing(entry)) if creates => {
            new::create_permitted(call, request, &entry, &permit, second, ()).map(Some)
        }
        Ok(Found::Missing(_)) => Err(Outcome::Errno(Errno::NOENT)),
        Err(errno) => Err(Outcome::Errno(errno)),
    }
}

/// The folders above `to`, made with the caller's rights; those that are there are left alone.
pub(super) fn make_folders(to: &Path) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut here: OwnedFd = rustix::fs::openat(CWD, "/", flags, Mode::empty())?;
    for component in to.parent().ok_or(Errno::INVAL)?.components() {
        let name = match component {
            Component::RootDir => continue,
            Component::Normal(name) => name,
            _ => return Err(Errno::INVAL),
        };
        here = match rustix::fs::openat(&here, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => {
                let all = Mode::from_raw_mode(0o777);
                match actor::making(|| rustix::fs::mkdirat(&here, name, all)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno),
                }
                rustix::fs::openat(&here, name, flags, Mode::empty())?
            }
            result => result?,
        };
    }
    Ok(())
}
