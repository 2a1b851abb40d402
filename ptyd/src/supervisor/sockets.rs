//! Socket calls of one command: our own sockets lead to this supervisor, the rest is recorded.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;

use agentsh_audit::{EventDraft, EventType, Outcome};
use agentsh_intercept::{Caller, ConnectRequest, Errno, OwnSocket, Peer, SocketDecision, SocketJudge};

use super::control::Notice;
use super::inside::Insider;
use super::judge::CommandJudge;

impl SocketJudge for CommandJudge {
    /// Rules on sockets and networks are not held by this build, and listed as such: what leads to our
    /// own sockets never comes here.
    fn connect(&self, _request: &ConnectRequest<'_>) -> SocketDecision {
        SocketDecision::Allow
    }

    fn connected(&self, request: &ConnectRequest<'_>, result: Result<(), Errno>) {
        let pid = request
            .caller
            .status()
            .map_or(request.caller.tid(), |status| status.tgid);
        let remote;
        let name;
        let mut draft = match &request.peer {
            Peer::Path(path) => EventDraft {
                path: Some(path.as_os_str().as_bytes()),
                ..self.draft(EventType::UnixConnect, pid)
            },
            Peer::Abstract(bytes) => {
                name = [b"@".as_slice(), bytes].concat();
                EventDraft {
                    path: Some(&name),
                    ..self.draft(EventType::UnixConnect, pid)
                }
            }
            Peer::Internet(address) => {
                remote = address.to_string();
                EventDraft {
                    remote: Some(&remote),
                    ..self.draft(EventType::NetConnect, pid)
                }
            }
            Peer::Other(family) => {
                remote = format!("family {family}");
                EventDraft {
                    remote: Some(&remote),
                    ..self.draft(EventType::NetConnect, pid)
                }
            }
        };
        draft.operation = Some("connect");
        draft.policy = Some(Outcome::allow(None));
        draft.result = Some(result.err().map_or(0, Errno::raw_os_error));
        self.note(draft);
    }

    fn insider(&self, socket: OwnSocket, caller: &Caller<'_>, stream: UnixStream) {
        let insider = Insider {
            command: self.command().to_owned(),
            tid: caller.tid(),
        };
        self.session().tell(Notice::Inside {
            socket,
            stream,
            insider,
        });
    }
}
