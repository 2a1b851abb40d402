//! `truncate(2)`, `ftruncate(2)`, `fallocate(2)`.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::Errno;

use super::call::{Call, path_to};
use super::permit::Aside;
use crate::files::actor;
use crate::files::operation::Operation;
use crate::files::resolve::{Canonical, How, Pin};
use crate::files::sys;
use crate::files::trash::Loss;
use crate::outcome::Outcome;

/// `FALLOC_FL_WRITE_ZEROES` (Linux 6.17).
const WRITE_ZEROES: FallocateFlags = FallocateFlags::from_bits_retain(0x80);

pub fn truncate(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let length = length(call, 1)?;
    let place = call.place_here(0)?;
    call.act(false)?;
    let pin = call.object(&place, How::FOLLOW)?;
    match pin.kind() {
        libc::S_IFREG => {}
        libc::S_IFDIR => return Err(Outcome::Errno(Errno::ISDIR)),
        _ => return Err(Outcome::Errno(Errno::INVAL)),
    }
    within_limit(call, &pin, length)?;
    let place = call.path_of(&pin)?;
    let work = |call: &Call<'_, '_>| match call.engine.parts.judge.judges_content() {
        true => cut_where_it_was(call, &pin, &place, length),
        false => sys::truncate(&path_to(&pin.fd), length),
    };
    lose(call, &pin, shorter(&pin, length), work)
}

/// Who cuts a file may have to wait until it was judged by its content: under a name that it has from then on it is
/// another question.
fn cut_where_it_was(call: &Call<'_, '_>, pin: &Pin, was: &Canonical, length: u64) -> Result<(), Errno> {
    let number = rustix::path::DecInt::from_fd(&pin.fd);
    let fd = rustix::fs::openat(
        call.descriptors(),
        number,
        OFlags::WRONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    if !call.is_still_there(pin) {
        let now = call.resolver().own_descriptor(fd.as_fd())?;
        let place = call.path_of(&now)?;
        if place != *was || call.content_is_elsewhere(&now, &place)? {
            return Err(Errno::ACCESS);
        }
    }
    rustix::fs::ftruncate(&fd, length)
}

pub fn ftruncate(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let length = length(call, 1)?;
    let (fd, pin) = writable(call)?;
    if pin.kind() != libc::S_IFREG {
        return Err(Outcome::Errno(Errno::INVAL));
    }
    within_limit(call, &pin, length)?;
    lose(call, &pin, shorter(&pin, length), |_| {
        rustix::fs::ftruncate(&fd, length)
    })
}

/// Only what takes content away is carried out; what the mode says lies in a register, so that the rest
/// can be continued.
pub fn fallocate(call: &mut Call<'_, '_>) -> Result<Outcome, Outcome> {
    let mode = FallocateFlags::from_bits_retain(call.caller.arg_u32(1));
    let taking =
        FallocateFlags::PUNCH_HOLE | FallocateFlags::COLLAPSE_RANGE | FallocateFlags::ZERO_RANGE | WRITE_ZEROES;
    if !mode.intersects(taking) {
        return Ok(Outcome::Continue);
    }
    let (offset, length) = (length(call, 2)?, length(call, 3)?);
    let (fd, pin) = writable(call)?;
    let loss = (pin.kind() == libc::S_IFREG).then_some(Loss::Punch);
    lose(call, &pin, loss, |_| rustix::fs::fallocate(&fd, mode, offset, length))
}

fn length(call: &Call<'_, '_>, index: usize) -> Result<u64, Errno> {
    u64::try_from(call.caller.arg(index) as i64).map_err(|_| Errno::INVAL)
}

/// The caller's descriptor in register 0, if it is open for writing; the thread acts as the caller then.
fn writable(call: &mut Call<'_, '_>) -> Result<(OwnedFd, Pin), Outcome> {
    let fd = call.client.fetch_fd(call.caller.arg_i32(0))?;
    let flags = rustix::fs::fcntl_getfl(&fd)?;
    if flags.contains(OFlags::PATH) {
        return Err(Outcome::Errno(Errno::BADF));
    }
    if !flags.intersects(OFlags::WRONLY | OFlags::RDWR) {
        let errno = if call.caller.notification().nr == libc::SYS_ftruncate {
            Errno::INVAL
        } else {
            Errno::BADF
        };
        return Err(Outcome::Errno(errno));
    }
    call.act(false)?;
    let pin = call.resolver().own_descriptor(fd.as_fd())?;
    Ok((fd, pin))
}

fn shorter(pin: &Pin, length: u64) -> Option<Loss> {
    (u64::try_from(pin.stat.st_size).is_ok_and(|size| size > length)).then_some(Loss::Truncate(length))
}

/// The file size limit is the worker's for the kernel; here it is the caller's, signal included (`setrlimit(2)`).
fn within_limit(call: &Call<'_, '_>, pin: &Pin, length: u64) -> Result<(), Outcome> {
    let grows = u64::try_from(pin.stat.st_size).is_ok_and(|size| length > size);
    if grows && length > actor::as_reader(|| sys::file_size_limit(call.client.tid))? {
        actor::as_reader(|| sys::signal_thread(call.client.pidfd(), libc::SIGXFSZ))?;
        return Err(Outcome::Errno(Errno::FBIG));
    }
    Ok(())
}

fn lose(
    call: &mut Call<'_, '_>,
    pin: &Pin,
    loss: Option<Loss>,
    work: impl Fn(&Call<'_, '_>) -> Result<(), Errno>,
) -> Result<Outcome, Outcome> {
    let Some(path) = call.path_of(pin)?.path().map(PathBuf::from) else {
        return super::call::done(work(call));
    };
    let permit = call.strictest(&[Operation::Truncate], path)?;
    let permit = call.ask_if_needed(permit)?;
    call.not_redirected(&permit)?;
    let mut kept = None;
    if let Some(loss) = loss
        && let Some(by) = call.is_kept(&[Operation::Truncate, Operation::Delete], &permit.path)
    {
        match call.keep(&by, None, Some(pin), &permit.path, loss) {
            Ok(it) => kept = Some(it),
            Err(errno) => return Err(call.refuse(&permit, errno)),
        }
    }
    let result = work(call);
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
