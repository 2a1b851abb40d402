//! The Unix sockets of a network as the kernel lists them, `sock_diag(7)`.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// `UDIAG_SHOW_NAME | UDIAG_SHOW_VFS`.
const SHOW: u32 = 0x3;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_VFS: u16 = 1;
const TCP_ESTABLISHED: u8 = 1;

/// A socket that others can reach by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Its inode in sockfs: what `fstat(2)` says of a descriptor of it.
    pub socket: u32,
    /// `sun_path` as it was bound: a path, or a zero byte and an abstract name.
    pub name: Vec<u8>,
    /// Low half of the inode number and device of its file, as that file system itself names them.
    pub file: Option<(u32, u32)>,
}

/// A socket that asks about this process's network.
pub fn here() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC;
    rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::SOCK_DIAG))
}

/// All that can be reached now; ends of connections, which carry the name of their listener, are left out.
///
/// # Errors
/// Where the kernel has no such list.
pub fn bound(socket: OwnedFd) -> Result<Vec<Bound>, Errno> {
    rustix::net::send(&socket, &request(), SendFlags::empty())?;
    let mut found = Vec::new();
    let mut buffer = vec![0u8; 32 << 10];
    loop {
        let (length, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        if read(buffer.get(..length).unwrap_or_default(), &mut found)? {
            return Ok(found);
        }
    }
}

/// `struct nlmsghdr` and `struct unix_diag_req`.
fn request() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40);
    bytes.extend_from_slice(&40u32.to_ne_bytes());
    bytes.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend_from_slice(&DUMP.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[libc::AF_UNIX as u8, 0, 0, 0]);
    bytes.extend_from_slice(&u32::MAX.to_ne_bytes());
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(&SHOW.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Takes in one datagram; true if it was the last.
fn read(mut bytes: &[u8], found: &mut Vec<Bound>) -> Result<bool, Errno> {
    while let (Some(length), Some(kind)) = (word(bytes, 0), half(bytes, 4)) {
        let length = length as usize;
        let message = bytes.get(16..length).ok_or(Errno::BADMSG)?;
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => return Err(Errno::NOTSUP),
            SOCK_DIAG_BY_FAMILY => found.extend(one(message)),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// `struct unix_diag_msg` and its attributes.
fn one(message: &[u8]) -> Option<Bound> {
    let (kind, state) = (i32::from(*message.get(1)?), *message.get(2)?);
    if kind != libc::SOCK_DGRAM && state == TCP_ESTABLISHED {
        return None;
    }
    let mut bound = Bound {
        socket: word(message, 4)?,
        name: Vec::new(),
        file: None,
    };
    let mut attributes = message.get(16..)?;
    while let (Some(length), Some(kind)) = (half(attributes, 0), half(attributes, 2)) {
        let length = usize::from(length);
        let value = attributes.get(4..length)?;
        match kind {
            UNIX_DIAG_NAME => bound.name = value.to_vec(),
            UNIX_DIAG_VFS => bound.file = Some((word(value, 0)?, word(value, 4)?)),
            _ => {}
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    (!bound.name.is_empty()).then_some(bound)
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_listener_is_listed_and_the_ends_of_its_connections_are_not() -> Result<(), Box<dyn std::error::Error>> {
        let name = format!("agentsh-diag-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name)?;
        let listener = UnixListener::bind_addr(&address)?;
        let _client = UnixStream::connect_addr(&address)?;
        let (_accepted, _) = listener.accept()?;
        let inode = rustix::fs::fstat(&listener)?.st_ino;
        let wanted = [b"\0", name.as_bytes()].concat();
        let found: Vec<u64> = bound(here()?)?
            .into_iter()
            .filter(|bound| bound.name == wanted)
            .map(|bound| bound.socket.into())
            .collect();
        assert_eq!(found, [inode]);
        Ok(())
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = read(&bytes, &mut Vec::new());
        }
    }
}
