//! Leases, `fcntl(2)`.

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

use super::checked;

/// `F_SETSIG`, which `libc` does not name.
const SETSIG: i32 = 10;

/// Takes a read lease: `EAGAIN` if anybody has the file open for writing, and who opens it so later waits until
/// `fd` is closed. The signal that says so to us is one that is ignored where nothing else is said.
pub fn lease_against_writers(fd: impl AsFd) -> Result<(), Errno> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: fd is open for the call; both commands take an integer and touch no memory.
    unsafe {
        checked(libc::fcntl(fd, SETSIG, libc::SIGURG).into())?;
        checked(libc::fcntl(fd, libc::F_SETLEASE, libc::F_RDLCK).into())?;
    }
    Ok(())
}

/// Whether the lease that was taken is in force, and nobody waits for its end.
pub fn is_leased(fd: impl AsFd) -> bool {
    // SAFETY: fd is open for the call; the command takes nothing and touches no memory.
    let held = unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_GETLEASE) };
    held == libc::F_RDLCK
}
