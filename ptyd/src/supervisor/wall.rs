//! The wall in the kernel around a session's groups, where the host has it or policy asks for it (`network.engine`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use agentsh_audit::{Decision, EventDraft, EventType, Layer, Outcome};
use agentsh_netgate::{Connection, Event, Operation, Owner, What};

use super::session::Session;

/// What stands in the record as the rule for what went around the judge.
pub(super) const UNJUDGED: &str = "unjudged";
pub(super) const MESSAGE: &str = "no call for this was judged: it went around the notification";

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
    };
    let cookie = match event.what {
        What::Address { cookie, .. } => cookie,
        What::Socket { .. } => 0,
    };
    let (command, pid) = whose(session, event, cookie);
    note(
        session,
        EventDraft {
            command: command.as_deref(),
            pid,
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
    let (command, pid) = whose(session, event, *cookie);
    let command = command.unwrap_or_default();
    let remote = SocketAddr::new(*address, *port);
    let gate = &session.shared.gate;
    let host = gate.pins.names(*address, Instant::now()).into_iter().next();
    let connection = Connection {
        owner: Owner {
            command: Arc::clone(&command),
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

/// The command behind an event, and the process. A command that has limits is alone in its group; of others the socket
/// says whose it is, or the process does, as long as it lives.
fn whose(session: &Session, event: &Event, cookie: u64) -> (Option<Arc<str>>, i32) {
    let pid = i32::try_from(event.tgid).unwrap_or(0);
    let passing = session.passing.told(cookie);
    let command = session.groups.command_at(event.group).map(Arc::from);
    (
        command.or(passing).or_else(|| session.shared.members.command_of(pid)),
        pid,
    )
}

fn note(session: &Session, draft: EventDraft<'_>) {
    if let Err(error) = session.recorder.emit(draft) {
        tracing::error!("recording {}: {error}", draft.kind.as_str());
    }
}
