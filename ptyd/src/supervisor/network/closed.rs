//! Ends of connections, as the session's engine tells them.

use agentsh_audit::{EventDraft, EventType, Layer, Outcome, Value};
use agentsh_netgate::{Closed, Told};

use crate::supervisor::session::Session;

impl Told for Session {
    fn closed(&self, closed: &Closed<'_>) {
        let connection = closed.connection;
        let remote = connection.remote.to_string();
        let bytes = closed.bytes.map(|(sent, received)| {
            [
                ("bytes_sent", Value::Unsigned(sent)),
                ("bytes_received", Value::Unsigned(received)),
            ]
        });
        let recorded = self.recorder.emit(EventDraft {
            command: Some(&connection.owner.command),
            pid: connection.owner.pid,
            operation: Some("close"),
            remote: Some(&remote),
            domain: connection.host.as_deref(),
            policy: Some(Outcome::allow(connection.rule.as_deref())),
            layer: Some(Layer::Notify),
            fields: bytes.as_ref().map_or(&[], |fields| fields.as_slice()),
            ..EventDraft::new(EventType::NetClose)
        });
        if let Err(error) = recorded {
            tracing::error!("recording the end of a connection: {error}");
        }
    }

    fn lost(&self, count: u64) {
        let recorded = self.recorder.emit(EventDraft {
            count,
            fields: &[("lost", Value::Text("ends of connections"))],
            ..EventDraft::new(EventType::EventsLost)
        });
        if let Err(error) = recorded {
            tracing::error!("recording a loss: {error}");
        }
    }
}
