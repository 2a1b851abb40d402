//! Socket calls that name a peer: judged on a copy of the address, carried out on the caller's own socket.

mod address;
mod bind;
mod connect;
mod diag;
mod endpoints;
mod inside;
mod own;

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::io::Errno;

pub use address::Address;
pub use endpoints::{Endpoints, Holder};
pub use inside::Inside;
pub use own::OwnSocket;

use crate::caller::Caller;
use crate::files::resolve::Canonical;
use crate::handler::Handler;
use crate::locate::Locator;
use crate::outcome::Outcome;

/// Where a socket call leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// To the Unix socket with this canonical path.
    Path(PathBuf),
    /// To an abstract Unix socket.
    Abstract(Vec<u8>),
    /// To an internet address.
    Internet(std::net::SocketAddr),
    /// To something of another family (`AF_*`).
    Other(u16),
}

/// One connect.
pub struct ConnectRequest<'a> {
    /// The caller.
    pub caller: &'a Caller<'a>,
    /// Whom to.
    pub peer: Peer,
    /// `SOCK_*` of the caller's socket.
    pub kind: u32,
    /// Attributes of the socket file, for [`Peer::Path`].
    pub file: Option<rustix::fs::Stat>,
}

/// One bind of a Unix socket.
pub struct BindRequest<'a> {
    /// The caller.
    pub caller: &'a Caller<'a>,
    /// The name that it is to have: a path or an abstract name.
    pub at: Peer,
    /// Whether others connect to such a socket, so that it can only be bound to listen.
    pub listens: bool,
}

/// The answer of a judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketDecision {
    /// Carry it out.
    Allow,
    /// The call fails with this.
    Deny(Errno),
    /// The caller got a signal, or is gone, while a person was asked.
    Interrupted(crate::Interruption),
}

impl SocketDecision {
    /// What the caller gets.
    fn outcome(self) -> Outcome {
        match self {
            SocketDecision::Allow => Outcome::Continue,
            SocketDecision::Deny(errno) => Outcome::Errno(errno),
            SocketDecision::Interrupted(crate::Interruption::Restart) => Outcome::Restart,
            SocketDecision::Interrupted(crate::Interruption::Gone) => Outcome::Answered,
            SocketDecision::Interrupted(_) => Outcome::Errno(Errno::INTR),
        }
    }
}

/// Decides about connections of one command.
pub trait SocketJudge: Send + Sync {
    /// Decides. May block after [`Caller::will_block`], and then watches [`Caller::interruption`].
    fn connect(&self, request: &ConnectRequest<'_>) -> SocketDecision;

    /// Is told what became of it: nothing, or the error that the caller gets. `EINPROGRESS` is a success
    /// in the making.
    fn connected(&self, request: &ConnectRequest<'_>, result: Result<(), Errno>);

    /// Decides whether a Unix socket gets a name; as [`SocketJudge::connect`]. It is told of, if at all,
    /// before it happens: the kernel has the last word.
    fn bind(&self, request: &BindRequest<'_>) -> SocketDecision;

    /// A caller connected to one of our own sockets; the supervisor talks to it from here on. Must not block.
    fn insider(&self, socket: OwnSocket, caller: &Caller<'_>, stream: UnixStream);
}

/// Handles the socket calls of one command.
pub struct Sockets {
    locator: Arc<Locator>,
    judge: Arc<dyn SocketJudge>,
    inside: Arc<Inside>,
    endpoints: Arc<Endpoints>,
}

impl Sockets {
    /// The calls that it answers.
    pub const CALLS: [i64; 2] = [libc::SYS_connect, libc::SYS_bind];

    /// A handler for the command that `judge` knows. `endpoints`: those of its session.
    pub fn new(
        locator: Arc<Locator>,
        judge: Arc<dyn SocketJudge>,
        inside: Arc<Inside>,
        endpoints: Arc<Endpoints>,
    ) -> Self {
        Sockets {
            locator,
            judge,
            inside,
            endpoints,
        }
    }
}

impl Handler for Sockets {
    fn handle(&self, caller: &Caller<'_>) -> Outcome {
        match caller.notification().nr {
            libc::SYS_connect => self.connect(caller),
            libc::SYS_bind => self.bind(caller),
            _ => Err(Outcome::Errno(Errno::NOSYS)),
        }
        .unwrap_or_else(|outcome| outcome)
    }
}

/// The path of a pinned socket; one that has no name can be reached through its descriptor and is
/// compared under its last.
fn path_of(place: Canonical) -> Option<PathBuf> {
    match place {
        Canonical::At(path) | Canonical::Was(path) => Some(path),
        Canonical::Nowhere => None,
    }
}
