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

/// `sendmsg(2)` of `data` to `name` (none if empty) with control messages as they lie in memory.
pub fn send(socket: impl AsFd, (name, control): (&[u8], &[u8]), data: &[u8], flags: i32) -> Result<usize, Errno> {
    let mut part = libc::iovec {
        iov_base: data.as_ptr().cast_mut().cast(),
        iov_len: data.len(),
    };
    // SAFETY: a msghdr without pointers is a valid one.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    if !name.is_empty() {
        header.msg_name = name.as_ptr().cast_mut().cast();
        header.msg_namelen = libc::socklen_t::try_from(name.len()).map_err(|_| Errno::INVAL)?;
    }
    if !control.is_empty() {
        header.msg_control = control.as_ptr().cast_mut().cast();
        header.msg_controllen = control.len();
    }
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    // SAFETY: all that the header points to lives through the call, and the kernel only reads it.
    let sent = unsafe { libc::sendmsg(socket.as_fd().as_raw_fd(), &raw const header, flags) };
    usize::try_from(sent).map_err(|_| Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}
