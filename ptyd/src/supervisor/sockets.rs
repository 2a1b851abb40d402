//! Socket calls of one command: our own sockets lead to this supervisor, Unix endpoints are judged, the
//! rest is recorded.

use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use agentsh_audit::{Decision, EventDraft, EventType, Outcome};
use agentsh_intercept::{
    self as intercept, Act, BindRequest, Caller, ConnectRequest, Errno, Holder, InternetRequest, OwnSocket, Peer,
    SocketDecision, SocketJudge, UnixOperation,
};
use agentsh_policy::{Decision as PolicyDecision, FileOp, Subject, UnixAddress, UnixOp, Verdict};

use super::approvals::{Answered, Ask, Bound};
use super::control::Notice;
use super::execs::decision_of;
use super::inside::Insider;
use super::judge::CommandJudge;

fn operation(request: &ConnectRequest<'_>) -> (UnixOp, EventType) {
    match request.operation {
        UnixOperation::Connect => (UnixOp::Connect, EventType::UnixConnect),
        UnixOperation::Send => (UnixOp::SendTo, EventType::UnixSend),
    }
}

/// A name of a Unix socket as policy and record write it.
struct Named<'a> {
    address: UnixAddress<'a>,
    text: Vec<u8>,
    /// How a refusal looks: for a file, as one without the right to write to it; for an abstract name, as a
    /// Landlock scope refuses it.
    refusal: Errno,
}

fn named(peer: &Peer) -> Option<Named<'_>> {
    match peer {
        Peer::Path(path) => {
            let bytes = path.as_os_str().as_bytes();
            Some(Named {
                address: UnixAddress::Path(bytes),
                text: bytes.to_owned(),
                refusal: Errno::ACCESS,
            })
        }
        Peer::Abstract(name) => Some(Named {
            address: UnixAddress::Abstract(name),
            text: [b"@".as_slice(), name].concat(),
            refusal: Errno::PERM,
        }),
        Peer::Other(_) => None,
    }
}

/// The sockets of nscd, systemd-resolved and avahi, through which any name could be asked for.
fn resolves_names(path: &[u8]) -> bool {
    ["/run/nscd/", "/run/systemd/resolve/", "/run/avahi-daemon/"]
        .iter()
        .any(|folder| path.starts_with(folder.as_bytes()))
}

fn message(operation: &str, named: &Named<'_>, verdict: &Verdict<'_>) -> Option<String> {
    verdict.message(&Subject {
        path: &named.text,
        operation,
        ..Subject::default()
    })
}

impl CommandJudge {
    /// Who listens there; what cannot be known is somebody else's.
    fn holder(&self, request: &ConnectRequest<'_>) -> Holder {
        let endpoints = &self.session().shared.endpoints;
        let holder = match (&request.peer, &request.file) {
            (Peer::Path(path), Some(stat)) => endpoints.of_file(stat, path),
            (Peer::Abstract(name), _) => endpoints.of_name(name),
            _ => return Holder::Foreign,
        };
        holder.unwrap_or_else(|error| {
            tracing::warn!("the kernel does not list unix sockets ({error}): all count as foreign");
            Holder::Foreign
        })
    }

    /// The canonical path under which somebody else bound what is meant, if that is known.
    fn bound_as(&self, request: &ConnectRequest<'_>) -> Option<Vec<u8>> {
        let bound = self.session().shared.endpoints.bound_as(request.file.as_ref()?);
        let bound = bound.ok().flatten()?;
        let folder = bound.parent().and_then(|folder| std::fs::canonicalize(folder).ok());
        let path = folder
            .zip(bound.file_name())
            .map_or_else(|| bound.clone(), |(folder, name)| folder.join(name));
        Some(path.into_os_string().into_encoded_bytes())
    }

    /// Records a denial and makes it one.
    fn refuse(
        &self,
        kind: EventType,
        operation: &str,
        caller: &Caller<'_>,
        named: &Named<'_>,
        verdict: &Verdict<'_>,
    ) -> SocketDecision {
        let message = message(operation, named, verdict);
        self.refused((kind, operation), caller, named, verdict, (message.as_deref(), None))
    }

    /// Names go through the session's own resolver, whatever a policy says of sockets.
    fn refuse_resolver(
        &self,
        what: (EventType, &str),
        caller: &Caller<'_>,
        named: &Named<'_>,
        verdict: &Verdict<'_>,
    ) -> SocketDecision {
        let mut verdict = *verdict;
        verdict.decision = PolicyDecision::Deny;
        verdict.rule = Some("session-resolver");
        let message = "names are resolved by the session's own resolver";
        self.refused(what, caller, named, &verdict, (Some(message), None))
    }

    fn refused(
        &self,
        (kind, operation): (EventType, &str),
        caller: &Caller<'_>,
        named: &Named<'_>,
        verdict: &Verdict<'_>,
        (message, approval): (Option<&str>, Option<&str>),
    ) -> SocketDecision {
        self.note(EventDraft {
            path: Some(&named.text),
            operation: Some(operation),
            policy: Some(Outcome {
                effective: Decision::Deny,
                message,
                approval,
                ..Outcome::plain(decision_of(verdict), verdict.rule)
            }),
            result: Some(named.refusal.raw_os_error()),
            ..self.draft(kind, caller.process_id())
        });
        SocketDecision::Deny(named.refusal)
    }

    /// Asks a person about an endpoint, once in a session.
    fn ask(
        &self,
        kind: EventType,
        operation: &str,
        caller: &Caller<'_>,
        named: &Named<'_>,
        verdict: &Verdict<'_>,
    ) -> SocketDecision {
        let ask = Ask {
            bound: Bound::endpoint(operation, &named.text, verdict.rule),
            command: Some(self.command()),
            pid: caller.process_id(),
            message: message(operation, named, verdict),
            timeout: verdict.timeout,
        };
        caller.will_block();
        match self.session().ask(&ask, &|| caller.interruption()) {
            Answered::Yes(_) => SocketDecision::Allow,
            Answered::No(id, why) => {
                self.refused((kind, operation), caller, named, verdict, (Some(&why), id.as_deref()))
            }
            Answered::Interrupted(seen) => SocketDecision::Interrupted(seen),
        }
    }
}

impl CommandJudge {
    /// A socket in a folder of ours, whatever policy says.
    fn refuse_ours(&self, caller: &Caller<'_>, named: &Named<'_>) -> SocketDecision {
        self.note(EventDraft {
            path: Some(&named.text),
            operation: Some("bind"),
            policy: Some(Outcome::deny(Some("agentsh-itself"), None)),
            result: Some(Errno::ACCESS.raw_os_error()),
            ..self.draft(EventType::UnixBind, caller.process_id())
        });
        SocketDecision::Deny(Errno::ACCESS)
    }
}

impl SocketJudge for CommandJudge {
    fn connect(&self, request: &ConnectRequest<'_>) -> SocketDecision {
        // Netlink: the filter lets through only what tells of this machine.
        let Some(mut named) = named(&request.peer) else {
            return SocketDecision::Allow;
        };
        let rules = self.session().rules();
        let (op, kind) = operation(request);
        if let UnixAddress::Path(path) = named.address
            && let Some(verdict) = rules.hidden(path)
        {
            named.refusal = Errno::NOENT;
            return self.refuse(kind, op.word(), request.caller, &named, &verdict);
        }
        let mut verdict = rules.policy.unix_socket(op, named.address);
        // By the name that its owner gave it as well: a file can be linked and moved to where more is allowed.
        let bound = match verdict.decision.passes() && rules.policy.stops_sockets() {
            true => self.bound_as(request),
            false => None,
        };
        if let Some(bound) = &bound {
            let by_bound = rules.policy.unix_socket(op, UnixAddress::Path(bound));
            if !by_bound.decision.passes() {
                verdict = by_bound;
                named.address = UnixAddress::Path(bound);
                named.text.clone_from(bound);
            }
        }
        if let UnixAddress::Path(path) = named.address
            && resolves_names(path)
        {
            return self.refuse_resolver((kind, op.word()), request.caller, &named, &verdict);
        }
        if verdict.decision.passes() {
            return SocketDecision::Allow;
        }
        match (self.holder(request), &request.peer) {
            (Holder::Own, _) => SocketDecision::Allow,
            // As the kernel says it; nothing is tried, so that nobody can come in between.
            (Holder::Nobody, _) => SocketDecision::Deny(Errno::CONNREFUSED),
            (Holder::Foreign, _) if verdict.decision == PolicyDecision::Approve => {
                self.ask(kind, op.word(), request.caller, &named, &verdict)
            }
            (Holder::Foreign, _) => self.refuse(kind, op.word(), request.caller, &named, &verdict),
        }
    }

    fn bind(&self, request: &BindRequest<'_>) -> SocketDecision {
        let Some(mut named) = named(&request.at) else {
            return SocketDecision::Allow;
        };
        let rules = self.session().rules();
        let mut verdict = rules.policy.unix_socket(UnixOp::Bind, named.address);
        if verdict.decision.passes() && request.listens {
            // A socket of such a kind is good for nothing else: listen(2) itself is not asked about.
            let listen = rules.policy.unix_socket(UnixOp::Listen, named.address);
            if !listen.decision.passes() {
                verdict = listen;
            }
        }
        if verdict.decision.passes()
            && let UnixAddress::Path(path) = named.address
        {
            if super::own::is_ours(&self.session().account, Path::new(OsStr::from_bytes(path))) {
                return self.refuse_ours(request.caller, &named);
            }
            let file = rules.policy.file(FileOp::Create, path);
            if !file.decision.passes() {
                verdict = file;
                named.refusal = Errno::from_raw_os_error(file.errno.number());
            }
        }
        if verdict.decision == PolicyDecision::Approve {
            match self.ask(EventType::UnixBind, "bind", request.caller, &named, &verdict) {
                SocketDecision::Allow => {}
                other => return other,
            }
        } else if !verdict.decision.passes() {
            return self.refuse(EventType::UnixBind, "bind", request.caller, &named, &verdict);
        }
        self.note(EventDraft {
            path: Some(&named.text),
            operation: Some("bind"),
            policy: Some(Outcome::plain(decision_of(&verdict), verdict.rule)),
            ..self.draft(EventType::UnixBind, request.caller.process_id())
        });
        SocketDecision::Allow
    }

    fn enter_walls(&self) -> Result<(), Errno> {
        let entered = agentsh_sandbox::ruleset::enter_thread(self.ruleset.as_fd());
        entered.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::ACCESS))
    }

    fn connected(&self, request: &ConnectRequest<'_>, result: Result<(), Errno>) {
        let remote;
        let named = named(&request.peer);
        let rules = self.session().rules();
        let (op, kind) = operation(request);
        let pid = request.caller.process_id();
        let approvals = &self.session().approvals;
        let approval = named
            .as_ref()
            .and_then(|named| approvals.decided(pid, op.word(), &named.text));
        let mut draft = match (&named, &request.peer) {
            (Some(named), _) => {
                let verdict = rules.policy.unix_socket(op, named.address);
                EventDraft {
                    path: Some(&named.text),
                    // What policy stops and was let through is the session's own.
                    policy: Some(match verdict.decision {
                        decision if decision.passes() => Outcome::plain(decision_of(&verdict), verdict.rule),
                        PolicyDecision::Approve if approval.is_some() => Outcome {
                            effective: Decision::Allow,
                            approval: approval.as_deref(),
                            ..Outcome::plain(Decision::Approve, verdict.rule)
                        },
                        _ => Outcome::allow(Some("own-endpoint")),
                    }),
                    ..self.draft(kind, pid)
                }
            }
            (None, peer) => {
                remote = match peer {
                    Peer::Other(family) => format!("family {family}"),
                    Peer::Path(_) | Peer::Abstract(_) => String::new(),
                };
                EventDraft {
                    remote: Some(&remote),
                    policy: Some(Outcome::allow(None)),
                    ..self.draft(EventType::NetConnect, pid)
                }
            }
        };
        draft.operation = Some(op.word());
        draft.result = Some(result.err().map_or(0, Errno::raw_os_error));
        self.note(draft);
    }

    fn internet(&self, request: &InternetRequest<'_>, act: &mut Act<'_>) -> intercept::Outcome {
        self.judge_internet(request, act)
    }

    fn is_held(&self, request: &InternetRequest<'_>) -> bool {
        self.is_held_below(request)
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
