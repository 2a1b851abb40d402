//! What the interception of all commands of a session shares.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use agentsh_intercept::files::{FileEngine, Tasks};
use agentsh_intercept::{Endpoints, Inside, Locator};
use agentsh_netgate::{Engine, Gate, Notify, Upstream};

use super::members::Members;
use super::wall::Raised;

/// Resolution of paths, the way to our own sockets, and who belongs to the session.
pub(crate) struct Shared {
    pub members: Arc<Members>,
    pub locator: Arc<Locator>,
    pub inside: Arc<Inside>,
    /// The Unix sockets that were bound in the session.
    pub endpoints: Arc<Endpoints>,
    /// Names and internet sockets of the session.
    pub gate: Gate,
    /// What holds the rules on the network.
    pub engine: Box<dyn Engine>,
    /// Made last: it knows the session.
    pub files: OnceLock<Arc<FileEngine>>,
    /// Where policy asks for it.
    pub wall: OnceLock<Raised>,
}

impl Shared {
    /// `folder`: the supervisor's own, out of the session's reach.
    pub(crate) fn new(folder: &Path) -> io::Result<Shared> {
        let members = Arc::new(Members::default());
        let gate = Gate::new(Upstream::of_host());
        Ok(Shared {
            locator: Locator::new(Arc::clone(&members) as Arc<dyn Tasks>, false)?,
            inside: Arc::new(Inside::new(folder)?),
            endpoints: Arc::default(),
            engine: Box::new(Notify::new(Arc::clone(&gate.connections))),
            gate,
            members,
            files: OnceLock::new(),
            wall: OnceLock::new(),
        })
    }
}
