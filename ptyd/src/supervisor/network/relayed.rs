//! What leaves a network of the session's own: the way outside is opened here, by us, before the caller's own call is
//! carried out, so that it fails as it would on the host's network.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use agentsh_intercept::{Act, Errno, Interruption, Outcome, SocketDecision};
use agentsh_netgate::private::{Excess, Far, FarDatagrams, Private};
use agentsh_netgate::{Exceeded, Told as _, Transport};
use agentsh_policy::{ConnectTarget, NetOp};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{socket_cookie, socket_error};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::names::local_port;
use super::{Judging, Leave};

/// How often the caller is looked at while it waits.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// A way for datagrams that were sent one by one ends after so long without any: the next one opens it again.
const IDLE: Duration = Duration::from_secs(120);

impl Judging<'_> {
    fn network(&self) -> Option<&Private> {
        self.judge.session().shared.network.as_deref()
    }

    fn is_outward(&self) -> bool {
        matches!(self.flow.operation, NetOp::Connect | NetOp::Send)
    }

    /// What cannot be on the session's own network: a socket of another one (it was inherited, or passed on), an
    /// address that nobody there has, and what no relay carries.
    pub(super) fn out_of_place(&self) -> Option<Outcome> {
        let network = self.network()?;
        if !network.holds(self.request.socket) {
            return Some(self.refuse(Some("the socket is of another network than the session's"), None));
        }
        let address = self.request.address.ip();
        if Private::has(address) {
            // To whom carries it out the network belongs.
            let low = self.flow.operation == NetOp::Bind && (1..1024).contains(&self.request.address.port());
            return (low && network.is_rootless())
                .then(|| self.refuse(Some("only the superuser takes ports below 1024"), None));
        }
        match (self.is_outward(), self.flow.transport) {
            (false, _) if address.is_multicast() => None,
            (false, _) => Some(Outcome::Errno(Errno::ADDRNOTAVAIL)),
            (true, Transport::Other) => Some(self.refuse(Some("only TCP and UDP leave a private network"), None)),
            (true, _) => None,
        }
    }

    /// Carries the operation out. What leaves a private network finds its way open when it comes to the relay.
    /// `instead`: where it is to lead, by this rule; what no rule leads elsewhere goes to the session's proxy, which is on
    /// the session's network.
    pub(super) fn carry(&self, act: &mut Act<'_>, instead: Option<(SocketAddr, Option<&str>)>) -> Result<i64, Outcome> {
        let outward = self.is_outward() && !Private::has(self.request.address.ip());
        let to_proxy = instead.is_some_and(|(_, rule)| rule.is_none());
        let elsewhere = instead.map(|(to, _)| to);
        let Some(network) = self.network().filter(|_| outward && !to_proxy) else {
            return act(elsewhere);
        };
        let to = elsewhere.unwrap_or(self.request.address);
        let from = local_port(self.request).map_err(Outcome::Errno)?;
        match self.flow.transport {
            Transport::Udp => self.open_datagrams(network, from, to)?,
            _ => network
                .relay()
                .permit(from, self.request.address, Far::Internet(self.dial(to)?)),
        }
        act(None)
    }

    /// A rule leads the connection to a Unix socket.
    pub(super) fn lead_relayed(
        &self,
        target: &ConnectTarget,
        (path, far): (&str, UnixStream),
        act: &mut Act<'_>,
    ) -> Outcome {
        let permit = |network: &Private| -> Result<(), Errno> {
            let from = local_port(self.request)?;
            network.relay().permit(from, self.request.address, Far::Unix(far));
            Ok(())
        };
        match self.network().map(permit) {
            Some(Ok(())) => {}
            Some(Err(errno)) => return Outcome::Errno(errno),
            None => return Outcome::Errno(Errno::NETUNREACH),
        }
        self.finish(
            act(None),
            Leave {
                rule: Some(&target.rule),
                redirect: Some(path),
                message: target.message.as_deref(),
                ..Leave::default()
            },
        )
    }

    /// What is done when a rule's `max_bytes` are used up.
    fn told_of_excess(&self) -> Excess {
        let session = Arc::clone(self.judge.session());
        let connection = self.connection(Leave::default());
        let (inode, cookie) = (self.request.inode, socket_cookie(self.request.socket).unwrap_or(0));
        Excess(Box::new(move |bytes| {
            session.exceeded(&Exceeded {
                connection: &connection,
                cookie,
                inode,
                bytes,
            });
        }))
    }

    fn open_datagrams(&self, network: &Private, from: u16, to: SocketAddr) -> Result<(), Outcome> {
        let any: SocketAddr = match to {
            SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
            SocketAddr::V6(_) => ([0u16; 8], 0).into(),
        };
        let open = || {
            let socket = UdpSocket::bind(any)?;
            // What a rule lets through may be everybody's address on this network.
            socket.set_broadcast(true)?;
            socket.connect(to)?;
            let far = FarDatagrams {
                socket,
                cookie: socket_cookie(self.request.socket)?,
                idle: (self.flow.operation == NetOp::Send).then_some(IDLE),
                max_bytes: self.ruling.verdict.max_bytes,
                exceeded: Some(self.told_of_excess()),
            };
            network.relay().permit_datagrams(from, self.request.address, far)
        };
        open().map_err(|error: std::io::Error| Outcome::Errno(Errno::from_io_error(&error).unwrap_or(Errno::IO)))
    }

    /// Connects outside; what fails is the caller's failure. A caller that does not wait gets the socket on its way.
    fn dial(&self, to: SocketAddr) -> Result<OwnedFd, Outcome> {
        let family = match to {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None).map_err(Outcome::Errno)?;
        match rustix::net::connect(&socket, &to) {
            Ok(()) => return Ok(socket),
            Err(Errno::INPROGRESS) => {}
            Err(errno) => return Err(Outcome::Errno(errno)),
        }
        let blocks = rustix::fs::fcntl_getfl(self.request.socket)
            .is_ok_and(|flags| !flags.contains(rustix::fs::OFlags::NONBLOCK));
        if !blocks {
            return Ok(socket);
        }
        let caller = self.request.caller;
        caller.will_block();
        loop {
            match poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&LOOK)) {
                Ok(0) | Err(Errno::INTR) => match caller.interruption() {
                    Interruption::None => {}
                    seen => return Err(SocketDecision::Interrupted(seen).outcome()),
                },
                Ok(_) => break,
                Err(errno) => return Err(Outcome::Errno(errno)),
            }
        }
        match socket_error(socket.as_fd()) {
            Ok(Ok(())) => Ok(socket),
            Ok(Err(errno)) | Err(errno) => Err(Outcome::Errno(errno)),
        }
    }
}
