//! Who holds a local port, as the kernel lists it, `sock_diag(7)`.

pub(crate) mod ends;
pub(crate) mod traffic;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use crate::place::{self, Place};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// `TCP_LISTEN`; for UDP all states count.
const LISTENING: u32 = 1 << 10;
const ALL: u32 = u32::MAX;

/// A socket at a local port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    pub address: IpAddr,
    /// Whether it takes both families (an IPv6 socket bound to no address may).
    pub v6: bool,
    /// Its inode in sockfs; 0: no descriptor holds it any more.
    pub inode: u64,
}

/// All sockets that packets to `port` could reach: listeners for TCP, every socket for UDP.
///
/// # Errors
/// Where the kernel has no such list.
pub(crate) fn at_port(place: &dyn Place, udp: bool, port: u16) -> io::Result<Vec<Bound>> {
    let mut found = Vec::new();
    list(place, udp, port, &mut |bound| found.push(bound))?;
    Ok(found)
}

/// The inodes of all sockets that could be remembered as somebody's.
///
/// # Errors
/// As [`at_port`].
pub(crate) fn living(place: &dyn Place) -> io::Result<std::collections::HashSet<u64>> {
    let mut found = std::collections::HashSet::new();
    for udp in [false, true] {
        list(place, udp, 0, &mut |bound| {
            found.insert(bound.inode);
        })?;
    }
    Ok(found)
}

fn list(place: &dyn Place, udp: bool, port: u16, take: &mut dyn FnMut(Bound)) -> io::Result<()> {
    let states = if udp { ALL } else { LISTENING };
    dump(place, udp, (states, 0), port, &mut |message| {
        if let Some((at, bound)) = one(message)
            && (port == 0 || at == port)
        {
            take(bound);
        }
    })
}

/// Hands out the `struct inet_diag_msg` of every socket in these states, with these extensions.
fn dump(place: &dyn Place, udp: bool, wanted: (u32, u8), port: u16, take: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let socket = place::diag(place)?;
    let mut buffer = vec![0u8; 32 << 10];
    for family in [libc::AF_INET, libc::AF_INET6] {
        let request = request(family, udp, wanted, port);
        rustix::net::send(&socket, &request, SendFlags::empty())?;
        loop {
            let (length, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
            if read(buffer.get(..length).unwrap_or_default(), take)? {
                break;
            }
        }
    }
    Ok(())
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
fn request(family: i32, udp: bool, (states, extensions): (u32, u8), port: u16) -> Vec<u8> {
    let protocol = if udp { libc::IPPROTO_UDP } else { libc::IPPROTO_TCP };
    let mut bytes = Vec::with_capacity(72);
    bytes.extend_from_slice(&72u32.to_ne_bytes());
    bytes.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend_from_slice(&DUMP.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[family as u8, protocol as u8, extensions, 0]);
    bytes.extend_from_slice(&states.to_ne_bytes());
    bytes.extend_from_slice(&port.to_be_bytes());
    bytes.resize(72, 0);
    bytes
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Takes in one datagram; true if it was the last.
fn read(mut bytes: &[u8], take: &mut dyn FnMut(&[u8])) -> Result<bool, Errno> {
    while let (Some(length), Some(kind)) = (word(bytes, 0), half(bytes, 4)) {
        let length = length as usize;
        let message = bytes.get(16..length).ok_or(Errno::BADMSG)?;
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => return Err(Errno::NOTSUP),
            SOCK_DIAG_BY_FAMILY => take(message),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// `struct inet_diag_msg`: the local port and what is there.
fn one(message: &[u8]) -> Option<(u16, Bound)> {
    let port = u16::from_be_bytes(*message.get(4..)?.first_chunk()?);
    let v6 = i32::from(*message.first()?) == libc::AF_INET6;
    let source: [u8; 16] = *message.get(8..)?.first_chunk()?;
    let address = match v6 {
        true => IpAddr::V6(Ipv6Addr::from(source)).to_canonical(),
        false => IpAddr::V4(Ipv4Addr::from(*source.first_chunk::<4>()?)),
    };
    let inode = u64::from(word(message, 68)?);
    Some((port, Bound { address, v6, inode }))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use proptest::prelude::*;

    use super::*;
    use crate::place::Here;

    #[test]
    fn listeners_and_datagram_sockets_are_found_by_their_port() -> Result<(), Box<dyn std::error::Error>> {
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        let udp = UdpSocket::bind("[::1]:0")?;
        for (found, inode, address) in [
            (
                at_port(&Here, false, tcp.local_addr()?.port())?,
                rustix::fs::fstat(&tcp)?.st_ino,
                tcp.local_addr()?,
            ),
            (
                at_port(&Here, true, udp.local_addr()?.port())?,
                rustix::fs::fstat(&udp)?.st_ino,
                udp.local_addr()?,
            ),
        ] {
            let expected = Bound {
                address: address.ip(),
                v6: address.is_ipv6(),
                inode,
            };
            assert!(found.contains(&expected), "{found:?}");
            assert!(living(&Here)?.contains(&inode));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = read(&bytes, &mut |message| {
                let _ = one(message);
            });
        }
    }
}
