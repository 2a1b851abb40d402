//! `mkdir(2)`, `mknod(2)`.

use rustix::fs::{FileType, Mode};
use rustix::io::Errno;

use super::call::{Call, done};
use super::permit::Aside;
use crate::files::actor;
use crate::files::operation::Operation;
use crate::files::resolve::{Entry, Place};
use crate::outcome::Outcome;

#[cfg(target_arch = "x86_64")]
pub fn mkdir(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let place = call.place_here(0)?;
    folder(call, &place, 1)
}

pub fn mkdirat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let place = call.place_at(0, 1)?;
    folder(call, &place, 2)
}

#[cfg(target_arch = "x86_64")]
pub fn mknod(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    may_be_made(call.caller.arg_u32(1))?;
    let place = call.place_here(0)?;
    node(call, &place, 1)
}

pub fn mknodat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    may_be_made(call.caller.arg_u32(2))?;
    let place = call.place_at(0, 1)?;
    node(call, &place, 2)
}

/// The kernel looks at the kind before the path.
fn may_be_made(mode: u32) -> Result<(), Errno> {
    match mode & libc::S_IFMT {
        0 | libc::S_IFREG | libc::S_IFCHR | libc::S_IFBLK | libc::S_IFIFO | libc::S_IFSOCK => Ok(()),
        libc::S_IFDIR => Err(Errno::PERM),
        _ => Err(Errno::INVAL),
    }
}

fn folder(call: &mut Call<'_, '_>, place: &Place, mode: usize) -> Result<Outcome, Outcome> {
    let mode = Mode::from_raw_mode(call.caller.arg_u32(mode) & 0o7777);
    call.act(true)?;
    let entry = call.entry(place)?;
    make(call, &entry, Operation::Mkdir, || {
        actor::making(|| rustix::fs::mkdirat(&entry.parent, &entry.name, mode))
    })
}

fn node(call: &mut Call<'_, '_>, place: &Place, mode: usize) -> Result<Outcome, Outcome> {
    let device = u64::from(call.caller.arg_u32(mode + 1));
    let mode = call.caller.arg_u32(mode) & 0xffff;
    let kind = match mode & libc::S_IFMT {
        0 => FileType::RegularFile,
        kind => FileType::from_raw_mode(kind),
    };
    let operation = match kind {
        FileType::RegularFile => Operation::Create,
        _ => Operation::Mknod,
    };
    call.act(true)?;
    let entry = call.entry(place)?;
    make(call, &entry, operation, || {
        let mode = Mode::from_raw_mode(mode & 0o7777);
        actor::making(|| rustix::fs::mknodat(&entry.parent, &entry.name, kind, mode, device))
    })
}

/// Makes a new name. One that is there already is answered as the kernel does, whatever policy would say of making it:
/// `mkdir -p` walks over folders in which it could make nothing.
pub fn make(
    call: &mut Call<'_, '_>,
    entry: &Entry,
    operation: Operation,
    work: impl Fn() -> Result<(), Errno>,
) -> Result<Outcome, Outcome> {
    if !entry.is_name() {
        return done(work());
    }
    if entry.stat().is_ok() {
        return Err(call.taken(operation, entry));
    }
    let (permit, guard) = call.permit(operation, || call.path_of_entry(entry))?;
    call.not_redirected(&permit)?;
    let result = work();
    drop(guard);
    call.finish(&permit, result, Aside::default())
}
