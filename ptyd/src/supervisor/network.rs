//! Operations of one command on internet sockets: policy, people and record, through the session's gate.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agentsh_audit::{Decision as Recorded, EventDraft, EventType, Outcome as Policy};
use agentsh_intercept::{Act, Errno, InternetOperation, InternetRequest, Outcome, SocketDecision};
use agentsh_netgate::{Flow, Holder, Owner, Ruling, Transport, is_machine};
use agentsh_policy::{Decision, NetOp, Subject};

use super::approvals::{Answered, Ask, Bound};
use super::execs::decision_of;
use super::judge::CommandJudge;
use super::sockets::process;

/// What stands in the record for an endpoint that the session made itself.
const OWN: &str = "own-endpoint";

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
        let owner = Owner {
            command: Arc::from(self.judge.command()),
            pid: self.pid,
        };
        if self.flow.transport == Transport::Udp || self.flow.operation != NetOp::Connect {
            self.judge.session().shared.gate.note(self.request.inode, owner);
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

fn is_local(address: SocketAddr) -> bool {
    is_machine(address.ip())
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
