//! The wall in the kernel around a session's groups, where policy asks for one (`network.engine: ebpf`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use agentsh_audit::{Decision, EventDraft, EventType, Layer, Outcome};
use agentsh_netgate::{Connection, Event, Operation, Owner, What};
use agentsh_policy::Policy;
use agentsh_policy::model::NetworkEngine;

use super::session::Session;

/// What stands in the record as the rule for what went around the judge.
pub(super) const UNJUDGED: &str = "unjudged";
pub(super) const MESSAGE: &str = "no call for this was judged: it went around the notification";

/// Whether the policy asks for one.
pub(super) fn is_wanted(policy: &Policy) -> bool {
    policy
        .settings()
        .is_some_and(|settings| settings.file.network.engine == NetworkEngine::Ebpf)
}

/// Puts on record what the wall has stopped.
pub(super) fn tell(session: &Session, event: &Event) {
    let (kind, operation, remote) = match &event.what {
        What::Address {
            operation,
            address,
            port,
            ..
        } => {
            let (kind, word) = match operation {
                Operation::Connect => (EventType::NetConnect, "connect"),
                Operation::Bind => (EventType::NetBind, "bind"),
                Operation::Send => (EventType::NetSend, "send"),
            };
            (kind, word, SocketAddr::new(*address, *port).to_string())
        }
        What::Socket { family, kind, protocol } => (
            EventType::SyscallBlocked,
            "socket",
            format!("family {family}, type {kind}, protocol {protocol}"),
        ),
        // Programs and their ends are told by their own calls.
        What::Exec | What::Exit => return,
    };
    let command = session.groups.command_at(event.group);
    note(
        session,
        EventDraft {
            command: command.as_deref(),
            pid: i32::try_from(event.tgid).unwrap_or(0),
            operation: Some(operation),
            remote: Some(&remote),
            policy: Some(Outcome::deny(Some(UNJUDGED), Some(MESSAGE))),
            layer: Some(Layer::Ebpf),
            result: Some(libc::EPERM),
            ..EventDraft::new(kind)
        },
    );
}

/// Puts a connection on record that the kernel let through, and has its end told.
pub(super) fn tell_passed(session: &Session, event: &Event, (rule, audited): (Option<&str>, bool)) {
    let What::Address {
        address, port, cookie, ..
    } = &event.what
    else {
        return;
    };
    let command = session.groups.command_at(event.group).unwrap_or_default();
    let pid = i32::try_from(event.tgid).unwrap_or(0);
    let remote = SocketAddr::new(*address, *port);
    let gate = &session.shared.gate;
    let host = gate.pins.names(*address, Instant::now()).into_iter().next();
    let connection = Connection {
        owner: Owner {
            command: Arc::from(command.as_str()),
            pid,
        },
        remote,
        host: host.clone(),
        rule: rule.map(Arc::from),
        udp: false,
        incoming: false,
        max_bytes: None,
    };
    gate.connections.opened(*cookie, connection);
    note(
        session,
        EventDraft {
            command: Some(&command),
            pid,
            operation: Some("connect"),
            remote: Some(&remote.to_string()),
            domain: host.as_deref(),
            policy: Some(Outcome::plain(
                if audited { Decision::Audit } else { Decision::Allow },
                rule,
            )),
            layer: Some(Layer::Ebpf),
            ..EventDraft::new(EventType::NetConnect)
        },
    );
}

fn note(session: &Session, draft: EventDraft<'_>) {
    if let Err(error) = session.recorder.emit(draft) {
        tracing::error!("recording {}: {error}", draft.kind.as_str());
    }
}
