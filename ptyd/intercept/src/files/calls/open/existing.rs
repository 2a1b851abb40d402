//! Opening an object that is there.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::blocking::may_block;
use super::{Flags, Request, groups, operations, redirect, redirected, staged, terminal};
use crate::caller::AddDescriptor;
use crate::files::actor;
use crate::files::calls::call::Call;
use crate::files::calls::permit::{Aside, Permit};
use crate::files::judge::Verdict;
use crate::files::operation::Operation;
use crate::files::resolve::{Pin, controlling_terminal, guard};
use crate::files::trash::Loss;
use crate::outcome::Outcome;

pub(super) fn open(call: &mut Call<'_, '_>, request: &Request, pin: Pin) -> Result<Outcome, Outcome> {
    let flags = request.flags;
    if flags.has(libc::O_CREAT | libc::O_EXCL) {
        let entry = call.entry(&request.place);
        return Err(entry.map_or(Outcome::Errno(Errno::EXIST), |entry| {
            call.taken(Operation::Create, &entry)
        }));
    }
    if flags.has(libc::O_PATH) {
        return path_only(call, &pin);
    }
    let memory = guard(&call.resolver(), &pin)?;
    check_kind(call, request, &pin)?;
    // What the caller does with it, it does by other calls as well.
    if memory {
        return nameless(call, flags, &pin);
    }
    // What never had a path (a pipe under /dev/stdin) is the caller's own and no file of any rule.
    let place = call.path_of(&pin)?;
    let Some(path) = place.path().map(PathBuf::from) else {
        return nameless(call, flags, &pin);
    };
    let permit = call.weighed(operations(flags, &pin), path, None)?;
    if !flags.observes() && call.content_is_elsewhere(&pin, &place)? {
        return Err(call.refuse(&permit, Errno::ACCESS));
    }
    let permit = match flags.has(libc::O_TRUNC) && pin.kind() == libc::S_IFREG {
        true => call.also(permit, Operation::Truncate),
        false => permit,
    };
    if permit.waits_for_content()
        && let Some(outcome) = staged::open(call, request, &pin, &permit.path)?
    {
        return Ok(outcome);
    }
    let permit = call.not_denied(permit)?;
    let permit = call.device(permit, &pin)?;
    let permit = match permit.judgement.verdict {
        Verdict::Approve => {
            let permit = call.approved(permit)?;
            // The wait may have been long: what was approved is this object under this path.
            if call.path_of(&pin)?.path() != Some(&permit.path) {
                return Err(Outcome::Errno(Errno::ACCESS));
            }
            permit
        }
        _ => permit,
    };
    if let Some((to, if_there)) = redirect(&permit)
        && let Some(outcome) = redirected::open(call, request, &permit, (&to, if_there), Some(&pin))?
    {
        return Ok(outcome);
    }
    if flags.observes()
        && let Some(fd) = groups::shown(call, flags, &pin, &permit.path)?
    {
        let cloexec = flags.cloexec();
        return call.observed(&permit, Outcome::Descriptor { fd, cloexec });
    }
    // No wall lets the kernel open anything in the trash.
    if permit.judgement.verdict == Verdict::Continue && flags.observes() && !call.is_discarded(&pin)? {
        return call.observed(&permit, Outcome::Continue);
    }
    reopen(call, request, &pin, &permit, None)
}

/// `O_PATH`: nobody can hand such a descriptor over, and it gives no right; what is done with it later is
/// judged on its object.
fn path_only(call: &mut Call<'_, '_>, pin: &Pin) -> Result<Outcome, Outcome> {
    if let Some(path) = call.path_of(pin)?.path() {
        let permit = call.strictest(&[Operation::Open], path.to_owned())?;
        let permit = call.ask_if_needed(permit)?;
        return call.observed(&permit, Outcome::Continue);
    }
    Ok(Outcome::Continue)
}

fn nameless(call: &mut Call<'_, '_>, flags: Flags, pin: &Pin) -> Result<Outcome, Outcome> {
    let fd = open_again(call, pin, flags.without(libc::O_CREAT | libc::O_NOFOLLOW))?;
    call.rest();
    if terminal::is_asked_for(call, flags, pin) {
        // Whoever died has no use for it.
        return match terminal::hand_over(call, fd, flags.cloexec()) {
            Ok(()) | Err(Errno::NOENT) => Ok(Outcome::Answered),
            Err(errno) => Err(Outcome::Errno(errno)),
        };
    }
    Ok(Outcome::Descriptor {
        fd,
        cloexec: flags.cloexec(),
    })
}

/// Opens what was judged, and hands it over.
pub(super) fn reopen(
    call: &mut Call<'_, '_>,
    request: &Request,
    pin: &Pin,
    permit: &Permit,
    second: Option<PathBuf>,
) -> Result<Outcome, Outcome> {
    let flags = request.flags;
    let cut = flags.has(libc::O_TRUNC) && pin.kind() == libc::S_IFREG;
    if cut && !call.has_room(false)? {
        return Err(Outcome::Errno(Errno::MFILE));
    }
    let losing = [Operation::Delete, Operation::Truncate];
    let lost = second.as_deref().unwrap_or(&permit.path);
    let keep = match cut && pin.stat.st_size > 0 {
        true => call.is_kept(&losing, lost),
        false => None,
    };
    let stripped = libc::O_CREAT | libc::O_NOFOLLOW | if keep.is_some() { libc::O_TRUNC } else { 0 };
    let opened = match is_terminal_name(pin) {
        true => open_terminal(call, flags.without(stripped)),
        false => open_again(call, pin, flags.without(stripped)),
    };
    let fd = match opened {
        Ok(fd) => fd,
        Err(Outcome::Errno(errno)) if !flags.observes() => return call.finish(permit, Err(errno), Aside::default()),
        Err(outcome) => return Err(outcome),
    };
    let content = || pin.kind() == libc::S_IFREG && call.engine.parts.judge.judges_content();
    if flags.writes() && second.is_none() && !call.is_still_there(pin) && content() {
        // Opening may have waited for a rename, or for a version that was written to take its place: under its new name
        // it is another question.
        let now = call.resolver().own_descriptor(fd.as_fd())?;
        let place = call.path_of(&now)?;
        if place.path() != Some(&permit.path) || call.content_is_elsewhere(&now, &place)? {
            return Err(call.refuse(permit, Errno::ACCESS));
        }
    }
    let mut kept = None;
    if let Some(by) = keep {
        let it = match call.keep(&by, None, Some(pin), lost, Loss::Truncate(0)) {
            Ok(it) => it,
            Err(errno) => return Err(call.refuse(permit, errno)),
        };
        let result = cut_to_nothing(call, flags, pin, fd.as_fd());
        kept = call.settle(Some(it), result.is_ok());
        result?;
    }
    let cloexec = flags.cloexec();
    call.rest();
    let to_lead = terminal::is_asked_for(call, flags, pin);
    if flags.observes() && second.is_none() && !to_lead {
        return call.observed(permit, Outcome::Descriptor { fd, cloexec });
    }
    let handed = match to_lead {
        true => terminal::hand_over(call, fd, cloexec),
        false => AddDescriptor::to(call.caller).finish(fd, cloexec).map(|_| ()),
    };
    if handed == Err(Errno::NOENT) && !cut {
        return Ok(Outcome::Answered);
    }
    let aside = Aside {
        second: second.as_deref(),
        kept,
        ..Aside::default()
    };
    match call.finish(permit, handed, aside) {
        Ok(_) => Ok(Outcome::Answered),
        Err(outcome) => Err(outcome),
    }
}

fn cut_to_nothing(call: &Call<'_, '_>, flags: Flags, pin: &Pin, fd: impl AsFd) -> Result<(), Errno> {
    if flags.writes() {
        return rustix::fs::ftruncate(fd, 0);
    }
    // O_RDONLY | O_TRUNC cuts as well, for who may write.
    let number = rustix::path::DecInt::from_fd(&pin.fd);
    let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::CLOEXEC;
    rustix::fs::openat(call.descriptors(), number, flags, Mode::empty()).map(|_| ())
}

/// Opens the pinned object through its descriptor: the kernel checks the caller's rights, and no name is
/// looked at again.
pub(super) fn open_again(call: &Call<'_, '_>, pin: &Pin, flags: OFlags) -> Result<OwnedFd, Outcome> {
    let open = || {
        let number = rustix::path::DecInt::from_fd(&pin.fd);
        rustix::fs::openat(call.descriptors(), number, flags, Mode::empty())
    };
    match may_block(pin, flags)? {
        true => call.caller.slow(open),
        false => Ok(open()?),
    }
}

/// `/dev/tty` is whoever opens it.
fn is_terminal_name(pin: &Pin) -> bool {
    pin.kind() == libc::S_IFCHR && pin.stat.st_rdev == libc::makedev(5, 0)
}

fn open_terminal(call: &Call<'_, '_>, flags: OFlags) -> Result<OwnedFd, Outcome> {
    // A terminal that is one's own can be opened whoever owns its node.
    let open = || {
        let terminal = controlling_terminal(call.client.tgid)?;
        let number = rustix::path::DecInt::from_fd(&terminal);
        rustix::fs::openat(call.descriptors(), number, flags, Mode::empty())
    };
    Ok(actor::as_reader(open)?)
}

/// What the kernel refuses by the object's kind, before it looks at rights.
fn check_kind(call: &Call<'_, '_>, request: &Request, pin: &Pin) -> Result<(), Outcome> {
    let flags = request.flags;
    let errno = match pin.kind() {
        libc::S_IFLNK if flags.has(libc::O_DIRECTORY) => Errno::NOTDIR,
        libc::S_IFLNK => Errno::LOOP,
        libc::S_IFDIR if flags.has(libc::O_CREAT) || flags.writes() || flags.has(libc::O_TRUNC) => Errno::ISDIR,
        libc::S_IFDIR => return Ok(()),
        _ if flags.has(libc::O_DIRECTORY) => Errno::NOTDIR,
        libc::S_IFREG | libc::S_IFIFO if flags.has(libc::O_CREAT) => return sticky(call, request, pin),
        _ => return Ok(()),
    };
    Err(Outcome::Errno(errno))
}

/// `fs.protected_regular` and `fs.protected_fifos`: O_CREAT does not open somebody else's file in a sticky
/// folder that others may write to.
fn sticky(call: &Call<'_, '_>, request: &Request, pin: &Pin) -> Result<(), Outcome> {
    let host = &call.engine.host;
    let level = match pin.kind() {
        libc::S_IFREG => host.protected_regular,
        _ => host.protected_fifos,
    };
    if level == 0 || pin.stat.st_uid == call.client.identity.fsuid {
        return Ok(());
    }
    let folder = rustix::fs::fstat(&call.entry(&request.place)?.parent)?;
    let open_to = if level >= 2 {
        libc::S_IWOTH | libc::S_IWGRP
    } else {
        libc::S_IWOTH
    };
    let guarded = folder.st_mode & libc::S_ISVTX != 0 && folder.st_mode & open_to != 0;
    if guarded && folder.st_uid != pin.stat.st_uid {
        return Err(Outcome::Errno(Errno::ACCESS));
    }
    Ok(())
}
