//! The wall in the kernel around a session's groups, where policy asks for one (`network.engine: ebpf`).

use std::net::SocketAddr;

use agentsh_audit::{EventDraft, EventType, Layer, Outcome};
use agentsh_netgate::{Event, Operation, What};
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

fn note(session: &Session, draft: EventDraft<'_>) {
    if let Err(error) = session.recorder.emit(draft) {
        tracing::error!("recording {}: {error}", draft.kind.as_str());
    }
}
