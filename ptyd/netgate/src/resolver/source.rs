//! Answers that come from where they were asked.
//!
//! Who asks on a socket without a peer compares: an answer from elsewhere is a stranger's. Where the host lets us make
//! packets (`raw(7)`), the answer has the address that was asked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

use rustix::net::{AddressFamily, Protocol, RawProtocol, SendFlags, SocketType, sendto};

use crate::packet;
use crate::place::Place;

/// `IPPROTO_RAW`: what is sent has its own header.
const RAW: Option<Protocol> = match RawProtocol::new(255) {
    Some(raw) => Some(Protocol::from_raw(raw)),
    None => None,
};

/// Sockets for packets with a source of their own, of the network that the resolver is in.
pub(super) struct Sources {
    place: Arc<dyn Place>,
    v4: OnceLock<Option<OwnedFd>>,
    v6: OnceLock<Option<OwnedFd>>,
}

impl Sources {
    pub(super) fn new(place: Arc<dyn Place>) -> Sources {
        Sources {
            place,
            v4: OnceLock::new(),
            v6: OnceLock::new(),
        }
    }

    /// Sends `payload` from `asked` to `client`; whether it could be.
    pub(super) fn send(&self, payload: &[u8], asked: SocketAddr, client: SocketAddr) -> bool {
        // A v4 server that is asked by a v6 socket answers in v4.
        let (to, cell, family) = match (asked.ip(), client.ip().to_canonical()) {
            (IpAddr::V4(_), IpAddr::V6(_)) => (Ipv4Addr::LOCALHOST.into(), &self.v4, AddressFamily::INET),
            (IpAddr::V4(_), to) => (to, &self.v4, AddressFamily::INET),
            (IpAddr::V6(_), to) => (to, &self.v6, AddressFamily::INET6),
        };
        let socket = cell.get_or_init(|| self.place.socket(family, SocketType::RAW, RAW).ok());
        let Some(socket) = socket else { return false };
        let client = SocketAddr::new(to, client.port());
        let Some(packet) = packet::datagram(asked, client, payload) else {
            return false;
        };
        // The port of a raw socket's address is nothing, or a protocol.
        sendto(socket, &packet, SendFlags::empty(), &SocketAddr::new(to, 0)).is_ok()
    }
}
