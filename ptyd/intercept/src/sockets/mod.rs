//! Socket calls that name a peer: judged on a copy of the address, carried out on the caller's own socket.

mod address;
mod bind;
mod connect;
mod diag;
mod endpoints;
mod inside;
mod internet;
mod message;
mod netlink;
mod own;
mod send;
mod socket;

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::io::Errno;

pub use address::Address;
pub use endpoints::{Endpoints, Holder};
pub use inside::Inside;
pub use internet::{Act, InternetOperation, InternetRequest};
pub use own::OwnSocket;
pub use socket::Transport;

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
    /// To something of another family (`AF_*`).
    Other(u16),
}

/// How a socket gets to a peer that is not of an internet family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnixOperation {
    /// For good.
    Connect,
    /// With one datagram.
    Send,
}

/// One connect of a socket that is not of an internet family, or one datagram to an address.
pub struct ConnectRequest<'a> {
    /// The caller.
    pub caller: &'a Caller<'a>,
    /// What is done.
    pub operation: UnixOperation,
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
    pub fn outcome(self) -> Outcome {
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

    /// Puts the calling thread behind the command's walls, for good.
    ///
    /// # Errors
    /// Where it cannot: then nothing is to be done there.
    fn enter_walls(&self) -> Result<(), Errno>;

    /// Decides about an operation on an internet socket, has it carried out by `act` if it is to be, and says
    /// what the caller gets. May block after [`Caller::will_block`], and then watches [`Caller::interruption`].
    fn internet(&self, request: &InternetRequest<'_>, act: &mut Act<'_>) -> Outcome;

    /// Whether the kernel judges a connection on the caller's socket by itself, and lets this one through: then it is
    /// the caller's own. What it does to another address meanwhile the kernel judges as well.
    fn is_held(&self, _request: &InternetRequest<'_>) -> bool {
        false
    }

    /// A caller connected to one of our own sockets; the supervisor talks to it from here on. Must not block.
    fn insider(&self, socket: OwnSocket, caller: &Caller<'_>, stream: UnixStream);
}

/// Handles the socket calls of one command.
pub struct Sockets {
    locator: Arc<Locator>,
    judge: Arc<dyn SocketJudge>,
    inside: Arc<Inside>,
    endpoints: Arc<Endpoints>,
    /// Whether some process of the command shares its descriptors with another.
    shared_descriptors: AtomicBool,
}

impl Sockets {
    /// The calls that it answers.
    pub const CALLS: [i64; 7] = [
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_sendmsg,
        libc::SYS_sendmmsg,
        libc::SYS_sendto,
        libc::SYS_clone,
    ];

    /// Those of them that need not be notified whatever their arguments are: what follows says when.
    pub const SOMETIMES: [i64; 2] = [libc::SYS_sendto, libc::SYS_clone];

    /// A sendto matters if it carries an address in this argument …
    pub const SENDTO_ADDRESS: u32 = 4;
    /// … or if it opens a connection: flags in this argument, and the flag.
    pub const SENDTO_FLAGS: (u32, u64) = (3, libc::MSG_FASTOPEN as u64);
    /// A clone matters if descriptors are shared with what is not a thread: argument, mask, value.
    pub const CLONE_SHARES: (u32, u64, u64) = (
        0,
        (libc::CLONE_FILES | libc::CLONE_THREAD) as u64,
        libc::CLONE_FILES as u64,
    );

    /// Whether a clone shares the caller's descriptors so.
    pub(crate) fn shares(caller: &Caller<'_>) -> bool {
        let (argument, mask, value) = Sockets::CLONE_SHARES;
        caller.arg(argument as usize) & mask == value
    }

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
            shared_descriptors: AtomicBool::new(false),
        }
    }
}

impl Handler for Sockets {
    fn handle(&self, caller: &Caller<'_>) -> Outcome {
        match caller.notification().nr {
            libc::SYS_connect => self.connect(caller),
            libc::SYS_bind => self.bind(caller),
            libc::SYS_listen => self.listen(caller),
            libc::SYS_sendto | libc::SYS_sendmsg | libc::SYS_sendmmsg => self.send(caller),
            libc::SYS_clone => Ok(self.clone_call()),
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
