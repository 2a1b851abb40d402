//! Socket calls on addresses as raw bytes, so that every family passes unchanged.

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

/// `connect(2)` with an address of at most 128 bytes as the caller gave it.
pub fn connect(socket: impl AsFd, address: &[u8]) -> Result<(), Errno> {
    let length = libc::socklen_t::try_from(address.len()).map_err(|_| Errno::INVAL)?;
    // SAFETY: the address is valid for its length, which goes along; the kernel copies it before it looks.
    checked(unsafe { libc::connect(socket.as_fd().as_raw_fd(), address.as_ptr().cast(), length) })
}

/// `bind(2)` with such an address.
pub fn bind(socket: impl AsFd, address: &[u8]) -> Result<(), Errno> {
    let length = libc::socklen_t::try_from(address.len()).map_err(|_| Errno::INVAL)?;
    // SAFETY: as for connect.
    checked(unsafe { libc::bind(socket.as_fd().as_raw_fd(), address.as_ptr().cast(), length) })
}

fn checked(status: i32) -> Result<(), Errno> {
    if status == 0 {
        Ok(())
    } else {
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
    }
}
