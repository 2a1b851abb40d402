//! Operations on internet sockets: judged on a copy of the address and carried out on the caller's own socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;

use super::socket::{Socket, Transport};
use super::{Sockets, address};
use crate::caller::Caller;
use crate::files::actor;
use crate::outcome::Outcome;
use crate::sys::socket;

/// What is done with an internet socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InternetOperation {
    /// It gets a peer.
    Connect,
    /// It gets an address of its own.
    Bind,
    /// It takes connections.
    Listen,
    /// A datagram, or the first bytes of a connection, to an address that goes along.
    Send,
}

/// One operation on an internet socket.
pub struct InternetRequest<'a> {
    /// The caller.
    pub caller: &'a Caller<'a>,
    /// A duplicate of the caller's socket.
    pub socket: BorrowedFd<'a>,
    /// Its number in sockfs, by which `sock_diag(7)` lists it.
    pub inode: u64,
    /// What is to be done.
    pub operation: InternetOperation,
    /// How the socket talks.
    pub transport: Transport,
    /// Whom to; for bind and listen its own address. A v4 address in v6 clothes is given as what it is.
    pub address: SocketAddr,
    /// Whether the socket is of the IPv6 family, in which v4 addresses wear v6 clothes.
    pub v6: bool,
}

/// Carries the operation out, with another address if one is given; what the caller gets, or why not.
pub type Act<'a> = dyn FnMut(Option<SocketAddr>) -> Result<i64, Outcome> + 'a;

impl Sockets {
    /// Has the operation judged. `bytes`: the address as copied; `act` gets what the kernel is to be given.
    pub(super) fn internet(
        &self,
        caller: &Caller<'_>,
        socket: &Socket,
        (operation, address): (InternetOperation, SocketAddr),
        bytes: &[u8],
        act: &mut dyn FnMut(&[u8]) -> Result<i64, Outcome>,
    ) -> Result<Outcome, Outcome> {
        let meant = match operation {
            InternetOperation::Connect | InternetOperation::Send => meant(socket, address)?,
            InternetOperation::Bind | InternetOperation::Listen => address,
        };
        let request = request(caller, socket, (operation, meant))?;
        let mut perform = |instead: Option<SocketAddr>| match instead {
            None if meant == address => act(bytes),
            // The kernel would look for what is meant once more, and the socket may have another name by then.
            instead => act(&address::encode(instead.unwrap_or(meant), request.v6)?),
        };
        Ok(self.judge.internet(&request, &mut perform))
    }

    pub(super) fn connect_internet(
        &self,
        caller: &Caller<'_>,
        socket: &Socket,
        address: SocketAddr,
        bytes: &[u8],
    ) -> Result<Outcome, Outcome> {
        // Nobody can put another socket under the number before the kernel looks.
        if socket.is_stream() && self.keeps_its_descriptors(caller) {
            let request = request(caller, socket, (InternetOperation::Connect, address))?;
            if self.judge.is_held(&request) {
                return Ok(Outcome::Continue);
            }
        }
        let far = !address.ip().is_loopback();
        let waits = socket.blocks && socket.is_stream();
        let client = self.locator.client(caller)?;
        self.internet(
            caller,
            socket,
            (InternetOperation::Connect, address),
            bytes,
            &mut |bytes| {
                if !caller.still_valid() {
                    return Err(Outcome::Answered);
                }
                let _acting = actor::act_as(&client.identity, None)?;
                let connect = || socket::connect(&socket.fd, bytes);
                match (waits, far) {
                    (true, true) => caller.perhaps_slow(connect)?,
                    (true, false) => caller.interruptible(connect)?,
                    _ => connect().map_err(Outcome::Errno)?,
                }
                Ok(0)
            },
        )
    }

    pub(super) fn bind_internet(
        &self,
        caller: &Caller<'_>,
        socket: &Socket,
        address: SocketAddr,
        bytes: &[u8],
    ) -> Result<Outcome, Outcome> {
        let client = self.locator.client(caller)?;
        self.internet(
            caller,
            socket,
            (InternetOperation::Bind, address),
            bytes,
            &mut |bytes| {
                if !caller.still_valid() {
                    return Err(Outcome::Answered);
                }
                // Low ports are for those who may.
                let _acting = actor::act_as(&client.identity, None)?;
                socket::bind(&socket.fd, bytes)?;
                Ok(0)
            },
        )
    }

    pub(super) fn listen(&self, caller: &Caller<'_>) -> Result<Outcome, Outcome> {
        let socket = Socket::of(&self.locator, caller)?;
        // Unix sockets that others connect to are judged when they get their name.
        if !socket.is_internet() {
            return match socket.is_unix() {
                true => listen(caller, &socket, caller.arg_i32(1)).map(Outcome::Value),
                false => Err(Outcome::Errno(Errno::OPNOTSUPP)),
            };
        }
        let address = socket.local()?;
        let backlog = caller.arg_i32(1);
        self.internet(caller, &socket, (InternetOperation::Listen, address), &[], &mut |_| {
            listen(caller, &socket, backlog)
        })
    }
}

/// Whom a peer without an address stands for (`ip_route_output_key`, `tcp_v6_connect`): an IPv4 socket's own address, if
/// it was bound to one, else loopback.
fn meant(socket: &Socket, peer: SocketAddr) -> Result<SocketAddr, Errno> {
    if !peer.ip().is_unspecified() {
        return Ok(peer);
    }
    let ip = match (peer.ip(), socket.local()?.ip()) {
        (IpAddr::V4(_), IpAddr::V4(own)) if !own.is_unspecified() => own.into(),
        (IpAddr::V6(_), IpAddr::V6(_)) => Ipv6Addr::LOCALHOST.into(),
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    Ok(SocketAddr::new(ip, peer.port()))
}

fn request<'a>(
    caller: &'a Caller<'a>,
    socket: &'a Socket,
    (operation, address): (InternetOperation, SocketAddr),
) -> Result<InternetRequest<'a>, Errno> {
    Ok(InternetRequest {
        caller,
        socket: socket.fd.as_fd(),
        inode: socket.inode()?,
        operation,
        transport: socket.transport()?,
        address,
        v6: socket.domain == rustix::net::AddressFamily::INET6,
    })
}

/// One without an address gets one from the kernel; no rights are asked for.
fn listen(caller: &Caller<'_>, socket: &Socket, backlog: i32) -> Result<i64, Outcome> {
    if !caller.still_valid() {
        return Err(Outcome::Answered);
    }
    rustix::net::listen(&socket.fd, backlog)?;
    Ok(0)
}
