//! A caller's socket and what it is.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType};

use crate::caller::Caller;
use crate::locate::Locator;

/// How an internet socket talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP, or several of it (MPTCP).
    Tcp,
    /// UDP.
    Udp,
    /// Echo requests (`icmp(7)`, a datagram socket).
    Icmp,
    /// Another protocol (`IPPROTO_*`).
    Other(u32),
}

/// A duplicate of the caller's socket: the same open file.
pub(super) struct Socket {
    pub fd: OwnedFd,
    pub domain: AddressFamily,
    pub kind: SocketType,
    pub blocks: bool,
}

impl Socket {
    pub fn of(locator: &Locator, caller: &Caller<'_>) -> Result<Socket, Errno> {
        let fd = locator.take_fd(caller, caller.arg_i32(0))?;
        let domain = rustix::net::sockopt::socket_domain(&fd)?;
        let kind = rustix::net::sockopt::socket_type(&fd)?;
        let blocks = !rustix::fs::fcntl_getfl(&fd)?.contains(OFlags::NONBLOCK);
        Ok(Socket {
            fd,
            domain,
            kind,
            blocks,
        })
    }

    pub fn is_unix(&self) -> bool {
        self.domain == AddressFamily::UNIX
    }

    pub fn is_netlink(&self) -> bool {
        self.domain == AddressFamily::NETLINK
    }

    pub fn is_internet(&self) -> bool {
        self.domain == AddressFamily::INET || self.domain == AddressFamily::INET6
    }

    /// Whether it carries a stream: what is sent goes to its peer and to nobody else.
    pub fn is_stream(&self) -> bool {
        self.kind == SocketType::STREAM || self.kind == SocketType::SEQPACKET
    }

    pub fn transport(&self) -> Result<Transport, Errno> {
        const TCP: u32 = libc::IPPROTO_TCP as u32;
        const MPTCP: u32 = libc::IPPROTO_MPTCP as u32;
        const UDP: u32 = libc::IPPROTO_UDP as u32;
        const ICMP: u32 = libc::IPPROTO_ICMP as u32;
        const ICMPV6: u32 = libc::IPPROTO_ICMPV6 as u32;
        let protocol = rustix::net::sockopt::socket_protocol(&self.fd)?.map_or(0, |protocol| protocol.as_raw().get());
        Ok(match (self.kind, protocol) {
            (SocketType::STREAM, TCP | MPTCP) => Transport::Tcp,
            (SocketType::DGRAM, UDP) => Transport::Udp,
            (SocketType::DGRAM, ICMP | ICMPV6) => Transport::Icmp,
            (_, protocol) => Transport::Other(protocol),
        })
    }

    /// Whether a Unix socket has a name: without one its address is the family alone.
    pub fn is_named(&self) -> Result<bool, Errno> {
        let address = rustix::net::getsockname(&self.fd)?;
        Ok(address.addr_len() as usize > size_of::<libc::sa_family_t>())
    }

    /// Its number in sockfs, by which the kernel lists it.
    pub fn inode(&self) -> Result<u64, Errno> {
        Ok(rustix::fs::fstat(&self.fd)?.st_ino)
    }

    /// Where it is bound.
    pub fn local(&self) -> Result<SocketAddr, Errno> {
        let any = rustix::net::getsockname(&self.fd)?;
        let address = SocketAddr::try_from(any).map_err(|_| Errno::AFNOSUPPORT)?;
        Ok(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }
}
