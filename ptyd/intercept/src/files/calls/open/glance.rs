//! A plain read that the hull holds, answered without taking on the caller's rights.
//!
//! The object is only looked at (`O_PATH`) and the call continued: whether the caller may open it, the
//! kernel decides then. Whatever is not this common case is left to the careful way.

use std::os::fd::AsFd;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

use super::{Flags, operations};
use crate::files::calls::call::Call;
use crate::files::judge::Verdict;
use crate::files::resolve::{Canonical, Pin, Place, Root};
use crate::outcome::Outcome;

/// `None`: look carefully. Worker threads have their own rights here, and no link of procfs is followed.
pub(super) fn glance(call: &mut Call<'_, '_>, flags: Flags, place: &Place) -> Option<Outcome> {
    if !flags.observes() || flags.has(libc::O_PATH) || !matches!(place.root, Root::Host) || place.path.is_empty() {
        return None;
    }
    let from = place.start.as_ref().map_or(CWD, AsFd::as_fd);
    let mut how = OFlags::PATH | OFlags::CLOEXEC;
    how.set(OFlags::NOFOLLOW, !flags.follows());
    let fd = rustix::fs::openat2(from, &place.path, how, Mode::empty(), ResolveFlags::NO_MAGICLINKS).ok()?;
    let stat = rustix::fs::fstat(&fd).ok()?;
    if !call.engine.host.is_not_procfs(&stat) {
        return None;
    }
    let pin = Pin {
        procfs: false,
        ..Pin::seen(fd, stat)
    };
    if !matches!(pin.kind(), libc::S_IFREG | libc::S_IFDIR) {
        return None;
    }
    let Canonical::At(path) = call.path_of(&pin).ok()? else {
        return None;
    };
    let permit = call.weighed(operations(flags, &pin), path, None).ok()?;
    if permit.judgement.verdict != Verdict::Continue {
        return None;
    }
    match call.observed(&permit, Outcome::Continue) {
        Ok(outcome) | Err(outcome) => Some(outcome),
    }
}
