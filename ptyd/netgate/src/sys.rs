//! A socket option that no wrapper has.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

/// The number of the network (`SO_NETNS_COOKIE`, Linux 5.14) that a socket is on.
///
/// # Errors
/// Where the kernel does not tell.
pub fn network_cookie(socket: impl AsFd) -> io::Result<u64> {
    let mut cookie = 0u64;
    let mut size = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes to `cookie`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut size,
        )
    };
    match result {
        0 => Ok(cookie),
        _ => Err(io::Error::last_os_error()),
    }
}
