//! Engines: what holds a session's rules on the network.

mod connections;
mod kernel;
mod notify;
mod private;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use agentsh_policy::Policy;

pub use connections::{Connections, Listener};
pub use kernel::{Kernel, Leaves};
pub use notify::Notify;
pub use private::PrivateEngine;

use crate::gate::Flow;
use crate::own::Owner;
use crate::wall::Event;

/// Why an engine does not hold a session: then there is no session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    #[error("the kernel does not tell of ends of connections (sock_diag): {0}")]
    Diag(#[source] std::io::Error),
    #[error("no thread can be started: {0}")]
    Thread(#[source] std::io::Error),
    #[error("out of descriptors: {0}")]
    Descriptors(#[source] std::io::Error),
    #[error("the kernel does not tell of changes of addresses (rtnetlink): {0}")]
    Addresses(#[source] std::io::Error),
    #[error("the wall in the kernel: {0}")]
    Wall(#[from] agentsh_ebpf::WallError),
}

/// What an engine did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Ends that were told.
    pub closed: u64,
    /// What could not be told. Nothing passed because of that.
    pub lost: u64,
}

/// Who records what an engine sees.
pub trait Told: Send + Sync {
    /// A connection has ended.
    fn closed(&self, closed: &Closed<'_>);

    /// So many events of this kind could not be told.
    fn lost(&self, count: u64, what: &str);

    /// The kernel has stopped something that was not judged.
    fn stopped(&self, event: &Event);

    /// The kernel has let a connection through, by this rule of the policy; `audited`: its decision is `audit`.
    fn passed(&self, event: &Event, rule: Option<&str>, audited: bool);

    /// A connection has carried more than its rule lets it carry, and is to be cut.
    fn exceeded(&self, exceeded: &Exceeded<'_>);

    /// Something was sent to `to` that was not judged, and went no further.
    fn stray(&self, udp: bool, to: SocketAddr);
}

/// Holds the rules of one session from [`Engine::start`] to [`Engine::stop`]. What it cannot judge it denies.
pub trait Engine: Send + Sync {
    /// Its name in plans and records.
    fn name(&self) -> &'static str;

    /// Begins; events go to `told`.
    ///
    /// # Errors
    /// What is missing: a session whose plan needs this engine does not start.
    fn start(&self, told: Arc<dyn Told>) -> Result<(), EngineError>;

    /// Puts rules in force, at the beginning and whenever they change.
    ///
    /// # Errors
    /// Those that cannot be held; the old ones stay in force.
    fn apply(&self, policy: &Arc<Policy>) -> Result<(), EngineError>;

    /// Takes in a control group, by its folder in the v2 hierarchy, before anybody is in it. It is held until the folder
    /// is removed.
    ///
    /// # Errors
    /// The group is not held then, and nobody may get into it.
    fn enclose(&self, _folder: &Path) -> Result<(), EngineError> {
        Ok(())
    }

    /// Tells what has happened until now.
    fn settle(&self) {}

    /// Whether the kernel judges this by itself and lets it through, on the socket with this `SO_COOKIE`: then it is the
    /// caller's own affair, and told by [`Told::passed`].
    fn holds(&self, _flow: &Flow, _cookie: u64) -> bool {
        false
    }

    /// What it did so far.
    fn counters(&self) -> Counters;

    /// Ends. What is still connected stays as it is.
    fn stop(&self);
}

/// A connection that was let through.
#[derive(Debug, Clone)]
pub struct Connection {
    pub owner: Owner,
    pub remote: SocketAddr,
    pub host: Option<Arc<str>>,
    pub rule: Option<Arc<str>>,
    pub udp: bool,
    /// Whether somebody else made it, to a listener of the session.
    pub incoming: bool,
    /// What it may carry both ways together.
    pub max_bytes: Option<u64>,
}

/// The end of one.
#[derive(Debug)]
pub struct Closed<'a> {
    pub connection: &'a Connection,
    /// `SO_COOKIE` of its socket.
    pub cookie: u64,
    /// Sent and received, without headers and repetitions; that the peer has ended its stream counts as a byte of it.
    /// The kernel does not count datagrams.
    pub bytes: Option<(u64, u64)>,
}

/// A connection that has used up what its rule grants.
#[derive(Debug)]
pub struct Exceeded<'a> {
    pub connection: &'a Connection,
    /// `SO_COOKIE` of its socket.
    pub cookie: u64,
    /// Its inode in sockfs.
    pub inode: u64,
    /// What it has carried both ways.
    pub bytes: u64,
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), EngineError> {
    let thread = thread::Builder::new().name(name.into()).stack_size(256 << 10);
    thread.spawn(work).map_err(EngineError::Thread).map(drop)
}
