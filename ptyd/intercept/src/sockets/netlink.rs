//! Whom a netlink socket is to talk to, `netlink(7)`.
//!
//! Where an address goes along the kernel asks for the rights of who sends alone, else for those of who made the socket
//! as well. The user who made a session's own network has all rights over it from outside, and so has a worker that
//! sends for them; the caller is inside and has none.

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;

use super::socket::Socket;
use crate::files::actor::Identity;

/// `CAP_NET_ADMIN`.
pub(super) const NET_ADMIN: u32 = 12;

/// Whether the address is the kernel's own, which is what a socket without a peer sends to anyway: then none is needed.
///
/// # Errors
/// As the kernel has them for who has no right over the network: nobody else is sent to.
pub(super) fn is_the_kernel(socket: &Socket, identity: &Identity, address: &[u8]) -> Result<bool, Errno> {
    if identity.capable(NET_ADMIN) {
        return Ok(false);
    }
    let peer = rustix::net::getpeername(&socket.fd)?;
    let peer = peer.and_then(|peer| SocketAddrNetlink::try_from(peer).ok());
    let apart = peer.is_some_and(|peer| peer.pid() != 0 || peer.groups() != 0);
    match names_the_kernel(address)? && !apart {
        true => Ok(true),
        false => Err(Errno::PERM),
    }
}

/// Whether `struct sockaddr_nl` has neither a number nor groups.
///
/// # Errors
/// `EINVAL` where it is none.
pub(super) fn names_the_kernel(address: &[u8]) -> Result<bool, Errno> {
    const FAMILY: [u8; 2] = (libc::AF_NETLINK as u16).to_ne_bytes();
    let rest = address.strip_prefix(&FAMILY).and_then(|rest| rest.get(2..10));
    Ok(rest.ok_or(Errno::INVAL)?.iter().all(|byte| *byte == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_has_neither_number_nor_groups() {
        let address = |number: u32, groups: u32| {
            let words = [u32::from(libc::AF_NETLINK as u16), number, groups];
            words.map(u32::to_le_bytes).concat()
        };
        assert_eq!(names_the_kernel(&address(0, 0)), Ok(true));
        assert_eq!(names_the_kernel(&address(7, 0)), Ok(false));
        assert_eq!(names_the_kernel(&address(0, 1)), Ok(false));
        assert_eq!(names_the_kernel(&[16, 0, 0, 0, 0, 0]), Err(Errno::INVAL));
        assert_eq!(names_the_kernel(&[2; 12]), Err(Errno::INVAL));
    }
}
