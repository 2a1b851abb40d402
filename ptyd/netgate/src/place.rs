//! Where the sockets of a session are: on the host's network, or on one of its own.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, netlink};

/// A network, as far as it makes sockets.
pub trait Place: Send + Sync {
    /// A socket there (`socket(2)`), closed on exec.
    ///
    /// # Errors
    /// The call's own.
    fn socket(&self, family: AddressFamily, kind: SocketType, protocol: Option<Protocol>) -> io::Result<OwnedFd>;
}

/// The network of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Here;

impl Place for Here {
    fn socket(&self, family: AddressFamily, kind: SocketType, protocol: Option<Protocol>) -> io::Result<OwnedFd> {
        Ok(rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, protocol)?)
    }
}

/// A socket that tells of sockets, `sock_diag(7)`.
pub(crate) fn diag(place: &dyn Place) -> io::Result<OwnedFd> {
    place.socket(AddressFamily::NETLINK, SocketType::RAW, Some(netlink::SOCK_DIAG))
}

fn family(address: SocketAddr) -> AddressFamily {
    match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    }
}

/// A listener there.
///
/// # Errors
/// As [`TcpListener::bind`].
pub fn listen(place: &dyn Place, at: SocketAddr) -> io::Result<TcpListener> {
    let socket = place.socket(family(at), SocketType::STREAM, None)?;
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &at)?;
    rustix::net::listen(&socket, 128)?;
    Ok(socket.into())
}

/// A datagram socket there.
///
/// # Errors
/// As [`UdpSocket::bind`].
pub fn datagrams(place: &dyn Place, at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = place.socket(family(at), SocketType::DGRAM, None)?;
    rustix::net::bind(&socket, &at)?;
    Ok(socket.into())
}

/// A connection from there.
///
/// # Errors
/// As [`TcpStream::connect`].
pub fn connect(place: &dyn Place, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = place.socket(family(to), SocketType::STREAM, None)?;
    rustix::net::connect(&socket, &to)?;
    Ok(socket.into())
}
