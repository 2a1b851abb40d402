//! `inotify_add_watch(2)`: who watches a folder learns the names in it, who watches a file when it is used.

use std::os::fd::AsFd;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::call::{Call, path_to};
use crate::files::judge::Verdict;
use crate::files::operation::Operation;
use crate::files::resolve::How;
use crate::files::sys;
use crate::outcome::Outcome;

/// The bits of a mask, of which one at least must be set.
const KNOWN: u32 = libc::IN_ALL_EVENTS
    | libc::IN_UNMOUNT
    | libc::IN_Q_OVERFLOW
    | libc::IN_IGNORED
    | libc::IN_ONLYDIR
    | libc::IN_DONT_FOLLOW
    | libc::IN_EXCL_UNLINK
    | libc::IN_MASK_CREATE
    | libc::IN_MASK_ADD
    | libc::IN_ISDIR
    | libc::IN_ONESHOT;

pub fn inotify_add_watch(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let mask = call.caller.arg_u32(2);
    // In the kernel's order: the path comes last.
    if mask & KNOWN == 0 {
        return Err(Outcome::Errno(Errno::INVAL));
    }
    let watches = call.client.fetch_fd(call.caller.arg_i32(0))?;
    if rustix::fs::fcntl_getfl(&watches)?.contains(OFlags::PATH) {
        return Err(Outcome::Errno(Errno::BADF));
    }
    if !is_inotify(call, &watches)? {
        return Err(Outcome::Errno(Errno::INVAL));
    }
    let place = call.place_here(1)?;
    call.act(false)?;
    let how = match mask & libc::IN_DONT_FOLLOW != 0 {
        true => How::NOFOLLOW,
        false => How::FOLLOW,
    };
    let pin = call.object(&place, how)?;
    let folder = pin.kind() == libc::S_IFDIR;
    let operation = if folder { Operation::List } else { Operation::Read };
    let permit = match call.path_of(&pin)?.path() {
        Some(path) => Some(call.ask_if_needed(call.strictest(&[operation], path.to_owned())?)?),
        None => None,
    };
    // The original is what is watched: what was redirected is not there.
    let work = || sys::add_watch(&watches, &path_to(&pin.fd), mask & !libc::IN_DONT_FOLLOW);
    let outcome = work().map_or_else(Outcome::Errno, |watch| Outcome::Value(watch.into()));
    match permit {
        Some(permit) if !matches!(permit.judgement.verdict, Verdict::Redirect { .. }) => {
            call.observed(&permit, outcome)
        }
        _ => Ok(outcome),
    }
}

fn is_inotify(call: &Call<'_, '_>, fd: impl AsFd) -> Result<bool, Errno> {
    let number = rustix::path::DecInt::from_fd(&fd);
    let text = rustix::fs::readlinkat(call.descriptors(), number, Vec::new())?;
    Ok(text.as_bytes() == b"anon_inode:inotify")
}
