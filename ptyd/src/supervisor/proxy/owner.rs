//! Which process holds the other end of a connection, `sock_diag(7)`.

use std::io;
use std::net::{IpAddr, SocketAddr};

use agentsh_netgate::place::Place;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, netlink};

use crate::process::Identity;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST`: one socket, named exactly.
const EXACT: u16 = 0x1;
/// Where `idiag_inode` stands in `struct inet_diag_msg`, behind the header.
const INODE: usize = 16 + 68;

/// The inode of the socket on the network `place` that is bound to `local` and connected to `remote`.
pub(super) fn inode(place: &dyn Place, local: SocketAddr, remote: SocketAddr) -> io::Result<u32> {
    let socket = place.socket(AddressFamily::NETLINK, SocketType::RAW, Some(netlink::SOCK_DIAG))?;
    rustix::net::send(&socket, &request(local, remote), SendFlags::empty())?;
    let mut answer = [0u8; 4096];
    let (length, _) = rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty())?;
    let answer = answer.get(..length).unwrap_or_default();
    let kind = answer
        .get(4..6)
        .and_then(|bytes| bytes.first_chunk())
        .map(|bytes| u16::from_ne_bytes(*bytes));
    if kind != Some(SOCK_DIAG_BY_FAMILY) {
        return Err(Errno::NOENT.into());
    }
    let inode = answer.get(INODE..).and_then(|bytes| bytes.first_chunk());
    inode
        .map(|bytes| u32::from_ne_bytes(*bytes))
        .ok_or(Errno::BADMSG.into())
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
fn request(local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    let family = if local.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut bytes = Vec::with_capacity(72);
    bytes.extend_from_slice(&72u32.to_ne_bytes());
    bytes.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend_from_slice(&EXACT.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[family as u8, libc::IPPROTO_TCP as u8, 0, 0]);
    bytes.extend_from_slice(&u32::MAX.to_ne_bytes());
    bytes.extend_from_slice(&local.port().to_be_bytes());
    bytes.extend_from_slice(&remote.port().to_be_bytes());
    for address in [local.ip(), remote.ip()] {
        let mut place = [0; 16];
        match address {
            IpAddr::V4(v4) => place[..4].copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => place = v6.octets(),
        }
        bytes.extend_from_slice(&place);
    }
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    // No cookie is known.
    bytes.extend_from_slice(&[0xff; 8]);
    bytes
}

/// Whether a process that still is the one that was known has a descriptor of the socket.
pub(super) fn holds(process: &Identity, inode: u32) -> bool {
    let wanted = format!("socket:[{inode}]");
    let Ok(folder) = std::fs::read_dir(format!("/proc/{}/fd", process.pid)) else {
        return false;
    };
    let found = folder
        .filter_map(Result::ok)
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|link| link.as_os_str() == wanted.as_str());
    found && Identity::of(process.pid).is_ok_and(|now| now == *process)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use agentsh_netgate::place::Here;

    use super::*;

    #[test]
    fn the_other_end_is_found_with_its_process() -> Result<(), Box<dyn std::error::Error>> {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address)?;
            let client = TcpStream::connect(listener.local_addr()?)?;
            let inode = inode(&Here, client.local_addr()?, listener.local_addr()?)?;
            assert_eq!(u64::from(inode), rustix::fs::fstat(&client)?.st_ino);
            let own = Identity::of(std::process::id() as i32)?;
            assert!(holds(&own, inode));
            let (local, remote) = (client.local_addr()?, listener.local_addr()?);
            drop(client);
            assert!(!holds(&own, inode));
            drop(listener);
            assert!(super::inode(&Here, remote, local).is_err());
        }
        Ok(())
    }
}
