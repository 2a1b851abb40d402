//! The engine of a network of the session's own.

use std::net::SocketAddr;
use std::sync::Arc;

use agentsh_policy::Policy;

use super::{Closed, Connections, Counters, Engine, EngineError, Exceeded, Notify, Told};
use crate::private::Private;
use crate::wall::Event;

/// Every call is judged as with [`Notify`]; what leaves goes through the network's relay, which knows what was let
/// through, and nothing else has a way out.
pub struct PrivateEngine {
    notify: Notify,
    network: Arc<Private>,
}

impl PrivateEngine {
    /// An engine for the connections of one gate.
    pub fn new(connections: Arc<Connections>, network: Arc<Private>) -> PrivateEngine {
        PrivateEngine {
            notify: Notify::new(connections, Arc::clone(&network) as Arc<_>),
            network,
        }
    }
}

impl Engine for PrivateEngine {
    fn name(&self) -> &'static str {
        "private"
    }

    fn start(&self, told: Arc<dyn Told>) -> Result<(), EngineError> {
        self.network.relay().tell(Arc::clone(&told));
        let network = Arc::clone(&self.network);
        self.notify.start(Arc::new(Ends { told, network }))
    }

    fn apply(&self, policy: &Arc<Policy>) -> Result<(), EngineError> {
        self.notify.apply(policy)
    }

    fn counters(&self) -> Counters {
        self.notify.counters()
    }

    fn stop(&self) {
        self.notify.stop();
    }
}

/// Ends go to the relay too: a socket's way out ends with it.
struct Ends {
    told: Arc<dyn Told>,
    network: Arc<Private>,
}

impl Told for Ends {
    fn closed(&self, closed: &Closed<'_>) {
        self.network.relay().ended(closed.cookie);
        self.told.closed(closed);
    }

    fn lost(&self, count: u64, what: &str) {
        self.told.lost(count, what);
    }

    fn stopped(&self, event: &Event) {
        self.told.stopped(event);
    }

    fn passed(&self, event: &Event, rule: Option<&str>, audited: bool) {
        self.told.passed(event, rule, audited);
    }

    fn exceeded(&self, exceeded: &Exceeded<'_>) {
        self.told.exceeded(exceeded);
    }

    fn stray(&self, udp: bool, to: SocketAddr) {
        self.told.stray(udp, to);
    }
}
