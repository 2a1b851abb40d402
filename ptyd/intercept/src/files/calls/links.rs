//! `link(2)`, `symlink(2)`.

use std::ffi::{CStr, CString};
use std::path::Path;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::call::{Call, done};
use super::permit::Aside;
use super::tree::making;
use crate::files::operation::Operation;
use crate::files::resolve::{Canonical, How, Place};
use crate::outcome::Outcome;

#[cfg(target_arch = "x86_64")]
pub fn link(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let (old, new) = (call.place_here(0)?, call.place_here(1)?);
    hard(call, &old, &new, 0)
}

pub fn linkat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let flags = call.caller.arg_i32(4);
    if flags & !(libc::AT_SYMLINK_FOLLOW | libc::AT_EMPTY_PATH) != 0 {
        return Err(Outcome::Errno(Errno::INVAL));
    }
    let (old, new) = (call.place_at(0, 1)?, call.place_at(2, 3)?);
    hard(call, &old, &new, flags)
}

fn hard(call: &mut Call<'_, '_>, old: &Place, new: &Place, flags: i32) -> Result<Outcome, Outcome> {
    call.act(false)?;
    let how = match flags & libc::AT_SYMLINK_FOLLOW != 0 {
        true => How::FOLLOW,
        false => How::NOFOLLOW,
    };
    let object = call.object_or_empty(old, flags, how)?;
    let entry = call.entry(new)?;
    // Through the descriptor, so that it is this object whatever its name leads to now.
    let work = || {
        let number = rustix::path::DecInt::from_fd(&object.fd);
        rustix::fs::linkat(
            call.descriptors(),
            number,
            &entry.parent,
            &entry.name,
            AtFlags::SYMLINK_FOLLOW,
        )
    };
    if !entry.is_name() {
        return done(work());
    }
    if entry.stat().is_ok() {
        return Err(call.taken(Operation::Link, &entry));
    }
    // As of every file that has lost its last name.
    if object.stat.st_nlink == 1 && call.is_discarded(&object)? {
        return Err(Outcome::Errno(Errno::NOENT));
    }
    let source = call.path_of(&object)?;
    if call.content_is_elsewhere(&object, &source)? {
        return Err(Outcome::Errno(Errno::ACCESS));
    }
    // Judged at both ends; an unnamed file (O_TMPFILE) has only the new one.
    let mut from = None;
    if let Canonical::At(path) = &source {
        let permit = call.strictest(&[Operation::Link], path.clone())?;
        let permit = call.ask_if_needed(permit)?;
        call.not_redirected(&permit)?;
        from = Some(permit);
    }
    let mut operations = vec![Operation::Link, Operation::Create];
    operations.extend(making(FileType::from_raw_mode(object.stat.st_mode)));
    let (permit, guard) = call.permit_all(&operations, || call.path_of_entry(&entry))?;
    call.not_redirected(&permit)?;
    if let Some(path) = source.path() {
        call.not_weaker(path, &permit.path, None)?;
    }
    // What had no name may have got one since: a new version that took its place.
    if call.path_of(&object)? != source {
        return Err(Outcome::Errno(Errno::AGAIN));
    }
    let result = work();
    drop(guard);
    let permit = match &from {
        Some(from) => permit.with(from),
        None => permit,
    };
    let second = source.path().map(Path::to_owned);
    call.finish(
        &permit,
        result,
        Aside {
            second: second.as_deref(),
            ..Aside::default()
        },
    )
}

#[cfg(target_arch = "x86_64")]
pub fn symlink(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let text = target(call)?;
    let new = call.place_here(1)?;
    symbolic(call, &text, &new)
}

pub fn symlinkat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let text = target(call)?;
    let new = call.place_at(1, 2)?;
    symbolic(call, &text, &new)
}

/// What the link will say: the kernel looks at it before the path.
fn target(call: &Call<'_, '_>) -> Result<CString, Outcome> {
    let text = call.path(0)?;
    if text.is_empty() {
        Err(Outcome::Errno(Errno::NOENT))
    } else {
        Ok(text)
    }
}

fn symbolic(call: &mut Call<'_, '_>, text: &CStr, new: &Place) -> Result<Outcome, Outcome> {
    use std::os::unix::ffi::OsStrExt;
    call.act(false)?;
    let entry = call.entry(new)?;
    let work = || rustix::fs::symlinkat(text, &entry.parent, &entry.name);
    if !entry.is_name() {
        return done(work());
    }
    if entry.stat().is_ok() {
        return Err(call.taken(Operation::Symlink, &entry));
    }
    let (permit, guard) = call.permit(Operation::Symlink, || call.path_of_entry(&entry))?;
    call.not_redirected(&permit)?;
    let result = work();
    drop(guard);
    let second = Path::new(std::ffi::OsStr::from_bytes(text.to_bytes()));
    call.finish(
        &permit,
        result,
        Aside {
            second: Some(second),
            ..Aside::default()
        },
    )
}
