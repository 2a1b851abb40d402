//! What the interception of all commands of a session shares.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use agentsh_intercept::files::{FileEngine, Tasks};
use agentsh_intercept::{Endpoints, Inside, Locator};
use agentsh_netgate::place::{Here, Place};
use agentsh_netgate::private::Private;
use agentsh_netgate::{Engine, Gate, Kernel, Leaves, Notify, PrivateEngine, Upstream};
use agentsh_sandbox::wall::Wall;
use rustix::net::{AddressFamily, SocketType, netlink};

use super::members::Members;

/// Resolution of paths, the way to our own sockets, and who belongs to the session.
pub(crate) struct Shared {
    pub members: Arc<Members>,
    pub locator: Arc<Locator>,
    pub inside: Arc<Inside>,
    /// The Unix sockets that were bound in the session.
    pub endpoints: Arc<Endpoints>,
    /// Names and internet sockets of the session.
    pub gate: Gate,
    /// The session's own network, where policy wants one.
    pub network: Option<Arc<Private>>,
    /// What holds the rules on the network.
    pub engine: Box<dyn Engine>,
    /// Why there is no wall, where policy left it to the host.
    pub no_wall: Option<String>,
    /// Made last: it knows the session.
    pub files: OnceLock<Arc<FileEngine>>,
}

/// An error with what it is about.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Shared {
    /// `folder`: the supervisor's own, out of the session's reach.
    /// `wall`: whether the kernel holds back what was not judged. `seen`: whether every connection has to be seen here,
    /// whatever policy says of it.
    pub(crate) fn new(folder: &Path, network: Option<Arc<Private>>, (wall, seen): (Wall, bool)) -> io::Result<Shared> {
        let members = Arc::new(Members::default());
        let place: Arc<dyn Place> = match &network {
            Some(network) => Arc::clone(network) as Arc<dyn Place>,
            None => Arc::new(Here),
        };
        let gate = Gate::new(Upstream::of_host(), Arc::clone(&place));
        let inner: Box<dyn Engine> = match &network {
            Some(network) => Box::new(PrivateEngine::new(Arc::clone(&gate.connections), Arc::clone(network))),
            None => Box::new(Notify::new(Arc::clone(&gate.connections), place)),
        };
        let leaves = Leaves {
            // What leaves a network of the session's own finds its way open only once it was judged.
            tables: network.is_none() && !seen,
            // Whoever asks for the wall has nothing leave that it cannot hold.
            echo: wall == Wall::Had,
        };
        let raise = |inner| Kernel::raise(inner, &gate, leaves).map(|kernel| Box::new(kernel) as Box<dyn Engine>);
        let (engine, no_wall) = match wall {
            Wall::None => (inner, None),
            Wall::Required => (raise(inner).map_err(|failed| io::Error::other(failed.error))?, None),
            Wall::Had => match raise(inner) {
                Ok(engine) => (engine, None),
                Err(failed) => (failed.inner, Some(failed.error.to_string())),
            },
        };
        let endpoints = match &network {
            Some(network) => {
                let network = Arc::clone(network);
                let diag = Some(netlink::SOCK_DIAG);
                Endpoints::elsewhere(Box::new(move || {
                    network.socket(AddressFamily::NETLINK, SocketType::RAW, diag)
                }))
            }
            None => Endpoints::default(),
        };
        Ok(Shared {
            locator: Locator::new(Arc::clone(&members) as Arc<dyn Tasks>, false)?,
            inside: Arc::new(Inside::new(folder).map_err(|errno| named(folder, &errno.into()))?),
            endpoints: Arc::new(endpoints),
            engine,
            no_wall,
            gate,
            network,
            members,
            files: OnceLock::new(),
        })
    }
}
