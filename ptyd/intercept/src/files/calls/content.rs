//! Rules that hold only for certain content: the new version is read when it takes its place, and does not
//! change meanwhile.

use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::call::Call;
use crate::files::actor;
use crate::files::fresh;
use crate::files::operation::Operation;
use crate::files::resolve::Pin;
use crate::files::staging::MOST;
use crate::files::sys;

/// What comes to a name, and that nobody writes to it for as long as this lives.
pub struct Coming {
    bytes: Vec<u8>,
    lease: Option<OwnedFd>,
    begun: Instant,
}

impl Coming {
    /// What a judge is told.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What a judge was told, where it need not stay so.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Puts what was read in the place of the file that has `name` in `parent`, which was read: whoever wrote that may
    /// still have a way to its pages. Where files without a name cannot be made it stays, if it still is as it was read.
    ///
    /// # Errors
    /// The caller could not make such a file there.
    pub fn renew(&mut self, call: &Call<'_, '_>, parent: impl AsFd, name: &CStr) -> Result<(), Errno> {
        let Some(file) = &self.lease else { return Ok(()) };
        let fresh = match fresh::like(call.descriptors(), &parent, file, &self.bytes) {
            Err(Errno::OPNOTSUPP) if self.is_as_read() => return Ok(()),
            fresh => fresh?,
        };
        self.begun = Instant::now();
        actor::as_reader(|| without_writers(&fresh))?;
        fresh::take_name(call.descriptors(), &fresh, parent, name)?;
        self.lease = Some(fresh);
        Ok(())
    }

    /// Whether it is as it was read: nobody has opened it for writing, and it has no second name by which that could be
    /// done. Who holds back all that makes names may rely on it.
    pub fn is_as_read(&self) -> bool {
        // Who waits for the end of the lease does so for a second at least (`fs.lease-break-time`, `fcntl(2)`).
        let is_held = |fd: &OwnedFd| self.begun.elapsed() < Duration::from_secs(1) || sys::is_leased(fd);
        let one = |fd: &OwnedFd| rustix::fs::fstat(fd).is_ok_and(|stat| stat.st_nlink == 1);
        self.lease.as_ref().is_none_or(|fd| one(fd) && is_held(fd))
    }
}

/// What comes to `path` with the object `source`, if a rule asks for it and it can be known: a file with one
/// name that nobody has open for writing. The lease (`fcntl(2)`) makes others wait who would open it so; they
/// find it under its new name then, and are judged anew.
pub fn coming(call: &Call<'_, '_>, operation: Operation, path: &Path, source: &Pin) -> Option<Coming> {
    if !call.engine.parts.judge.judges_content() || !call.judge(operation, path).by_content {
        return None;
    }
    if source.kind() != libc::S_IFREG {
        // A folder or link has none of its own; a link is followed by whoever reads.
        return (source.kind() == libc::S_IFDIR).then(|| Coming {
            bytes: Vec::new(),
            lease: None,
            begun: Instant::now(),
        });
    }
    actor::as_reader(|| read(call, source)).ok()
}

/// Waits a moment for those to close it who are about to: a worker of ours has a file that it opened for a
/// caller open for a moment longer than the caller needs to write and close it.
fn without_writers(fd: &OwnedFd) -> Result<(), Errno> {
    const TRIES: u32 = 20;
    for _ in 1..TRIES {
        match sys::lease_against_writers(fd) {
            Err(Errno::AGAIN) => std::thread::sleep(Duration::from_micros(500)),
            result => return result,
        }
    }
    sys::lease_against_writers(fd)
}

fn read(call: &Call<'_, '_>, source: &Pin) -> Result<Coming, Errno> {
    let number = rustix::path::DecInt::from_fd(&source.fd);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(call.descriptors(), number, flags, Mode::empty())?;
    let begun = Instant::now();
    without_writers(&fd)?;
    let stat = rustix::fs::fstat(&fd)?;
    if stat.st_nlink != 1 || !u64::try_from(stat.st_size).is_ok_and(|size| size <= MOST) {
        return Err(Errno::ACCESS);
    }
    let mut file = File::from(fd);
    let mut bytes = Vec::new();
    file.by_ref()
        .take(MOST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(Coming {
        bytes,
        lease: Some(file.into()),
        begun,
    })
}
