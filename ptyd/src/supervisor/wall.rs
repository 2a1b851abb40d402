//! The wall in the kernel around a session's groups, where policy asks for one (`network.engine: ebpf`).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use agentsh_audit::{EventDraft, EventType, Layer, Outcome, Value};
use agentsh_netgate::{Event, Operation, Wall, What};
use agentsh_policy::Policy;
use agentsh_policy::model::NetworkEngine;

use super::session::Session;

/// What stands in the record as the rule.
const RULE: &str = "unjudged";
const MESSAGE: &str = "no call for this was judged: it went around the notification";

/// The wall of a session, and how many of its events are known to be lost.
pub(crate) struct Raised {
    pub wall: Wall,
    lost: AtomicU64,
}

/// Whether the policy asks for one.
pub(super) fn is_wanted(policy: &Policy) -> bool {
    policy
        .settings()
        .is_some_and(|settings| settings.file.network.engine == NetworkEngine::Ebpf)
}

/// Raises the wall of a session if it is wanted and not there.
pub(super) fn raise(session: &Session, wanted: bool) -> Result<(), String> {
    if !wanted || session.shared.wall.get().is_some() {
        return Ok(());
    }
    let wall = Wall::raise().map_err(|error| format!("network.engine is ebpf: {error}"))?;
    let raised = Raised {
        wall,
        lost: AtomicU64::new(0),
    };
    // Sessions are made and reloaded by one thread.
    let _ = session.shared.wall.set(raised);
    Ok(())
}

/// Puts on record what the wall has stopped.
pub(super) fn tell(session: &Session, raised: &Raised) {
    while let Some(event) = raised.wall.next_event() {
        tell_one(session, &event);
    }
    let lost = raised.wall.lost();
    let more = lost - raised.lost.swap(lost, Ordering::Relaxed).min(lost);
    if more > 0 {
        note(
            session,
            EventDraft {
                count: more,
                layer: Some(Layer::Ebpf),
                fields: &[("what", Value::Text("operations that the wall in the kernel stopped"))],
                ..EventDraft::new(EventType::EventsLost)
            },
        );
    }
}

fn tell_one(session: &Session, event: &Event) {
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
            policy: Some(Outcome::deny(Some(RULE), Some(MESSAGE))),
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
