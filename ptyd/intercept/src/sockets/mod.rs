//! Socket calls that name a peer: judged on a copy of the address, carried out on the caller's own socket.

mod address;
mod connect;
mod inside;
mod own;

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::io::Errno;

pub use address::Address;
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

/// Decides about connections of one command.
pub trait SocketJudge: Send + Sync {
    /// Decides. May block after [`Caller::will_block`], and then watches [`Caller::interruption`].
    fn connect(&self, request: &ConnectRequest<'_>) -> SocketDecision;

    /// Is told what became of it: nothing, or the error that the caller gets. `EINPROGRESS` is a success
    /// in the making.
    fn connected(&self, request: &ConnectRequest<'_>, result: Result<(), Errno>);

    /// A caller connected to one of our own sockets; the supervisor talks to it from here on. Must not block.
    fn insider(&self, socket: OwnSocket, caller: &Caller<'_>, stream: UnixStream);
}

/// Handles the socket calls of one command.
pub struct Sockets {
    locator: Arc<Locator>,
    judge: Arc<dyn SocketJudge>,
    inside: Arc<Inside>,
}

impl Sockets {
    /// The calls that it answers.
    pub const CALLS: [i64; 1] = [libc::SYS_connect];

    /// A handler for the command that `judge` knows.
    pub fn new(locator: Arc<Locator>, judge: Arc<dyn SocketJudge>, inside: Arc<Inside>) -> Self {
        Sockets { locator, judge, inside }
    }
}

impl Handler for Sockets {
    fn handle(&self, caller: &Caller<'_>) -> Outcome {
        match caller.notification().nr {
            libc::SYS_connect => self.connect(caller),
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
