//! Extended attributes, `xattr(7)`.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use super::attributes::{change, how};
use super::call::{Call, path_to};
use super::permit::Permit;
use super::stand_in::Seen;
use crate::files::judge::Verdict;
use crate::files::operation::Operation;
use crate::files::resolve::{How, Pin};
use crate::outcome::Outcome;

const NAME_MAX: usize = 255;
const SIZE_MAX: usize = 65_536;

/// How a call names its object.
#[derive(Clone, Copy)]
enum By {
    /// Register 0 is a path; links are followed or not.
    Path(How),
    /// Register 0 is a descriptor.
    Descriptor,
    /// Registers 0 to 2 are folder, path and `AT_*` flags.
    At,
}

impl By {
    /// The register of the first argument behind.
    fn next(self) -> usize {
        match self {
            By::Path(_) | By::Descriptor => 1,
            By::At => 3,
        }
    }

    /// Leave to read attributes of the object, or of what stands in for it; the thread acts as the caller then.
    fn seen(self, call: &mut Call<'_, '_>) -> Result<Seen, Outcome> {
        let (place, flags, how) = match self {
            By::Descriptor => {
                let seen = call
                    .descriptor(0)
                    .and_then(|pin| call.looked_at(pin, Operation::Read))?;
                let elsewhere = |permit: &Permit| matches!(permit.judgement.verdict, Verdict::Redirect { .. });
                let permit = seen.permit.filter(|permit| !elsewhere(permit));
                return Ok(Seen { permit, ..seen });
            }
            By::Path(how) => (call.place_here(0)?, 0, how),
            By::At => {
                let flags = call.at_flags(2, 0)?;
                (call.place_at(0, 1)?, flags, how(flags))
            }
        };
        call.act(false)?;
        call.looked_up(&place, flags, how, Operation::Read)
    }

    /// Pins the object; the thread acts as the caller then.
    fn object(self, call: &mut Call<'_, '_>) -> Result<Pin, Outcome> {
        match self {
            By::Descriptor => call.descriptor(0),
            By::Path(how) => {
                let place = call.place_here(0)?;
                call.act(false)?;
                call.object(&place, how)
            }
            By::At => {
                let flags = call.at_flags(2, 0)?;
                let place = call.place_at(0, 1)?;
                call.act(false)?;
                call.object_or_empty(&place, flags, how(flags))
            }
        }
    }
}

pub fn setxattr(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    set_from_registers(call, By::Path(How::FOLLOW))
}

pub fn lsetxattr(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    set_from_registers(call, By::Path(How::NOFOLLOW))
}

pub fn fsetxattr(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    set_from_registers(call, By::Descriptor)
}

pub fn setxattrat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let (value, size, flags) = arguments(call)?;
    set(call, By::At, value, size, flags)
}

pub fn getxattr(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    get_to_registers(call, By::Path(How::FOLLOW))
}

pub fn lgetxattr(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    get_to_registers(call, By::Path(How::NOFOLLOW))
}

pub fn fgetxattr(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    get_to_registers(call, By::Descriptor)
}

pub fn getxattrat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let (value, size, flags) = arguments(call)?;
    if flags != 0 {
        return Err(Outcome::Errno(Errno::INVAL));
    }
    get(call, By::At, value, size)
}

pub fn listxattr(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    list(call, By::Path(How::FOLLOW))
}

pub fn llistxattr(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    list(call, By::Path(How::NOFOLLOW))
}

pub fn flistxattr(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    list(call, By::Descriptor)
}

pub fn listxattrat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    list(call, By::At)
}

pub fn removexattr(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    remove(call, By::Path(How::FOLLOW))
}

pub fn lremovexattr(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    remove(call, By::Path(How::NOFOLLOW))
}

pub fn fremovexattr(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    remove(call, By::Descriptor)
}

pub fn removexattrat(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    remove(call, By::At)
}

fn set_from_registers(call: &mut Call<'_, '_>, by: By) -> Result<Outcome, Outcome> {
    let (value, size, flags) = (call.caller.arg(2), call.caller.arg(3), call.caller.arg_u32(4));
    set(call, by, value, size, flags)
}

fn set(call: &mut Call<'_, '_>, by: By, value: u64, size: u64, flags: u32) -> Result<Outcome, Outcome> {
    let flags = XattrFlags::from_bits_retain(flags);
    if !(XattrFlags::CREATE | XattrFlags::REPLACE).contains(flags) {
        return Err(Outcome::Errno(Errno::INVAL));
    }
    let name = name(call, by.next())?;
    let size = usize::try_from(size)
        .ok()
        .filter(|size| *size <= SIZE_MAX)
        .ok_or(Errno::TOOBIG)?;
    let value = call.caller.read_bytes(value, size)?;
    let pin = by.object(call)?;
    change(call, &pin, operation(&name), || {
        rustix::fs::setxattr(path_to(&pin.fd), &name, &value, flags)
    })
}

fn remove(call: &mut Call<'_, '_>, by: By) -> Result<Outcome, Outcome> {
    let name = name(call, by.next())?;
    let pin = by.object(call)?;
    change(call, &pin, operation(&name), || {
        rustix::fs::removexattr(path_to(&pin.fd), &name)
    })
}

fn get_to_registers(call: &mut Call<'_, '_>, by: By) -> Result<Outcome, Outcome> {
    let (value, size) = (call.caller.arg(2), call.caller.arg(3));
    get(call, by, value, size)
}

fn get(call: &mut Call<'_, '_>, by: By, value: u64, size: u64) -> Result<Outcome, Outcome> {
    let name = name(call, by.next())?;
    let seen = by.seen(call)?;
    read(call, seen, value, size, |pin, buffer| {
        let path = path_to(&pin.fd);
        match buffer {
            Some(buffer) => rustix::fs::getxattr(path, &name, buffer),
            None => rustix::fs::getxattr_query(path, &name),
        }
    })
}

fn list(call: &mut Call<'_, '_>, by: By) -> Result<Outcome, Outcome> {
    let (value, size) = (call.caller.arg(by.next()), call.caller.arg(by.next() + 1));
    let seen = by.seen(call)?;
    read(call, seen, value, size, |pin, buffer| {
        let path = path_to(&pin.fd);
        match buffer {
            Some(buffer) => rustix::fs::listxattr(path, buffer),
            None => rustix::fs::listxattr_query(path),
        }
    })
}

fn read(
    call: &mut Call<'_, '_>,
    Seen { pin, permit }: Seen,
    to: u64,
    size: u64,
    work: impl Fn(&Pin, Option<&mut [u8]>) -> Result<usize, Errno>,
) -> Result<Outcome, Outcome> {
    let mut buffer = vec![0; usize::try_from(size).unwrap_or(SIZE_MAX).min(SIZE_MAX)];
    let outcome = match work(&pin, (size > 0).then_some(&mut buffer[..])) {
        Err(errno) => Outcome::Errno(errno),
        Ok(count) => {
            if size > 0 {
                call.give(to, &buffer[..count])?;
            }
            Outcome::Value(count as i64)
        }
    };
    match permit {
        Some(permit) => call.observed(&permit, outcome),
        None => Ok(outcome),
    }
}

/// `struct xattr_args` and its size in registers 4 and 5.
fn arguments(call: &Call<'_, '_>) -> Result<(u64, u64, u32), Outcome> {
    let size = call.caller.arg(5);
    if !(16..=4096).contains(&size) {
        return Err(Outcome::Errno(if size < 16 { Errno::INVAL } else { Errno::TOOBIG }));
    }
    let bytes = call.caller.read_bytes(call.caller.arg(4), size as usize)?;
    if bytes[16..].iter().any(|byte| *byte != 0) {
        return Err(Outcome::Errno(Errno::TOOBIG));
    }
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[..8]);
    let half = |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    Ok((u64::from_ne_bytes(value), u64::from(half(8)), half(12)))
}

fn name(call: &Call<'_, '_>, index: usize) -> Result<CString, Outcome> {
    match call.caller.read_path(call.caller.arg(index)) {
        Ok(name) if (1..=NAME_MAX).contains(&name.as_bytes().len()) => Ok(name),
        Ok(_) | Err(Errno::NAMETOOLONG) => Err(Outcome::Errno(Errno::RANGE)),
        Err(errno) => Err(Outcome::Errno(errno)),
    }
}

/// An ACL is a mode.
fn operation(name: &CString) -> Operation {
    match name.as_bytes().starts_with(b"system.posix_acl_") {
        true => Operation::Chmod,
        false => Operation::Xattr,
    }
}

/// Whether a file has attributes that are not the kernel's own.
pub fn has_attributes(fd: impl AsFd) -> Result<bool, Errno> {
    attributes(&path_to(fd)).map(|names| !names.is_empty())
}

/// The attributes of the file at `path` that are not the kernel's own.
pub fn attributes(path: &CStr) -> Result<Vec<CString>, Errno> {
    let mut names = vec![0; 4096];
    let length = match rustix::fs::listxattr(path, names.as_mut_slice()) {
        Err(Errno::OPNOTSUPP) => 0,
        length => length?,
    };
    let names = names[..length].split(|byte| *byte == 0);
    let own = names.filter(|name| !name.is_empty() && !name.starts_with(b"security."));
    Ok(own.filter_map(|name| CString::new(name).ok()).collect())
}
