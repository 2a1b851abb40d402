//! A network of a session's own: every address in it is one of its own, and what is sent elsewhere gets to the relay, which
//! lets through what was judged.
//!
//! The network is made by a process of ours ([`hold`]) and lives as long as the supervisor or a process of the session.
//! With the supervisor dead the relay is gone, and nothing leaves.

mod datagrams;
mod forward;
mod holder;
mod netlink;
mod relay;
mod routes;
mod steering;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType};

pub use datagrams::{Excess, FarDatagrams};
pub use forward::forward;
pub use holder::hold;
pub use relay::{Far, Relay};

use crate::place::Place;

/// The network's own address: what connections come from. It is set aside for translators within one host
/// (RFC 7335), so that nobody else's is hidden by it.
pub const OWN4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 4);
/// The same in IPv6, of a private range (RFC 4193).
pub const OWN6: Ipv6Addr = Ipv6Addr::new(0xfd6a, 0x6167, 0x656e, 0x7473, 0, 0, 0, 1);

/// How long the making, or a socket, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A private network. Dropping it ends the process that holds it.
pub struct Private {
    user: Option<OwnedFd>,
    network: OwnedFd,
    cookie: u64,
    /// The socket to the process that lives there.
    holder: Mutex<OwnedFd>,
    process: Mutex<Child>,
    relay: Relay,
}

impl Private {
    /// Makes one; `program` starts a process that calls [`hold`] with its standard input.
    ///
    /// # Errors
    /// Where the host does not let this user have one.
    pub fn make(mut program: Command) -> io::Result<Private> {
        let kind = SocketType::SEQPACKET;
        let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&ours, Timeout::Recv, Some(PATIENCE))?;
        let child = program
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut process = Reaped(Some(child));
        // The command keeps its end of the pair: it must go, or its end would not be seen.
        drop(program);
        let made = holder::await_made(&ours)?;
        let mut descriptors = made.descriptors.into_iter();
        let mut next = || descriptors.next().ok_or(io::ErrorKind::UnexpectedEof);
        let user = made.parts.user.then(&mut next).transpose()?;
        let network = next()?;
        let connections = next()?;
        let cookie = crate::sys::network_cookie(&connections)?;
        let mut sockets = vec![relay::Sockets::new(connections, next()?, next()?)];
        if made.parts.v6 {
            sockets.push(relay::Sockets::new(next()?, next()?, next()?));
        }
        let child = process.0.take().ok_or(io::ErrorKind::NotFound)?;
        Ok(Private {
            user,
            network,
            cookie,
            holder: Mutex::new(ours),
            process: Mutex::new(child),
            relay: Relay::start(sockets)?,
        })
    }

    /// What a process enters, in this order, `setns(2)`.
    pub fn namespaces(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.user.iter().chain([&self.network]).map(AsFd::as_fd)
    }

    /// Whether who enters it gets into a user namespace of ours.
    pub fn is_rootless(&self) -> bool {
        self.user.is_some()
    }

    /// What `/proc/PID/ns/` shows of whoever is inside: names, and what the links say.
    pub fn links(&self) -> io::Result<Vec<(&'static str, String)>> {
        let names = match self.user {
            Some(_) => &["user", "net"][..],
            None => &["net"],
        };
        let each = names.iter().zip(self.namespaces());
        each.map(|(name, fd)| {
            let inode = std::fs::metadata(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd)))?.ino();
            Ok((*name, format!("{name}:[{inode}]")))
        })
        .collect()
    }

    /// Whether the socket is on this network; what cannot be known is not.
    pub fn holds(&self, socket: impl AsFd) -> bool {
        crate::sys::network_cookie(socket).is_ok_and(|cookie| cookie == self.cookie)
    }

    /// The way out.
    pub fn relay(&self) -> &Relay {
        &self.relay
    }

    /// Whether packets to it stay in the network.
    pub fn has(address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_unspecified() || v4 == OWN4,
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6 == OWN6,
        }
    }
}

impl Place for Private {
    fn socket(&self, family: AddressFamily, kind: SocketType, protocol: Option<Protocol>) -> io::Result<OwnedFd> {
        let holder = self.holder.lock().unwrap_or_else(PoisonError::into_inner);
        holder::ask(&holder, family, kind, protocol)
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        end(process);
    }
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

/// A process that is ended if nothing becomes of it.
struct Reaped(Option<Child>);

impl Drop for Reaped {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(end);
    }
}
