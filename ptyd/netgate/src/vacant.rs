//! Addresses at which surely nobody is: a call that is led there ends as the kernel ends it where nobody listens, and
//! nobody can come in between.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};

use crate::gate::Transport;

/// A port that is taken, and at which nothing arrives.
struct Vacancy {
    _socket: OwnedFd,
    address: SocketAddr,
}

/// One of each kind, made when it is needed.
#[derive(Default)]
pub struct Vacant {
    tcp: [OnceLock<Option<Vacancy>>; 2],
    udp: [OnceLock<Option<Vacancy>>; 2],
}

impl Vacant {
    /// The one in the place of a peer on loopback; none for others, and where none can be made.
    pub fn instead_of(&self, transport: Transport, peer: SocketAddr) -> Option<SocketAddr> {
        if !peer.ip().is_loopback() {
            return None;
        }
        let ip: IpAddr = match peer {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        let place = usize::from(peer.is_ipv6());
        let vacancy = match transport {
            Transport::Tcp => self.tcp[place].get_or_init(|| silent(ip).ok()),
            Transport::Udp => self.udp[place].get_or_init(|| deaf(ip).ok()),
            Transport::Other => return None,
        };
        vacancy.as_ref().map(|vacancy| vacancy.address)
    }
}

/// A socket that has a port and does not listen.
fn silent(ip: IpAddr) -> io::Result<Vacancy> {
    let family = match ip {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddr::new(ip, 0))?;
    let address = SocketAddr::try_from(getsockname(&socket)?)?;
    Ok(Vacancy {
        _socket: socket,
        address,
    })
}

/// A socket that hears itself alone.
fn deaf(ip: IpAddr) -> io::Result<Vacancy> {
    let socket = UdpSocket::bind((ip, 0))?;
    let address = socket.local_addr()?;
    socket.connect(address)?;
    Ok(Vacancy {
        _socket: socket.into(),
        address,
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn nobody_is_there_and_nobody_can_come() -> Result<(), Box<dyn std::error::Error>> {
        let vacant = Vacant::default();
        for peer in ["127.0.0.1:9", "[::1]:9"] {
            let peer: SocketAddr = peer.parse()?;
            let tcp = vacant.instead_of(Transport::Tcp, peer).ok_or("no port")?;
            assert_eq!(vacant.instead_of(Transport::Tcp, peer), Some(tcp));
            let refused = TcpStream::connect(tcp).err().map(|error| error.kind());
            assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused));
            assert!(std::net::TcpListener::bind(tcp).is_err());
            let udp = vacant.instead_of(Transport::Udp, peer).ok_or("no port")?;
            let sender = UdpSocket::bind((peer.ip(), 0))?;
            sender.connect(udp)?;
            sender.send(b"x")?;
            let refused = sender.recv(&mut [0]).err().map(|error| error.kind());
            assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused));
            assert!(UdpSocket::bind(udp).is_err());
        }
        assert_eq!(vacant.instead_of(Transport::Tcp, "192.0.2.1:9".parse()?), None);
        Ok(())
    }
}
