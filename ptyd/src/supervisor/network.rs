//! Operations of one command on internet sockets: policy, people and record, through the session's gate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agentsh_audit::{Decision as Recorded, EventDraft, EventType, Layer, Outcome as Policy, Value};
use agentsh_intercept::{Act, Errno, InternetOperation, InternetRequest, Outcome, SocketDecision};
use agentsh_netgate::{Court, Flow, Holder, Lookup, Owner, Ruling, Transport, is_machine};
use agentsh_policy::{Decision, NetOp, Subject};

use super::approvals::{Answered, Ask, Bound};
use super::execs::decision_of;
use super::judge::CommandJudge;
use super::session::Session;
use super::sockets::process;

/// What stands in the record for an endpoint that the session made itself.
const OWN: &str = "own-endpoint";

/// What stands in the record for an address without a port, of which the kernel picks one.
const ANY_PORT: &str = "any-port";

fn flow(request: &InternetRequest<'_>) -> Flow {
    Flow {
        operation: match request.operation {
            InternetOperation::Connect => NetOp::Connect,
            InternetOperation::Bind => NetOp::Bind,
            InternetOperation::Listen => NetOp::Listen,
            InternetOperation::Send => NetOp::Send,
        },
        transport: match request.transport {
            agentsh_intercept::Transport::Tcp => Transport::Tcp,
            agentsh_intercept::Transport::Udp => Transport::Udp,
            _ => Transport::Other,
        },
        address: request.address,
    }
}

fn kind(operation: NetOp) -> EventType {
    match operation {
        NetOp::Connect => EventType::NetConnect,
        NetOp::Bind => EventType::NetBind,
        NetOp::Listen => EventType::NetListen,
        NetOp::Send => EventType::NetSend,
    }
}

/// How an operation came to be allowed or not, for the record.
struct Told<'a> {
    effective: Recorded,
    message: Option<&'a str>,
    approval: Option<&'a str>,
    rule: Option<&'a str>,
    result: i32,
}

/// One operation on its way.
struct Judging<'a> {
    judge: &'a CommandJudge,
    request: &'a InternetRequest<'a>,
    flow: Flow,
    pid: i32,
    ruling: &'a Ruling<'a>,
}

impl Judging<'_> {
    fn tell(&self, told: &Told<'_>) {
        let remote = self.request.address.to_string();
        let verdict = &self.ruling.verdict;
        self.judge.note(EventDraft {
            operation: Some(self.flow.operation.word()),
            remote: Some(&remote),
            domain: self.ruling.host.as_deref(),
            policy: Some(Policy {
                effective: told.effective,
                message: told.message,
                approval: told.approval,
                ..Policy::plain(decision_of(verdict), told.rule.or(verdict.rule))
            }),
            result: Some(told.result),
            ..self.judge.draft(kind(self.flow.operation), self.pid)
        });
    }

    /// Carries it out and tells what became of it.
    fn perform(&self, act: &mut Act<'_>, approval: Option<&str>, rule: Option<&str>) -> Outcome {
        if self.flow.transport == Transport::Udp || self.flow.operation != NetOp::Connect {
            self.judge.session().shared.gate.note(self.request.inode, self.owner());
        }
        let (result, outcome) = match act(None) {
            Ok(value) => (0, Outcome::Value(value)),
            Err(Outcome::Errno(errno)) => (errno.raw_os_error(), Outcome::Errno(errno)),
            Err(other) => (Errno::INTR.raw_os_error(), other),
        };
        self.tell(&Told {
            effective: Recorded::Allow,
            message: None,
            approval,
            rule,
            result,
        });
        outcome
    }

    fn refuse(&self, message: Option<&str>, approval: Option<&str>) -> Outcome {
        self.tell(&Told {
            effective: Recorded::Deny,
            message,
            approval,
            rule: None,
            result: Errno::ACCESS.raw_os_error(),
        });
        Outcome::Errno(Errno::ACCESS)
    }

    /// The peer as people know it.
    fn peer(&self) -> String {
        match &self.ruling.host {
            Some(host) => format!("{host}:{}", self.request.address.port()),
            None => self.request.address.to_string(),
        }
    }

    fn message(&self) -> Option<String> {
        let host = match &self.ruling.host {
            Some(host) => host.to_string(),
            None => self.request.address.ip().to_string(),
        };
        self.ruling.verdict.message(&Subject {
            host: &host,
            operation: self.flow.operation.word(),
            ..Subject::default()
        })
    }

    fn ask(&self, act: &mut Act<'_>) -> Outcome {
        let program = program(self.pid);
        let peer = self.peer();
        let parent = crate::process::parent(self.pid).map(self::program);
        let who = match parent.as_deref().map(base_name).filter(|name| !name.is_empty()) {
            Some(parent) => format!("{peer} by {}, child of {parent}", base_name(&program)),
            None => format!("{peer} by {}", base_name(&program)),
        };
        let message = self
            .message()
            .map_or(who.clone(), |message| format!("{message} ({who})"));
        let operation = self.flow.operation.word();
        let Some(bound) = Bound::network(operation, &peer, &program, self.ruling.verdict.rule) else {
            return self.refuse(Some("the program that asks cannot be told from another"), None);
        };
        let ask = Ask {
            bound,
            command: Some(self.judge.command()),
            pid: self.pid,
            message: Some(message),
            timeout: self.ruling.verdict.timeout,
        };
        let caller = self.request.caller;
        caller.will_block();
        match self.judge.session().ask(&ask, &|| caller.interruption()) {
            Answered::Yes(id) => self.perform(act, Some(&id), None),
            Answered::No(id, why) => self.refuse(Some(&why), id.as_deref()),
            Answered::Interrupted(seen) => SocketDecision::Interrupted(seen).outcome(),
        }
    }

    fn owner(&self) -> Owner {
        Owner {
            command: Arc::from(self.judge.command()),
            pid: self.pid,
        }
    }

    fn asks_for_names(&self) -> bool {
        matches!(self.flow.operation, NetOp::Connect | NetOp::Send)
            && self.flow.transport != Transport::Other
            && self.request.address.port() == NAMES
    }

    /// Leads to the session's own resolver.
    fn steer(&self, act: &mut Act<'_>) -> Outcome {
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
            Ok(port) => resolver.admit(udp, port, self.owner()),
            Err(errno) => return Outcome::Errno(errno),
        }
        match act(Some(resolver.endpoint(self.request.v6))) {
            Ok(value) => Outcome::Value(value),
            Err(outcome) => outcome,
        }
    }

    /// Who listens at a local peer; what cannot be known is somebody else's.
    fn holder(&self) -> Option<Holder> {
        let outward = matches!(self.flow.operation, NetOp::Connect | NetOp::Send);
        if !outward || !is_local(self.request.address) {
            return None;
        }
        let gate = &self.judge.session().shared.gate;
        Some(
            gate.holder(self.flow.transport, self.request.address)
                .unwrap_or_else(|error| {
                    tracing::warn!("the kernel does not list internet sockets ({error}): all count as foreign");
                    Holder::Foreign
                }),
        )
    }
}

/// Where names are asked for, whatever server is meant.
const NAMES: u16 = 53;

fn is_local(address: SocketAddr) -> bool {
    is_machine(address.ip())
}

/// The socket's own port; it gets one now if it has none, as the kernel would give it with the peer.
fn local_port(request: &InternetRequest<'_>) -> Result<u16, Errno> {
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

/// The file that a process runs.
fn program(pid: i32) -> PathBuf {
    std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default()
}

fn base_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

impl CommandJudge {
    /// Judges the operation, has it carried out or not, and records it.
    pub(super) fn judge_internet(&self, request: &InternetRequest<'_>, act: &mut Act<'_>) -> Outcome {
        let rules = self.session().rules();
        let flow = flow(request);
        let ruling = self.session().shared.gate.judge(&rules.policy, &flow);
        let judging = Judging {
            judge: self,
            request,
            flow,
            pid: process(request.caller),
            ruling: &ruling,
        };
        if judging.asks_for_names() {
            return judging.steer(act);
        }
        if flow.operation == NetOp::Bind && request.address.port() == 0 {
            // What the kernel does for every client; that others connect is asked about by its own name.
            return judging.perform(act, None, Some(ANY_PORT));
        }
        let decision = ruling.verdict.decision;
        if decision.passes() {
            return judging.perform(act, None, None);
        }
        match judging.holder() {
            Some(Holder::Own) => return judging.perform(act, None, Some(OWN)),
            // As the kernel says it; nothing is tried, so that nobody can come in between.
            Some(Holder::Nobody) => return Outcome::Errno(Errno::CONNREFUSED),
            Some(Holder::Foreign) | None => {}
        }
        match decision {
            Decision::Approve => judging.ask(act),
            _ => judging.refuse(judging.message().as_deref(), None),
        }
    }
}
