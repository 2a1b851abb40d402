use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use rustix::path::Arg;

/// How contents came into a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contents {
    /// Blocks are shared until one side writes (`FICLONE`).
    Reflinked,
    Copied,
    /// Nothing was written: no reflink here and more bytes than the limit.
    TooLarge,
}

/// Opens the object of a descriptor again, for reading its contents from the start.
pub(crate) fn reopen(fd: impl AsFd) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    open_contents(CWD, path.as_str(), OFlags::NOCTTY)
}

/// Opens contents that are to be kept, without a new access time where that is allowed: keeping is no reading.
pub(crate) fn open_contents(dir: impl AsFd, path: impl Arg + Copy, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match rustix::fs::openat(dir.as_fd(), path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => rustix::fs::openat(dir.as_fd(), path, flags, Mode::empty()),
        result => result,
    }
}

/// Fills the empty file `to` with the contents of `from`, holes as holes.
pub(crate) fn copy_contents(from: impl AsFd, to: impl AsFd, size: u64, limit: u64) -> Result<Contents, Errno> {
    if rustix::fs::ioctl_ficlone(to.as_fd(), from.as_fd()).is_ok() {
        return Ok(Contents::Reflinked);
    }
    if size > limit {
        return Ok(Contents::TooLarge);
    }
    let mut at = 0;
    while let Some((start, end)) = next_data(from.as_fd(), at, size)? {
        copy_range(from.as_fd(), to.as_fd(), start, end)?;
        at = end;
    }
    rustix::fs::ftruncate(to, size)?;
    Ok(Contents::Copied)
}

/// The next stretch of data at or after `at`; a file system without holes has one stretch.
fn next_data(from: impl AsFd, at: u64, size: u64) -> Result<Option<(u64, u64)>, Errno> {
    if at >= size {
        return Ok(None);
    }
    let start = match rustix::fs::seek(from.as_fd(), SeekFrom::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some((at, size))),
        Err(errno) => return Err(errno),
    };
    let end = rustix::fs::seek(from, SeekFrom::Hole(start))?.min(size);
    Ok((start < end).then_some((start, end)))
}

fn copy_range(from: impl AsFd, to: impl AsFd, start: u64, end: u64) -> Result<(), Errno> {
    let mut at = start;
    while at < end {
        let (mut read_at, mut write_at) = (at, at);
        let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(1 << 30);
        match rustix::fs::copy_file_range(
            from.as_fd(),
            Some(&mut read_at),
            to.as_fd(),
            Some(&mut write_at),
            length,
        ) {
            Ok(0) => return by_hand(from, to, at, end),
            Ok(copied) => at += copied as u64,
            Err(Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::IO | Errno::BADF) => {
                return by_hand(from, to, at, end);
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Where the kernel has no copy between these two files (or says 0 bytes, as procfs does).
fn by_hand(from: impl AsFd, to: impl AsFd, start: u64, end: u64) -> Result<(), Errno> {
    let mut buffer = vec![0; 1 << 17];
    let mut at = start;
    while at < end {
        let want = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
        let read = rustix::io::retry_on_intr(|| rustix::io::pread(from.as_fd(), &mut buffer[..want], at))?;
        if read == 0 {
            return Ok(());
        }
        let mut written = 0;
        while written < read {
            let offset = at + written as u64;
            written += rustix::io::retry_on_intr(|| rustix::io::pwrite(to.as_fd(), &buffer[written..read], offset))?;
        }
        at += read as u64;
    }
    Ok(())
}
