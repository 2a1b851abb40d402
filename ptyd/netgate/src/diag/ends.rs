//! Ends of sockets, as the kernel tells them to whoever listens (`SKNLGRP_INET_TCP_DESTROY` and its like).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size, set_socket_timeout};

use super::{SOCK_DIAG_BY_FAMILY, half, word};
use crate::place::{self, Place};

/// TCP and UDP over both families: groups 1 to 4.
const GROUPS: u32 = 0xf;

/// `INET_DIAG_INFO`.
pub(super) const INFO: u16 = 2;

/// Places in `struct tcp_info` (`linux/tcp.h`).
const BYTES_RECEIVED: usize = 128;
const BYTES_SENT: usize = 200;
const BYTES_REPEATED: usize = 208;

/// Room for bursts, of which the kernel doubles half.
const ROOM: usize = 2 << 20;

/// A listener looks around so often.
const LOOK: Duration = Duration::from_secs(1);

/// The end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// `SO_COOKIE`.
    pub cookie: u64,
    /// Its own address and its peer's.
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// What was sent and received, where the kernel counts it.
    pub bytes: Option<(u64, u64)>,
}

/// A descriptor on which the ends of all sockets of this network are told from now on.
///
/// # Errors
/// Where the kernel does not tell.
pub(crate) fn listen(place: &dyn Place) -> io::Result<OwnedFd> {
    let socket = place::diag(place)?;
    // More would only be kinder to bursts.
    let _ = set_socket_recv_buffer_size(&socket, ROOM);
    set_socket_timeout(&socket, Timeout::Recv, Some(LOOK))?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    Ok(socket)
}

/// Takes the next ends; `waits`: for a second at most.
///
/// # Errors
/// `EAGAIN` if there was none; `ENOBUFS` if some were not told for want of room.
pub(crate) fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
    waits: bool,
    take: &mut dyn FnMut(End),
) -> Result<(), Errno> {
    let flags = match waits {
        true => RecvFlags::empty(),
        false => RecvFlags::DONTWAIT,
    };
    let (length, _) = rustix::net::recv(socket, &mut *buffer, flags)?;
    read(buffer.get(..length).unwrap_or_default(), take);
    Ok(())
}

fn read(mut bytes: &[u8], take: &mut dyn FnMut(End)) {
    while let (Some(length), Some(kind)) = (word(bytes, 0), half(bytes, 4)) {
        let length = length as usize;
        let Some(message) = bytes.get(16..length) else { return };
        if kind == SOCK_DIAG_BY_FAMILY
            && let Some(end) = one(message)
        {
            take(end);
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

/// `struct inet_diag_msg` and its attributes.
fn one(message: &[u8]) -> Option<End> {
    Some(End {
        cookie: cookie(message)?,
        local: address(message, 4, 8)?,
        remote: address(message, 6, 24)?,
        bytes: carried(message)?,
    })
}

/// The address of a `struct inet_diag_sockid` whose port and octets stand there.
fn address(message: &[u8], port: usize, octets: usize) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(*message.get(port..)?.first_chunk()?);
    let octets: [u8; 16] = *message.get(octets..)?.first_chunk()?;
    let ip = match i32::from(*message.first()?) == libc::AF_INET6 {
        true => IpAddr::from(octets).to_canonical(),
        false => IpAddr::from(*octets.first_chunk::<4>()?),
    };
    Some(SocketAddr::new(ip, port))
}

/// `idiag_cookie` of a `struct inet_diag_msg`.
pub(super) fn cookie(message: &[u8]) -> Option<u64> {
    Some(u64::from(word(message, 44)?) | u64::from(word(message, 48)?) << 32)
}

/// What was sent and received, from the attributes of a `struct inet_diag_msg`; `None` if it is cut short.
pub(super) fn carried(message: &[u8]) -> Option<Option<(u64, u64)>> {
    let mut bytes = None;
    let mut attributes = message.get(72..)?;
    while let (Some(length), Some(kind)) = (half(attributes, 0), half(attributes, 2)) {
        let length = usize::from(length);
        let value = attributes.get(4..length)?;
        if kind == INFO {
            let number = |at: usize| Some(u64::from_ne_bytes(*value.get(at..)?.first_chunk()?));
            bytes = number(BYTES_SENT)
                .zip(number(BYTES_RECEIVED))
                .map(|(sent, received)| (sent.saturating_sub(number(BYTES_REPEATED).unwrap_or(0)), received));
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_end_is_told_with_what_went_both_ways() -> Result<(), Box<dyn std::error::Error>> {
        let socket = listen(&crate::place::Here)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut client = TcpStream::connect(listener.local_addr()?)?;
        let (mut server, _) = listener.accept()?;
        client.write_all(&[1; 5000])?;
        server.write_all(&[2; 70])?;
        server.read_exact(&mut [0; 5000])?;
        client.read_exact(&mut [0; 70])?;
        let cookie = rustix::net::sockopt::socket_cookie(&client)?;
        let ends = (client.local_addr()?, client.peer_addr()?);
        drop((client, server));
        let mut found = None;
        let mut buffer = vec![0; 32 << 10];
        while found.is_none() {
            receive(&socket, &mut buffer, true, &mut |end| {
                if end.cookie == cookie {
                    found = Some(end);
                }
            })?;
        }
        assert_eq!(found.map(|end| (end.local, end.remote)), Some(ends));
        let (sent, received) = found.and_then(|end| end.bytes).unwrap_or_default();
        // The end of the stream counts as a byte of it, if it has come by then.
        assert!(sent == 5000 && (70..=71).contains(&received), "{sent} {received}");
        Ok(())
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            read(&bytes, &mut |_| ());
        }
    }
}
