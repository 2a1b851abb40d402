//! Calls that only look: `stat(2)`, `access(2)`, `readlink(2)`, `name_to_handle_at(2)`, `file_getattr` (Linux 6.17).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, OFlags};
use rustix::io::Errno;

use super::attributes::how;
use super::call::Call;
use super::permit::Permit;
use super::stand_in::Seen;
use crate::files::actor;
use crate::files::operation::Operation;
use crate::files::resolve::{How, Pin, Place, is_procfs, link_text};
use crate::files::sys;
use crate::outcome::Outcome;

#[cfg(target_arch = "x86_64")]
pub fn stat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let place = call.place_here(0)?;
    attributes(call, &place, 1, 0)
}

#[cfg(target_arch = "x86_64")]
pub fn lstat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let place = call.place_here(0)?;
    attributes(call, &place, 1, libc::AT_SYMLINK_NOFOLLOW)
}

pub fn newfstatat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let flags = call.at_flags(3, libc::AT_NO_AUTOMOUNT)?;
    let place = place_or_null(call, flags)?;
    attributes(call, &place, 2, flags)
}

pub fn statx(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    use std::os::fd::AsFd;
    let sync = libc::AT_STATX_FORCE_SYNC | libc::AT_STATX_DONT_SYNC;
    let flags = call.at_flags(2, libc::AT_NO_AUTOMOUNT | sync)?;
    let mask = call.caller.arg_u32(3);
    let place = place_or_null(call, flags)?;
    call.act(false)?;
    let Some(Seen { pin, permit }) = call.seen(&place, flags, how(flags), Operation::Stat)? else {
        return Ok(Outcome::Answered);
    };
    let bytes = sys::statx_bytes(pin.fd.as_fd(), flags & sync, mask)?;
    call.give(call.caller.arg(4), &bytes)?;
    observed(call, permit, Outcome::Value(0))
}

fn attributes(call: &mut Call<'_, '_>, place: &Place, to: usize, flags: i32) -> Result<Outcome, Outcome> {
    use std::os::fd::AsFd;
    call.act(false)?;
    let Some(Seen { pin, permit }) = call.seen(place, flags, how(flags), Operation::Stat)? else {
        return Ok(Outcome::Answered);
    };
    let bytes = sys::stat_bytes(pin.fd.as_fd())?;
    call.give(call.caller.arg(to), &bytes)?;
    observed(call, permit, Outcome::Value(0))
}

/// `struct file_attr`, the attributes that `FS_IOC_FSGETXATTR` tells through a descriptor (`ioctl_xfs_fsgetxattr(2)`).
pub fn file_getattr(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    use std::os::fd::AsFd;
    let (to, size) = (call.caller.arg(2), call.caller.arg(3));
    let flags = call.at_flags(4, 0)?;
    let (least, most) = sys::FILE_ATTRIBUTES;
    let size = usize::try_from(size).ok().filter(|size| *size <= most);
    let size = size.ok_or(Errno::TOOBIG)?;
    if size < least {
        return Err(Outcome::Errno(Errno::INVAL));
    }
    let place = place_or_null(call, flags)?;
    // Unlike its kin it takes no descriptor that is only a path.
    let start = place
        .start
        .as_ref()
        .filter(|_| place.path.is_empty() && call.caller.arg_i32(0) >= 0);
    if start.is_some_and(|fd| rustix::fs::fcntl_getfl(fd).is_ok_and(|flags| flags.contains(OFlags::PATH))) {
        return Err(Outcome::Errno(Errno::BADF));
    }
    call.act(false)?;
    let Some(Seen { pin, permit }) = call.seen(&place, flags, how(flags), Operation::Stat)? else {
        return Ok(Outcome::Answered);
    };
    let bytes = sys::file_attributes(call.descriptors(), pin.fd.as_fd(), size)?;
    call.give(to, &bytes)?;
    observed(call, permit, Outcome::Value(0))
}

/// Since Linux 6.11 a null path with `AT_EMPTY_PATH` is an empty one.
fn place_or_null(call: &Call<'_, '_>, flags: i32) -> Result<Place, Outcome> {
    match call.caller.arg(1) == 0 && flags & libc::AT_EMPTY_PATH != 0 {
        true => call.place(call.caller.arg_i32(0), c"".to_owned()),
        false => call.place_at(0, 1),
    }
}

#[cfg(target_arch = "x86_64")]
pub fn access(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let (place, mode) = (call.place_here(0)?, call.caller.arg_u32(1));
    rights(call, &place, mode, 0)
}

pub fn faccessat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let (place, mode) = (call.place_at(0, 1)?, call.caller.arg_u32(2));
    rights(call, &place, mode, 0)
}

pub fn faccessat2(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let flags = call.at_flags(3, libc::AT_EACCESS)?;
    let (place, mode) = (call.place_at(0, 1)?, call.caller.arg_u32(2));
    rights(call, &place, mode, flags)
}

fn rights(call: &mut Call<'_, '_>, place: &Place, mode: u32, flags: i32) -> Result<Outcome, Outcome> {
    if mode & !(libc::R_OK | libc::W_OK | libc::X_OK) as u32 != 0 {
        return Err(Outcome::Errno(Errno::INVAL));
    }
    let client = std::rc::Rc::clone(&call.client);
    match flags & libc::AT_EACCESS != 0 {
        true => call.act(false)?,
        false => call.act_as(&client.identity.real(client.ruid, client.rgid, client.permitted), false)?,
    }
    let Some(Seen { pin, permit }) = call.seen(place, flags, how(flags), Operation::Access)? else {
        return Ok(Outcome::Answered);
    };
    let number = rustix::path::DecInt::from_fd(&pin.fd);
    // The thread's effective ids are those that the caller asks for.
    let result = rustix::fs::accessat(
        call.descriptors(),
        number,
        Access::from_bits_retain(mode),
        AtFlags::EACCESS,
    );
    let outcome = result.map_or_else(Outcome::Errno, |()| Outcome::Value(0));
    observed(call, permit, outcome)
}

#[cfg(target_arch = "x86_64")]
pub fn readlink(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let place = call.place_here(0)?;
    text(call, &place, 1)
}

pub fn readlinkat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let place = call.place_at(0, 1)?;
    text(call, &place, 2)
}

fn text(call: &mut Call<'_, '_>, place: &Place, to: usize) -> Result<Outcome, Outcome> {
    let room = usize::try_from(call.caller.arg_i32(to + 1))
        .ok()
        .filter(|room| *room > 0)
        .ok_or(Errno::INVAL)?;
    call.act(false)?;
    let empty = place.path.is_empty();
    let Some(Seen { pin, permit }) = call.seen(place, libc::AT_EMPTY_PATH, How::NOFOLLOW, Operation::Readlink)? else {
        return Ok(Outcome::Answered);
    };
    if pin.kind() != libc::S_IFLNK {
        return Err(Outcome::Errno(if empty { Errno::NOENT } else { Errno::INVAL }));
    }
    let text = undisguised(call, &pin, link_text(&call.resolver(), &pin)?)?;
    let length = text.len().min(room);
    call.give(call.caller.arg(to), &text[..length])?;
    observed(call, permit, Outcome::Value(length as i64))
}

/// What a link of procfs says, where it leads to something that was deleted and so lies in the trash.
fn undisguised(call: &Call<'_, '_>, pin: &Pin, text: Vec<u8>) -> Result<Vec<u8>, Errno> {
    if !pin.procfs || !is_procfs(&pin.fd)? {
        return Ok(text);
    }
    let place = Path::new(OsStr::from_bytes(&text));
    let origin = actor::as_reader(|| Ok(call.engine.parts.trash.origin(place)))?;
    Ok(match origin {
        Some(origin) => [origin.as_os_str().as_bytes(), b" (deleted)"].concat(),
        None => text,
    })
}

pub fn name_to_handle_at(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    use std::os::fd::AsFd;
    const HEADER: usize = 8;
    const MOST: usize = 128;
    const HANDLE_FID: i32 = 0x200;
    const MOUNT_ID_UNIQUE: i32 = 0x001;
    let flags = call.caller.arg_i32(4);
    let known = libc::AT_SYMLINK_FOLLOW | libc::AT_EMPTY_PATH | HANDLE_FID | MOUNT_ID_UNIQUE;
    if flags & !known != 0 {
        return Err(Outcome::Errno(Errno::INVAL));
    }
    let mut handle = [0u64; (HEADER + MOST) / 8];
    let mut room = [0; 4];
    call.caller.read_into(call.caller.arg(2), &mut room)?;
    if u32::from_ne_bytes(room) as usize > MOST {
        return Err(Outcome::Errno(Errno::INVAL));
    }
    handle[0] = u64::from_ne_bytes([room[0], room[1], room[2], room[3], 0, 0, 0, 0]);
    let place = call.place_at(0, 1)?;
    call.act(false)?;
    let how = if flags & libc::AT_SYMLINK_FOLLOW != 0 {
        How::FOLLOW
    } else {
        How::NOFOLLOW
    };
    let Some(Seen { pin, permit }) = call.seen(&place, flags, how, Operation::Stat)? else {
        return Ok(Outcome::Answered);
    };
    let result = sys::name_to_handle(pin.fd.as_fd(), &mut handle, flags & (HANDLE_FID | MOUNT_ID_UNIQUE));
    let bytes: Vec<u8> = handle.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let length = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    let outcome = match result {
        Ok(mount) => {
            call.give(call.caller.arg(2), &bytes[..(HEADER + length).min(bytes.len())])?;
            let width = if flags & MOUNT_ID_UNIQUE != 0 { 8 } else { 4 };
            call.give(call.caller.arg(3), &mount.to_ne_bytes()[..width])?;
            Outcome::Value(0)
        }
        Err(errno) => {
            call.give(call.caller.arg(2), &bytes[..4])?;
            Outcome::Errno(errno)
        }
    };
    observed(call, permit, outcome)
}

fn observed(call: &mut Call<'_, '_>, permit: Option<Permit>, outcome: Outcome) -> Result<Outcome, Outcome> {
    match permit {
        Some(permit) => call.observed(&permit, outcome),
        None => Ok(outcome),
    }
}

impl Call<'_, '_> {
    /// Writes a result into the caller's memory, as the reader that may.
    pub fn give(&self, address: u64, bytes: &[u8]) -> Result<(), Outcome> {
        if !self.caller.still_valid() {
            return Err(Outcome::Answered);
        }
        Ok(actor::as_reader(|| self.caller.write_bytes(address, bytes))?)
    }
}
