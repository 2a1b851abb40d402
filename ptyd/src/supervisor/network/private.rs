//! A network of the session's own, where policy wants one (`network.namespace: private`).

use std::process::{Command, ExitCode};
use std::sync::Arc;

use agentsh_audit::{EventDraft, EventType, Value};
use agentsh_netgate::private::{self, Private};
use agentsh_policy::Policy;
use agentsh_policy::model::NetworkNamespace;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::supervisor::session::Session;
use crate::sys;

/// Whether the policy wants one.
pub(crate) fn is_private(policy: &Policy) -> bool {
    policy
        .settings()
        .is_some_and(|settings| settings.file.network.namespace == NetworkNamespace::Private)
}

/// Makes the network of a session.
pub(crate) fn make() -> Result<Arc<Private>, String> {
    // Every relayed connection takes a descriptor more.
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(errno) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!("the limit of descriptors stays: {errno}");
    }
    let mut helper = Command::new("/proc/self/exe");
    helper.arg("hold-network").env_clear();
    Private::make(helper)
        .map(Arc::new)
        .map_err(|error| format!("network.namespace is private: {error}"))
}

/// The life of the process that holds a network.
pub(crate) fn hold() -> ExitCode {
    match sys::inherited(0).and_then(private::hold) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Opens the host's ports that lead to servers of the session. One that somebody else has is told of: nothing is
/// less safe without it.
pub(crate) fn forward(session: &Session) {
    let Some(network) = &session.shared.network else { return };
    let rules = session.rules();
    let settings = rules.policy.settings();
    let ports = settings.iter().flat_map(|settings| &settings.file.network.forward);
    for port in ports.map(|port| port.value) {
        let Err(error) = private::forward(network, port) else {
            continue;
        };
        let lost = format!("network.forward: port {port}: {error}");
        let draft = EventDraft {
            fields: &[("not_held", Value::List(&[&lost]))],
            ..EventDraft::new(EventType::SandboxDegraded)
        };
        if let Err(error) = session.recorder.emit(draft) {
            tracing::error!("recording that a port is not forwarded: {error}");
        }
    }
}
