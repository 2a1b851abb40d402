//! The one descriptor that a library hands out as a number only.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use portable_pty::MasterPty;

/// A descriptor of our own for the master, close-on-exec.
pub(super) fn own_master(master: &dyn MasterPty) -> io::Result<OwnedFd> {
    let Some(raw) = master.as_raw_fd().filter(|raw| *raw >= 0) else {
        return Err(io::Error::from(io::ErrorKind::Unsupported));
    };
    // SAFETY: `raw` is open for as long as `master`, which outlives this borrow.
    let borrowed = unsafe { BorrowedFd::borrow_raw(raw) };
    borrowed.try_clone_to_owned()
}
