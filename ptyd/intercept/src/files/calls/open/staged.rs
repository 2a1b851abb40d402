//! Opening a file for writing whose content decides: the writer gets a new version of it that takes its place when it
//! is complete and judged (`files/staging`). Where no such version can be made the file is judged unread.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::AtomicUsize;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::existing::{open_again, reopen};
use super::{Request, new, operations};
use crate::caller::AddDescriptor;
use crate::files::actor;
use crate::files::calls::call::Call;
use crate::files::calls::permit::{Aside, Permit};
use crate::files::calls::xattr::has_attributes;
use crate::files::fresh;
use crate::files::operation::Operation;
use crate::files::resolve::{Entry, Pin};
use crate::files::staging::{MOST, Staged, Writer};
use crate::files::sys;
use crate::outcome::Outcome;

/// Opens `pin` at `path`. `None`: its content cannot wait.
pub(super) fn open(
    call: &mut Call<'_, '_>,
    request: &Request,
    pin: &Pin,
    path: &Path,
) -> Result<Option<Outcome>, Outcome> {
    let flags = request.flags;
    // Nothing else stands against it than what may be written.
    let permit = call.weighed(operations(flags, pin), path.to_owned(), Some(&[]))?;
    if !permit.is_plain() || pin.kind() != libc::S_IFREG {
        return Ok(None);
    }
    if !flags.writes() {
        // It is only emptied, and what it will hold is known.
        return reopen(call, request, pin, &permit, None).map(Some);
    }
    // Whether it may be opened so, the kernel says as ever.
    let access = if flags.reads() { OFlags::RDWR } else { OFlags::WRONLY };
    open_again(call, pin, access | OFlags::NONBLOCK | OFlags::CLOEXEC)?;
    let begun = Begun {
        pin,
        path,
        empty: flags.has(libc::O_TRUNC),
        created: false,
    };
    write(call, request, &begun, &permit)
}

/// Makes the file at `path`: an empty one, which nothing stands against, and what is written waits. `guard` is what
/// holds the path. `None`: its content cannot wait, and nothing was made.
pub(super) fn create<G>(
    call: &mut Call<'_, '_>,
    request: &Request,
    entry: &Entry,
    path: &Path,
    guard: G,
) -> Result<Option<Outcome>, Outcome> {
    let permit = call.weighed(&[Operation::Create], path.to_owned(), Some(&[]))?;
    if !permit.is_plain() {
        return Ok(None);
    }
    if !request.flags.writes() {
        return new::create_permitted(call, request, entry, &permit, None, guard).map(Some);
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(request.mode);
    let made = actor::making(|| rustix::fs::openat(&entry.parent, &entry.name, flags, mode));
    drop(guard);
    let made = match made {
        Ok(made) => made,
        Err(Errno::EXIST) => return Err(Outcome::Errno(Errno::EXIST)),
        Err(errno) => return call.finish(&permit, Err(errno), Aside::default()).map(Some),
    };
    let begun = Begun {
        pin: &call.resolver().own_descriptor(made.as_fd())?,
        path,
        empty: true,
        created: true,
    };
    let written = write(call, request, &begun, &permit);
    if !matches!(written, Ok(Some(_))) {
        new::undo(entry, &made);
    }
    written
}

/// What a version is begun from.
struct Begun<'a> {
    /// The file, which the caller may write to.
    pin: &'a Pin,
    path: &'a Path,
    /// Whether its content is given up.
    empty: bool,
    /// Whether it was made by this very call.
    created: bool,
}

/// Gives the caller a version to write instead of the file.
fn write(
    call: &mut Call<'_, '_>,
    request: &Request,
    begun: &Begun<'_>,
    permit: &Permit,
) -> Result<Option<Outcome>, Outcome> {
    if request.flags.leaves_a_trace() && !call.has_room(false)? {
        return Err(Outcome::Errno(Errno::MFILE));
    }
    let cloexec = request.flags.cloexec();
    let how = request
        .flags
        .without(libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_TRUNC);
    // Where somebody writes it already, the version is the same for all who do.
    let again = if begun.empty { how | OFlags::TRUNC } else { how };
    let joined = call.engine.staging.join(begun.pin, |file| {
        let number = rustix::path::DecInt::from_fd(file);
        rustix::fs::openat(call.descriptors(), number, again, Mode::empty())
    })?;
    if let Some(writer) = joined {
        return hand(call, permit, writer, cloexec).map(Some);
    }
    let Ok((fd, staged)) = begin(call, begun, how) else {
        return Ok(None);
    };
    match call.engine.staging.add(staged, fd) {
        Ok(writer) => hand(call, permit, writer, cloexec).map(Some),
        Err(errno) => {
            tracing::warn!(%errno, "a file whose content decides is judged unread");
            Ok(None)
        }
    }
}

fn hand(call: &mut Call<'_, '_>, permit: &Permit, writer: Writer, cloexec: bool) -> Result<Outcome, Outcome> {
    call.rest();
    let handing = AddDescriptor::to(call.caller);
    let put = handing.put(writer.fd().ok_or(Errno::BADF)?, cloexec);
    drop(writer);
    let handed = put.and_then(|number| handing.answer(number)).map(|_| ());
    if handed == Err(Errno::NOENT) {
        return Ok(Outcome::Answered);
    }
    call.finish(permit, handed, Aside::default()).map(|_| Outcome::Answered)
}

/// Makes the version, with the content and attributes of `pin`, as the caller: whoever could not make a file there
/// or give it away cannot do so here.
fn begin(call: &Call<'_, '_>, begun: &Begun<'_>, how: OFlags) -> Result<(OwnedFd, Staged), Errno> {
    let &Begun {
        pin,
        path,
        empty,
        created,
    } = begun;
    let of = &pin.stat;
    let small = u64::try_from(of.st_size).is_ok_and(|size| size <= MOST);
    if of.st_nlink != 1 || !small || has_attributes(&pin.fd)? {
        return Err(Errno::OPNOTSUPP);
    }
    let (folder, name) = (
        path.parent().ok_or(Errno::NOENT)?,
        path.file_name().ok_or(Errno::NOENT)?,
    );
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let parent = rustix::fs::openat2(CWD, folder, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    let name = CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)?;
    if !pin.is(&rustix::fs::statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW)?) {
        return Err(Errno::AGAIN);
    }
    let before = actor::as_reader(|| content(call, pin))?;
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let made = rustix::fs::openat(&parent, ".", flags, Mode::RUSR | Mode::WUSR)?;
    let number = || rustix::path::DecInt::from_fd(&made);
    // Without the flags by which it was made, which a program could see.
    let writer = rustix::fs::openat(call.descriptors(), number(), how, Mode::empty())?;
    let file = actor::as_reader(|| {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::openat(call.descriptors(), number(), flags, Mode::empty())
    })?;
    // Once nobody writes it, that must be found out.
    match actor::as_reader(|| sys::lease_against_writers(&file)) {
        Err(Errno::AGAIN) => {}
        other => return Err(other.err().unwrap_or(Errno::OPNOTSUPP)),
    }
    if !empty {
        fresh::write(&made, &before)?;
    }
    fresh::give_looks(&made, of)?;
    if !empty {
        fresh::give_times(&made, of)?;
    }
    let staged = Staged {
        parent,
        name,
        base: Pin::plain(rustix::io::fcntl_dupfd_cloexec(&pin.fd, 0)?)?,
        before,
        stat: rustix::fs::fstat(&made)?,
        file,
        tid: call.client.tid,
        tgid: call.client.tgid,
        created,
        held: AtomicUsize::new(0),
    };
    Ok((writer, staged))
}

fn content(call: &Call<'_, '_>, pin: &Pin) -> Result<Vec<u8>, Errno> {
    let number = rustix::path::DecInt::from_fd(&pin.fd);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(call.descriptors(), number, flags, Mode::empty())?;
    crate::files::staging::read(fd.as_fd())
}
