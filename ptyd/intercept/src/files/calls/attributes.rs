//! `chmod(2)`, `chown(2)`, `utimensat(2)` and their kin.

use std::path::PathBuf;

use rustix::fs::{AtFlags, CWD, Gid, Mode, Uid};
use rustix::io::Errno;

use super::call::{Call, path_to};
use super::permit::Aside;
use crate::files::operation::Operation;
use crate::files::resolve::{How, Pin, Place};
use crate::files::sys;
use crate::outcome::Outcome;

#[cfg(target_arch = "x86_64")]
pub fn chmod(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let (place, mode) = (call.place_here(0)?, call.caller.arg_u32(1));
    mode_at(call, &place, mode, 0)
}

pub fn fchmodat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let (place, mode) = (call.place_at(0, 1)?, call.caller.arg_u32(2));
    mode_at(call, &place, mode, 0)
}

pub fn fchmodat2(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let flags = call.at_flags(3, 0)?;
    let (place, mode) = (call.place_at(0, 1)?, call.caller.arg_u32(2));
    mode_at(call, &place, mode, flags)
}

pub fn fchmod(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let mode = call.caller.arg_u32(1);
    let pin = call.descriptor(0)?;
    set_mode(call, &pin, mode)
}

fn mode_at(call: &mut Call<'_, '_>, place: &Place, mode: u32, flags: i32) -> Result<Outcome, Outcome> {
    call.act(false)?;
    let pin = call.object_or_empty(place, flags, how(flags))?;
    set_mode(call, &pin, mode)
}

fn set_mode(call: &mut Call<'_, '_>, pin: &Pin, mode: u32) -> Result<Outcome, Outcome> {
    change(call, pin, Operation::Chmod, || {
        rustix::fs::chmodat(
            CWD,
            path_to(&pin.fd),
            Mode::from_raw_mode(mode & 0o7777),
            AtFlags::empty(),
        )
    })
}

#[cfg(target_arch = "x86_64")]
pub fn chown(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let place = call.place_here(0)?;
    owner_at(call, &place, 1, 0)
}

#[cfg(target_arch = "x86_64")]
pub fn lchown(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let place = call.place_here(0)?;
    owner_at(call, &place, 1, libc::AT_SYMLINK_NOFOLLOW)
}

pub fn fchownat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let flags = call.at_flags(4, 0)?;
    let place = call.place_at(0, 1)?;
    owner_at(call, &place, 2, flags)
}

pub fn fchown(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let pin = call.descriptor(0)?;
    set_owner(call, &pin, 1)
}

fn owner_at(call: &mut Call<'_, '_>, place: &Place, owner: usize, flags: i32) -> Result<Outcome, Outcome> {
    call.act(false)?;
    let pin = call.object_or_empty(place, flags, how(flags))?;
    set_owner(call, &pin, owner)
}

fn set_owner(call: &mut Call<'_, '_>, pin: &Pin, owner: usize) -> Result<Outcome, Outcome> {
    let id = |index: usize| Some(call.caller.arg_u32(index)).filter(|id| *id != u32::MAX);
    let (user, group) = (id(owner).map(Uid::from_raw), id(owner + 1).map(Gid::from_raw));
    change(call, pin, Operation::Chown, || {
        rustix::fs::chownat(&pin.fd, "", user, group, AtFlags::EMPTY_PATH)
    })
}

/// Two `struct timespec`: access and modification.
type Times = [i64; 4];
const OMIT: i64 = libc::UTIME_OMIT;

#[cfg(target_arch = "x86_64")]
pub fn utime(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let place = call.place_here(0)?;
    let times = read_longs::<2>(call, 1)?.map(|[access, modification]| [access, 0, modification, 0]);
    times_at(call, &place, times, 0)
}

#[cfg(target_arch = "x86_64")]
pub fn utimes(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let times = timevals(call, 1)?;
    let place = call.place_here(0)?;
    times_at(call, &place, times, 0)
}

#[cfg(target_arch = "x86_64")]
pub fn futimesat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let times = timevals(call, 2)?;
    if call.caller.arg(1) == 0 {
        let pin = call.descriptor(0)?;
        return set_times(call, &pin, times);
    }
    let place = call.place_at(0, 1)?;
    times_at(call, &place, times, 0)
}

pub fn utimensat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let times: Option<Times> = read_longs::<4>(call, 2)?;
    if let Some([_, OMIT, _, OMIT]) = times {
        return Ok(Outcome::Value(0));
    }
    let flags = call.at_flags(3, 0)?;
    if call.caller.arg(1) == 0 && call.caller.arg_i32(0) != libc::AT_FDCWD {
        if flags != 0 {
            return Err(Outcome::Errno(Errno::INVAL));
        }
        let pin = call.descriptor(0)?;
        return set_times(call, &pin, times);
    }
    let place = call.place_at(0, 1)?;
    times_at(call, &place, times, flags)
}

fn times_at(call: &mut Call<'_, '_>, place: &Place, times: Option<Times>, flags: i32) -> Result<Outcome, Outcome> {
    call.act(false)?;
    let pin = call.object_or_empty(place, flags, how(flags))?;
    set_times(call, &pin, times)
}

fn set_times(call: &mut Call<'_, '_>, pin: &Pin, times: Option<Times>) -> Result<Outcome, Outcome> {
    use std::os::fd::AsFd;
    change(call, pin, Operation::Utime, || {
        sys::set_times(pin.fd.as_fd(), times.as_ref())
    })
}

#[cfg(target_arch = "x86_64")]
fn timevals(call: &Call<'_, '_>, index: usize) -> Result<Option<Times>, Outcome> {
    let Some([access, access_us, modification, modification_us]) = read_longs::<4>(call, index)? else {
        return Ok(None);
    };
    let valid = 0..1_000_000;
    if !valid.contains(&access_us) || !valid.contains(&modification_us) {
        return Err(Outcome::Errno(Errno::INVAL));
    }
    Ok(Some([access, 1000 * access_us, modification, 1000 * modification_us]))
}

fn read_longs<const N: usize>(call: &Call<'_, '_>, index: usize) -> Result<Option<[i64; N]>, Outcome> {
    let address = call.caller.arg(index);
    if address == 0 {
        return Ok(None);
    }
    let bytes = call.caller.read_bytes(address, 8 * N)?;
    let mut longs = [0; N];
    for (long, chunk) in longs.iter_mut().zip(bytes.chunks_exact(8)) {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        *long = i64::from_ne_bytes(word);
    }
    Ok(Some(longs))
}

/// Whether a link in the last component is followed.
pub fn how(flags: i32) -> How {
    match flags & libc::AT_SYMLINK_NOFOLLOW != 0 {
        true => How::NOFOLLOW,
        false => How::FOLLOW,
    }
}

impl Call<'_, '_> {
    /// `AT_*` flags in register `index`: link and empty path, and `more`.
    pub fn at_flags(&self, index: usize, more: i32) -> Result<i32, Errno> {
        let flags = self.caller.arg_i32(index);
        let known = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH | more;
        if flags & !known != 0 {
            Err(Errno::INVAL)
        } else {
            Ok(flags)
        }
    }

    /// The object behind the descriptor in register `index`, for a call on the descriptor; the thread
    /// acts as the caller from here on.
    pub fn descriptor(&mut self, index: usize) -> Result<Pin, Outcome> {
        use std::os::fd::AsFd;
        let fd = self.client.fetch_fd(self.caller.arg_i32(index))?;
        if rustix::fs::fcntl_getfl(&fd)?.contains(rustix::fs::OFlags::PATH) {
            return Err(Outcome::Errno(Errno::BADF));
        }
        self.act(false)?;
        Ok(self.resolver().own_descriptor(fd.as_fd())?)
    }
}

/// Changes attributes of an object that policy knows by a path.
pub fn change(
    call: &mut Call<'_, '_>,
    pin: &Pin,
    operation: Operation,
    work: impl Fn() -> Result<(), Errno>,
) -> Result<Outcome, Outcome> {
    let canonical = call.path_of(pin)?;
    if canonical.path().is_none() {
        // A pipe or memory file: nobody else's, and no rule knows it.
        return super::call::done(work());
    }
    let path = || Ok(call.path_of(pin)?.path().map(PathBuf::from).unwrap_or_default());
    let (permit, guard) = call.permit(operation, path)?;
    call.not_redirected(&permit)?;
    let permit = call.device(permit, pin)?;
    let result = work();
    drop(guard);
    call.finish(&permit, result, Aside::default())
}
