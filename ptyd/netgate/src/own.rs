//! Which local endpoints are the session's own.
//!
//! A port proves nothing: it can be taken over. What is remembered is the socket, and who holds a port now is
//! asked of the kernel.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::diag::{self, Bound};
use crate::place::Place;

/// Remembered sockets from which on the closed ones among them are looked for.
const PRUNE: usize = 1024;

/// Who is reached at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Sockets that processes of the session bound, and no others.
    Own,
    /// Somebody else's, or somebody else's too.
    Foreign,
    /// No living socket has it.
    Nobody,
}

/// The process that a socket belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its command.
    pub command: Arc<str>,
    /// Its number.
    pub pid: i32,
}

/// The sockets of a session.
pub(crate) struct Own {
    place: Arc<dyn Place>,
    sockets: Mutex<HashMap<u64, Owner>>,
}

impl Own {
    /// Those on the network `place`.
    pub fn new(place: Arc<dyn Place>) -> Own {
        Own {
            place,
            sockets: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Owner>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The socket with this inode is of the session.
    pub fn note(&self, inode: u64, owner: Owner) {
        let mut sockets = self.lock();
        sockets.insert(inode, owner);
        if sockets.len() > PRUNE
            && sockets.len().is_power_of_two()
            && let Ok(living) = diag::living(&*self.place)
        {
            sockets.retain(|known, _| *known == inode || living.contains(known));
        }
    }

    /// Who is reached at a local endpoint.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn holder(&self, udp: bool, at: SocketAddr) -> io::Result<Holder> {
        let bound = diag::at_port(&*self.place, udp, at.port())?;
        let sockets = self.lock();
        let mut holder = Holder::Nobody;
        for bound in bound.iter().filter(|bound| takes(bound, at.ip())) {
            match sockets.contains_key(&bound.inode) {
                true => holder = Holder::Own,
                false => return Ok(Holder::Foreign),
            }
        }
        Ok(holder)
    }
}

/// Whether packets to `address` could reach the socket.
fn takes(bound: &Bound, address: IpAddr) -> bool {
    let same_family = bound.v6 == address.is_ipv6();
    if bound.address.is_unspecified() {
        return same_family || bound.v6;
    }
    // The kernel connects to loopback when no address is given.
    let to = match address {
        IpAddr::V4(v4) if v4.is_unspecified() => IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(v6) if v6.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        other => other,
    };
    bound.address == to
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use rustix::io::Errno;

    use super::*;
    use crate::place::Here;

    fn own(own: &Own, socket: impl std::os::fd::AsFd) -> Result<(), Errno> {
        let owner = Owner {
            command: Arc::from("c"),
            pid: 1,
        };
        own.note(rustix::fs::fstat(socket)?.st_ino, owner);
        Ok(())
    }

    #[test]
    fn a_port_is_its_sockets_and_not_its_number() -> Result<(), Box<dyn std::error::Error>> {
        let sockets = Own::new(Arc::new(Here));
        let (mine, other) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
        own(&sockets, &mine)?;
        let (at, elsewhere) = (mine.local_addr()?, other.local_addr()?);
        assert_eq!(sockets.holder(false, at)?, Holder::Own);
        assert_eq!(
            sockets.holder(false, SocketAddr::from(([0, 0, 0, 0], at.port())))?,
            Holder::Own
        );
        assert_eq!(sockets.holder(false, elsewhere)?, Holder::Foreign);
        drop(mine);
        assert_eq!(sockets.holder(false, at)?, Holder::Nobody);
        let _taken_over = TcpListener::bind(at)?;
        assert_eq!(sockets.holder(false, at)?, Holder::Foreign);
        Ok(())
    }

    #[test]
    fn a_port_that_is_shared_with_somebody_else_is_not_the_sessions() -> Result<(), Box<dyn std::error::Error>> {
        let sockets = Own::new(Arc::new(Here));
        let mine = UdpSocket::bind("127.0.0.1:0")?;
        own(&sockets, &mine)?;
        let at = mine.local_addr()?;
        assert_eq!(sockets.holder(true, at)?, Holder::Own);
        let _other = UdpSocket::bind(("127.0.0.2", at.port()))?;
        assert_eq!(sockets.holder(true, at)?, Holder::Own);
        let _everywhere = UdpSocket::bind(("::", at.port()));
        let shared = sockets.holder(true, SocketAddr::from(([127, 0, 0, 2], at.port())))?;
        assert_eq!(shared, Holder::Foreign);
        Ok(())
    }
}
