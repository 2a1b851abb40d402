//! Who is at the other end of a socket, by the kernel's word.

use std::io;
use std::os::fd::AsFd;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;

/// Who connected, or listens.
pub struct Credentials {
    /// `None`: it is in a pid namespace that this process does not see.
    pub pid: Option<i32>,
    pub uid: u32,
}

/// The other end of a connection on a unix socket, as it was when that was made.
///
/// # Errors
/// Those of `getsockopt(2)`.
pub fn credentials(socket: &impl AsFd) -> io::Result<Credentials> {
    let found = getsockopt(socket, PeerCredentials)?;
    Ok(Credentials {
        pid: Some(found.pid()).filter(|pid| *pid > 0),
        uid: found.uid(),
    })
}
