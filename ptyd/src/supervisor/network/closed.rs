//! Ends of connections, as the session's engine tells them, and those that are cut.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use agentsh_audit::{EventDraft, EventType, Layer, Outcome, Value};
use agentsh_netgate::{Closed, Event, Exceeded, Told};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::supervisor::session::Session;
use crate::supervisor::wall::{self, UNJUDGED};

impl Told for Session {
    fn closed(&self, closed: &Closed<'_>) {
        let connection = closed.connection;
        let remote = connection.remote.to_string();
        let mut fields = Vec::new();
        if connection.incoming {
            fields.push(("incoming", Value::Bool(true)));
        }
        if let Some((sent, received)) = closed.bytes {
            fields.push(("bytes_sent", Value::Unsigned(sent)));
            fields.push(("bytes_received", Value::Unsigned(received)));
        }
        let recorded = self.recorder.emit(EventDraft {
            command: Some(&connection.owner.command),
            pid: connection.owner.pid,
            operation: Some("close"),
            remote: Some(&remote),
            domain: connection.host.as_deref(),
            policy: Some(Outcome::allow(connection.rule.as_deref())),
            layer: Some(Layer::Notify),
            fields: &fields,
            ..EventDraft::new(EventType::NetClose)
        });
        if let Err(error) = recorded {
            tracing::error!("recording the end of a connection: {error}");
        }
    }

    fn lost(&self, count: u64, what: &str) {
        let recorded = self.recorder.emit(EventDraft {
            count,
            fields: &[("lost", Value::Text(what))],
            ..EventDraft::new(EventType::EventsLost)
        });
        if let Err(error) = recorded {
            tracing::error!("recording a loss: {error}");
        }
    }

    fn stopped(&self, event: &Event) {
        wall::tell(self, event);
    }

    fn passed(&self, event: &Event, rule: Option<&str>, audited: bool) {
        wall::tell_passed(self, event, (rule, audited));
    }

    fn stray(&self, udp: bool, to: SocketAddr) {
        let (kind, operation) = match udp {
            true => (EventType::NetSend, "send"),
            false => (EventType::NetConnect, "connect"),
        };
        let remote = to.to_string();
        let recorded = self.recorder.emit(EventDraft {
            operation: Some(operation),
            remote: Some(&remote),
            policy: Some(Outcome::deny(Some(UNJUDGED), Some(wall::MESSAGE))),
            layer: Some(Layer::Proxy),
            ..EventDraft::new(kind)
        });
        if let Err(error) = recorded {
            tracing::error!("recording what was stopped: {error}");
        }
    }

    fn exceeded(&self, exceeded: &Exceeded<'_>) {
        let connection = exceeded.connection;
        let holders = self.processes();
        let cut = holders
            .iter()
            .filter_map(|process| socket_of(process.pid, exceeded))
            .filter(|socket| rustix::net::shutdown(socket, rustix::net::Shutdown::Both).is_ok())
            .count();
        if cut == 0 {
            tracing::warn!(
                pid = connection.owner.pid,
                "a connection over its limit is nobody's any more"
            );
        }
        let remote = connection.remote.to_string();
        let recorded = self.recorder.emit(EventDraft {
            command: Some(&connection.owner.command),
            pid: connection.owner.pid,
            remote: Some(&remote),
            domain: connection.host.as_deref(),
            policy: Some(Outcome::deny(connection.rule.as_deref(), None)),
            layer: Some(Layer::Notify),
            fields: &[
                ("limit", Value::Text("max_bytes")),
                ("bytes", Value::Unsigned(exceeded.bytes)),
                ("cut", Value::Bool(cut > 0)),
            ],
            ..EventDraft::new(EventType::LimitReached)
        });
        if let Err(error) = recorded {
            tracing::error!("recording a limit: {error}");
        }
    }
}

/// A duplicate of the socket, if the process has it.
fn socket_of(pid: i32, exceeded: &Exceeded<'_>) -> Option<OwnedFd> {
    let link = format!("socket:[{}]", exceeded.inode);
    let number = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .flatten()
        .find(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == link.as_str()))?
        .file_name()
        .to_str()?
        .parse()
        .ok()?;
    let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    let socket = pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty()).ok()?;
    // Whatever stands under the number by now.
    (rustix::net::sockopt::socket_cookie(&socket).ok()? == exceeded.cookie).then_some(socket)
}
