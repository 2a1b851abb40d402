//! Opening what is made by it.

use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::{Request, redirect, redirected, staged};
use crate::caller::AddDescriptor;
use crate::files::actor;
use crate::files::calls::call::Call;
use crate::files::calls::permit::{Aside, Permit};
use crate::files::operation::Operation;
use crate::files::resolve::{Entry, Pin};
use crate::outcome::Outcome;

/// Makes the file at `entry`. `EEXIST` if its name has appeared meanwhile.
pub(super) fn create(call: &mut Call<'_, '_>, request: &Request, entry: &Entry) -> Result<Outcome, Outcome> {
    if entry.name.as_bytes().ends_with(b"/") {
        return Err(Outcome::Errno(Errno::ISDIR));
    }
    let mut guard = call.engine.names_stay();
    let unread = call.weighed(&[Operation::Create], call.path_of_entry(entry)?, None)?;
    if unread.waits_for_content() {
        if let Some(outcome) = staged::create(call, request, entry, &unread.path, guard)? {
            return Ok(outcome);
        }
        guard = call.engine.names_stay();
    }
    let (permit, guard) = call.permit_held(unread, guard, || call.path_of_entry(entry))?;
    if let Some((to, if_there)) = redirect(&permit) {
        drop(guard);
        return match redirected::open(call, request, &permit, (&to, if_there), None)? {
            Some(outcome) => Ok(outcome),
            None => Err(call.refuse(&permit, Errno::ACCESS)),
        };
    }
    create_permitted(call, request, entry, &permit, None, guard)
}

/// There is nothing to open, except where an earlier write went elsewhere.
pub(super) fn missing(call: &mut Call<'_, '_>, request: &Request, entry: &Entry) -> Result<Outcome, Outcome> {
    let nothing = Outcome::Errno(Errno::NOENT);
    if !call.engine.parts.judge.redirects() || !entry.is_name() {
        return Err(nothing);
    }
    let operation = if request.flags.writes() {
        Operation::Write
    } else {
        Operation::Read
    };
    let path = call.path_of_entry(entry)?;
    let judgement = call.judge(operation, &path);
    let permit = Permit {
        operation,
        path,
        judgement,
        approved: None,
    };
    match redirect(&permit) {
        Some((to, _)) => redirected::open(call, request, &permit, (&to, true), None)?.ok_or(nothing),
        None => Err(nothing),
    }
}

/// [`create`] after the decision. `guard` is what holds the path.
pub(super) fn create_permitted<G>(
    call: &mut Call<'_, '_>,
    request: &Request,
    entry: &Entry,
    permit: &Permit,
    second: Option<PathBuf>,
    guard: G,
) -> Result<Outcome, Outcome> {
    if !call.has_room(true)? {
        return Err(Outcome::Errno(Errno::MFILE));
    }
    // Exclusive, whatever the caller said: that nothing was there is what was judged.
    // That refuses a link too, and leaves no trace in the flags of the descriptor, as O_NOFOLLOW would.
    let flags = request.flags.without(libc::O_NOFOLLOW) | OFlags::CREATE | OFlags::EXCL;
    let flags = flags.difference(OFlags::TRUNC);
    let mode = Mode::from_raw_mode(request.mode);
    let made = actor::making(|| rustix::fs::openat(&entry.parent, &entry.name, flags, mode));
    drop(guard);
    let fd = match made {
        Ok(fd) => fd,
        Err(Errno::EXIST) => return Err(Outcome::Errno(Errno::EXIST)),
        Err(errno) => return call.finish(permit, Err(errno), Aside::default()),
    };
    let handing = AddDescriptor::to(call.caller);
    let put = handing.put(&fd, request.flags.cloexec());
    if put == Err(Errno::MFILE) {
        // Another thread took the last number after we had looked: as if nothing had been made.
        undo(entry, &fd);
    }
    drop(fd);
    let handed = put.and_then(|number| handing.answer(number));
    if let Ok(number) = handed {
        call.client.was_given(number);
    }
    let aside = Aside {
        second: second.as_deref(),
        ..Aside::default()
    };
    let result = match handed {
        // The caller died with its file made, as it can in the kernel.
        Ok(_) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    };
    call.finish(permit, result, aside).map(|_| Outcome::Answered)
}

/// Removes what was made in vain.
pub(super) fn undo(entry: &Entry, fd: impl AsFd) {
    let same = match (entry.stat(), rustix::fs::fstat(fd)) {
        (Ok(there), Ok(ours)) => (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino),
        _ => false,
    };
    if same && let Err(errno) = rustix::fs::unlinkat(&entry.parent, &entry.name, AtFlags::empty()) {
        tracing::warn!(%errno, "a file that could not be handed over stays");
    }
}

/// `O_TMPFILE`: a file without a name in the folder `pin`; its name, if it gets one, is judged then.
pub(super) fn unnamed(call: &mut Call<'_, '_>, request: &Request, pin: &Pin) -> Result<Outcome, Outcome> {
    if pin.kind() != libc::S_IFDIR {
        return Err(Outcome::Errno(Errno::NOTDIR));
    }
    let path = || match call.path_of(pin)?.path() {
        // A name that no rule is written for, in the folder that rules are written for.
        Some(folder) => Ok(folder.join("#tmpfile")),
        None => Err(Errno::NOENT),
    };
    let (permit, guard) = call.permit(Operation::Create, path)?;
    call.not_redirected(&permit)?;
    let number = rustix::path::DecInt::from_fd(&pin.fd);
    let flags = request.flags.without(libc::O_NOFOLLOW);
    let mode = Mode::from_raw_mode(request.mode);
    let made = actor::making(|| rustix::fs::openat(call.descriptors(), number, flags, mode));
    drop(guard);
    let fd = match made {
        Ok(fd) => fd,
        Err(errno) => return call.finish(&permit, Err(errno), Aside::default()),
    };
    let handed = AddDescriptor::to(call.caller)
        .finish(fd, request.flags.cloexec())
        .map(|_| ());
    call.finish(&permit, handed, Aside::default())
        .map(|_| Outcome::Answered)
}
