//! `unlink(2)`, `rmdir(2)`.

use rustix::fs::{AtFlags, Stat};
use rustix::io::Errno;

use super::call::{Call, done};
use super::permit::Aside;
use crate::files::actor;
use crate::files::operation::Operation;
use crate::files::resolve::{Entry, Place};
use crate::files::trash::{Kept, Loss};
use crate::outcome::Outcome;

#[cfg(target_arch = "x86_64")]
pub fn unlink(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let place = call.place_here(0)?;
    remove(call, &place, AtFlags::empty())
}

#[cfg(target_arch = "x86_64")]
pub fn rmdir(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let place = call.place_here(0)?;
    remove(call, &place, AtFlags::REMOVEDIR)
}

pub fn unlinkat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let flags = call.caller.arg_u32(2);
    if flags & !(libc::AT_REMOVEDIR as u32) != 0 {
        return Err(Outcome::Errno(Errno::INVAL));
    }
    let place = call.place_at(0, 1)?;
    remove(call, &place, AtFlags::from_bits_retain(flags))
}

fn remove(call: &mut Call<'_, '_>, place: &Place, flags: AtFlags) -> Result<Outcome, Outcome> {
    call.act(false)?;
    let entry = call.entry(place)?;
    let work = || rustix::fs::unlinkat(&entry.parent, &entry.name, flags);
    if !entry.is_name() {
        return done(work());
    }
    let object = entry.stat()?;
    let (operation, loss) = match flags.contains(AtFlags::REMOVEDIR) {
        true => (Operation::Rmdir, Loss::Rmdir),
        false => (Operation::Delete, Loss::Unlink),
    };
    let (permit, guard) = call.permit(operation, || call.path_of_entry(&entry))?;
    call.not_redirected(&permit)?;
    let mut kept = None;
    if permit.judgement.keeps {
        removable(call, &entry, &object, loss)?;
        // The trash works with rights of its own.
        call.rest();
        match call.keep(&permit.judgement, Some(&entry), None, &permit.path, loss) {
            Ok(it) => kept = Some(it),
            Err(errno) => return Err(call.refuse(&permit, errno)),
        }
    }
    let result = match kept {
        Some(Kept::Moved(_)) => Ok(()),
        Some(_) => match call.act(false) {
            Ok(()) => same(&entry, &object).and_then(|()| work()),
            Err(outcome) => {
                call.settle(kept, false);
                return Err(outcome);
            }
        },
        None => work(),
    };
    if object.st_mode & libc::S_IFMT == libc::S_IFLNK {
        // Another folder may come to lie there.
        call.engine.folders.changed();
    }
    drop(guard);
    let kept = call.settle(kept, result.is_ok());
    call.finish(
        &permit,
        result,
        Aside {
            kept,
            ..Aside::default()
        },
    )
}

/// Whether the caller may change the folder, and in a sticky one this name of it.
fn permitted(call: &Call<'_, '_>, entry: &Entry, object: &Stat) -> Result<(), Errno> {
    const CAP_FOWNER: u32 = 3;
    let folder = rustix::fs::fstat(&entry.parent)?;
    let number = rustix::path::DecInt::from_fd(&entry.parent);
    let rights = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::accessat(call.descriptors(), number, rights, AtFlags::EACCESS)?;
    let identity = &call.client.identity;
    let own = [folder.st_uid, object.st_uid].contains(&identity.fsuid);
    if folder.st_mode & libc::S_ISVTX != 0 && !own && !identity.capable(CAP_FOWNER) {
        return Err(Errno::PERM);
    }
    Ok(())
}

/// What was kept is what is about to go.
fn same(entry: &Entry, object: &Stat) -> Result<(), Errno> {
    let now = entry.stat()?;
    match (now.st_dev, now.st_ino) == (object.st_dev, object.st_ino) {
        true => Ok(()),
        false => Err(Errno::BUSY),
    }
}

/// Whether the caller could remove `object`, before the trash is troubled (`path_resolution(7)`, `unlink(2)`): a
/// trash that moves files does it with its own rights.
fn removable(call: &Call<'_, '_>, entry: &Entry, object: &Stat, loss: Loss) -> Result<(), Outcome> {
    if !actor::is_itself() {
        permitted(call, entry, object)?;
    }
    let slash = entry.name.as_bytes().ends_with(b"/");
    match (loss, object.st_mode & libc::S_IFMT == libc::S_IFDIR) {
        (Loss::Rmdir, false) => Err(Outcome::Errno(Errno::NOTDIR)),
        (Loss::Unlink, true) => Err(Outcome::Errno(Errno::ISDIR)),
        (Loss::Unlink, false) if slash => Err(Outcome::Errno(Errno::NOTDIR)),
        _ => Ok(()),
    }
}
