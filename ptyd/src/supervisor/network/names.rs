//! Names: whoever asks for one is led to the session's own resolver, which asks here what it may say and tells what
//! it said.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use agentsh_audit::{Decision as Recorded, EventDraft, EventType, Layer, Outcome as Policy, Value};
use agentsh_intercept::{Act, Errno, InternetRequest, Outcome};
use agentsh_netgate::{Court, Lookup, Transport};
use agentsh_policy::NetOp;

use super::Judging;
use crate::supervisor::session::Session;

/// Where names are asked for, whatever server is meant.
const NAMES: u16 = 53;

impl Judging<'_> {
    pub(super) fn asks_for_names(&self) -> bool {
        matches!(self.flow.operation, NetOp::Connect | NetOp::Send)
            && self.flow.transport != Transport::Other
            && self.request.address.port() == NAMES
    }

    /// The server that a socket without a peer asks: it compares where the answer comes from.
    fn asked(&self) -> Option<SocketAddr> {
        let alone = self.flow.operation == NetOp::Send && rustix::net::getpeername(self.request.socket).is_err();
        alone.then_some(self.request.address)
    }

    /// Leads to the session's own resolver.
    pub(super) fn steer(&self, act: &mut Act<'_>) -> Outcome {
        let session = self.judge.session();
        let court = Arc::clone(session) as Arc<dyn Court>;
        let resolver = match session.shared.gate.resolver(&court) {
            Ok(resolver) => resolver,
            Err(error) => {
                tracing::error!("no names: the resolver does not start: {error}");
                return self.refuse(Some("the session's resolver does not start"), None);
            }
        };
        let udp = self.flow.transport == Transport::Udp;
        match local_port(self.request) {
            Ok(port) => resolver.admit(udp, port, self.owner(), self.asked()),
            Err(errno) => return Outcome::Errno(errno),
        }
        match act(Some(resolver.endpoint(self.request.v6))) {
            Ok(value) => Outcome::Value(value),
            Err(outcome) => outcome,
        }
    }
}

/// The socket's own port; it gets one now if it has none, as the kernel would give it with the peer.
pub(super) fn local_port(request: &InternetRequest<'_>) -> Result<u16, Errno> {
    let port = |socket| -> Result<u16, Errno> {
        let address = SocketAddr::try_from(rustix::net::getsockname(socket)?).map_err(|_| Errno::AFNOSUPPORT)?;
        Ok(address.port())
    };
    match port(request.socket)? {
        0 => {
            let any: IpAddr = match request.v6 {
                true => Ipv6Addr::UNSPECIFIED.into(),
                false => Ipv4Addr::UNSPECIFIED.into(),
            };
            rustix::net::bind(request.socket, &SocketAddr::new(any, 0))?;
            port(request.socket)
        }
        port => Ok(port),
    }
}

impl Court for Session {
    fn policy(&self, look: &mut dyn FnMut(&agentsh_policy::Policy)) {
        look(&self.rules().policy);
    }

    fn told(&self, lookup: &Lookup<'_>) {
        let decision = lookup.decision.word().parse().unwrap_or(Recorded::Deny);
        let effective = match lookup.passed {
            true if decision == Recorded::Redirect => Recorded::Redirect,
            true => Recorded::Allow,
            false => Recorded::Deny,
        };
        let redirect = lookup.redirect.map(|to| to.to_string());
        let addresses: Vec<String> = lookup.addresses.iter().map(ToString::to_string).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let recorded = self.recorder.emit(EventDraft {
            command: Some(&lookup.owner.command),
            pid: lookup.owner.pid,
            operation: Some("resolve"),
            domain: Some(lookup.name),
            policy: Some(Policy {
                effective,
                message: lookup.message,
                redirect: redirect.as_ref().map(String::as_bytes),
                ..Policy::plain(decision, lookup.rule)
            }),
            layer: Some(Layer::Notify),
            fields: &[
                ("record", Value::Text(&lookup.kind)),
                ("code", Value::Text(&lookup.code)),
                ("addresses", Value::List(&addresses)),
            ],
            ..EventDraft::new(EventType::DnsQuery)
        });
        if let Err(error) = recorded {
            tracing::error!("recording a query: {error}");
        }
    }
}
