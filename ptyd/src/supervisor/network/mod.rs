//! Operations of one command on internet sockets: policy, people and record, through the session's gate.

mod closed;
mod names;
mod passing;
mod private;
mod proxied;
mod redirect;
mod relayed;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agentsh_audit::{Decision as Recorded, EventDraft, EventType, Outcome as Policy};
use agentsh_intercept::{Act, Errno, InternetOperation, InternetRequest, Outcome, SocketDecision};
use agentsh_netgate::private::Private;
use agentsh_netgate::{Connection, Flow, Holder, Listener, Owner, Ruling, Transport, is_machine};
use agentsh_policy::{Decision, NetOp, Subject};
use rustix::net::sockopt::socket_cookie;

use super::approvals::{Answered, Ask, Bound};
use super::execs::decision_of;
use super::judge::CommandJudge;

pub(crate) use passing::Passing;
pub(crate) use private::hold;
pub(super) use private::{forward, is_private, make};

/// What stands in the record for an endpoint that the session made itself.
const OWN: &str = "own-endpoint";

/// What stands in the record for datagrams of a conversation that a person has agreed to.
const AGREED: &str = "agreed";

/// What stands in the record for an address with several names, of which TLS or HTTP will say which is meant.
const BY_NAME: &str = "by-name";

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
#[derive(Clone, Copy)]
struct Told<'a> {
    effective: Recorded,
    message: Option<&'a str>,
    approval: Option<&'a str>,
    rule: Option<&'a str>,
    redirect: Option<&'a str>,
    result: i32,
}

/// What lets an operation pass, if it is not its rule alone.
#[derive(Clone, Copy, Default)]
struct Leave<'a> {
    approval: Option<&'a str>,
    /// A rule of our own.
    rule: Option<&'a str>,
    /// Where it leads instead, by this rule if it is not the one that judged it.
    instead: Option<(SocketAddr, Option<&'a str>)>,
    /// Where it leads by other means than an address.
    redirect: Option<&'a str>,
    /// What the rule that leads it says.
    message: Option<&'a str>,
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
                redirect: told.redirect.map(str::as_bytes),
                ..Policy::plain(
                    match told.redirect {
                        Some(_) => Recorded::Redirect,
                        None => decision_of(verdict),
                    },
                    told.rule.or(verdict.rule),
                )
            }),
            result: Some(told.result),
            ..self.judge.draft(kind(self.flow.operation), self.pid)
        });
    }

    /// Carries it out and tells what became of it.
    fn perform(&self, act: &mut Act<'_>, leave: Leave<'_>) -> Outcome {
        let gate = &self.judge.session().shared.gate;
        if self.flow.transport == Transport::Udp || self.flow.operation != NetOp::Connect {
            gate.note(self.request.inode, self.owner());
        }
        let carried = self.carry(act, leave.instead);
        self.finish(carried, leave)
    }

    /// Tells what became of it.
    fn finish(&self, carried: Result<i64, Outcome>, leave: Leave<'_>) -> Outcome {
        let (result, outcome) = match carried {
            Ok(value) => (0, Outcome::Value(value)),
            Err(Outcome::Errno(errno)) => (errno.raw_os_error(), Outcome::Errno(errno)),
            Err(other) => (Errno::INTR.raw_os_error(), other),
        };
        if self.flow.operation == NetOp::Connect && (result == 0 || result == Errno::INPROGRESS.raw_os_error()) {
            self.watch(leave);
        }
        if let Outcome::Value(bytes) = outcome {
            self.count_sent(u64::try_from(bytes).unwrap_or(0));
        }
        if self.flow.operation == NetOp::Listen && result == 0 {
            self.listens(leave);
        }
        let led = leave.instead.map(|(to, _)| to.to_string());
        let redirect = leave.redirect.or(led.as_deref());
        self.tell(&Told {
            effective: match redirect {
                Some(_) => Recorded::Redirect,
                None => Recorded::Allow,
            },
            message: leave.message,
            approval: leave.approval,
            rule: leave.rule.or(leave.instead.and_then(|(_, rule)| rule)),
            redirect,
            result,
        });
        outcome
    }

    /// The end of the connection is to be told.
    fn watch(&self, leave: Leave<'_>) {
        let Ok(cookie) = socket_cookie(self.request.socket) else {
            return;
        };
        let connection = self.connection(leave);
        self.judge.session().shared.gate.connections.opened(cookie, connection);
    }

    /// The ends of connections that others make to it are to be told.
    fn listens(&self, leave: Leave<'_>) {
        // The kernel has picked a port if there was none.
        let local = rustix::net::getsockname(self.request.socket).and_then(SocketAddr::try_from);
        let (Ok(cookie), Ok(local)) = (socket_cookie(self.request.socket), local) else {
            return;
        };
        let listener = Listener {
            owner: self.owner(),
            local: SocketAddr::new(local.ip().to_canonical(), local.port()),
            rule: leave.rule.or(self.ruling.verdict.rule).map(Arc::from),
        };
        self.judge.session().shared.gate.connections.listens(cookie, listener);
    }

    fn connection(&self, leave: Leave<'_>) -> Connection {
        let rule = leave.rule.or(self.ruling.verdict.rule);
        Connection {
            owner: self.owner(),
            remote: self.request.address,
            host: self.ruling.host.clone(),
            rule: rule.map(Arc::from),
            udp: self.flow.transport == Transport::Udp,
            incoming: false,
            max_bytes: self.ruling.verdict.max_bytes.filter(|_| leave.rule.is_none()),
        }
    }

    fn refuse(&self, message: Option<&str>, approval: Option<&str>) -> Outcome {
        self.tell(&Told {
            effective: Recorded::Deny,
            message,
            approval,
            rule: None,
            redirect: None,
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

    /// Whether a person has agreed to an earlier datagram of the same conversation.
    fn is_agreed(&self) -> bool {
        self.flow.operation == NetOp::Send
            && socket_cookie(self.request.socket)
                .is_ok_and(|cookie| self.judge.session().shared.gate.is_agreed(cookie, self.request.address))
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
            Answered::Yes(id) => {
                if let (NetOp::Send, Ok(cookie)) = (self.flow.operation, socket_cookie(self.request.socket)) {
                    // The datagrams that follow are of the same conversation.
                    self.judge.session().shared.gate.agree(cookie, self.request.address);
                }
                let leave = Leave {
                    approval: Some(&id),
                    ..Leave::default()
                };
                self.pass(act, leave)
            }
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

    /// The service whose server this is, if nobody is to reach it by another way.
    fn reserved(&self) -> Option<String> {
        if self.flow.operation != NetOp::Connect {
            return None;
        }
        let at = self.request.address;
        self.judge.session().reserved_at(at.ip(), at.port())
    }

    /// Whether its rules have let through all that they let through in a minute.
    fn is_too_often(&self, policy: &agentsh_policy::Policy) -> Option<String> {
        let rates = &self.judge.session().shared.gate.rates;
        let limits = policy.rates(&self.ruling.verdict);
        let mut spent = limits.filter(|(place, limit)| !rates.admit((place.layer, place.index), *limit));
        spent
            .next()
            .map(|(_, limit)| format!("the rule lets {limit} through in a minute"))
    }

    /// Whether the peer is on the caller's own machine, or network, and nowhere else.
    fn is_local(&self) -> bool {
        let address = self.request.address.ip();
        match self.judge.session().shared.network {
            Some(_) => Private::has(address),
            None => is_machine(address) && !self.judge.session().shared.gate.is_of_many(address),
        }
    }

    /// What its rule lets datagrams that go with an address carry, if that is counted here and not by a relay.
    fn sends_at_most(&self) -> Option<u64> {
        let counts = self.flow.operation == NetOp::Send
            && self.flow.transport == Transport::Udp
            && self.judge.session().shared.network.is_none();
        self.ruling.verdict.max_bytes.filter(|_| counts)
    }

    fn count_sent(&self, bytes: u64) -> Option<u64> {
        self.sends_at_most()?;
        let cookie = socket_cookie(self.request.socket).ok()?;
        Some(
            self.judge
                .session()
                .shared
                .gate
                .count_sent(cookie, self.request.address, bytes),
        )
    }

    /// Whether it has carried what its rule lets it carry.
    fn is_used_up(&self) -> Option<String> {
        let limit = self.sends_at_most()?;
        // A socket that cannot be told from others counts as one that has sent it all.
        let used = self.count_sent(0).is_none_or(|sent| sent >= limit);
        used.then(|| format!("the rule lets {limit} bytes through"))
    }

    /// Whether a connection leads from a socket to itself (RFC 9293, 3.5: both ends open at once): to its own address. The
    /// kernel finds it there before anybody who comes to listen.
    fn meets_itself(&self) -> bool {
        let socket = self.request.socket;
        let local = rustix::net::getsockname(socket).and_then(SocketAddr::try_from);
        let (Transport::Tcp, NetOp::Connect, Ok(local)) = (self.flow.transport, self.flow.operation, local) else {
            return false;
        };
        let peer = self.request.address.ip();
        let from = match local.ip().to_canonical() {
            // What the kernel takes for a peer on loopback.
            IpAddr::V4(four) if four.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(six) if six.is_unspecified() && peer.is_ipv4() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(six) if six.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        local.port() == self.request.address.port() && from == peer
    }

    /// What the kernel says of a local peer where nobody is. That one itself is not tried, so that nobody can come in
    /// between. A datagram socket that had it for its peer could meet whoever comes later, and is refused.
    fn nobody(&self, act: &mut Act<'_>) -> Outcome {
        let shared = &self.judge.session().shared;
        let keeps_a_peer = self.flow.operation == NetOp::Connect && self.flow.transport == Transport::Udp;
        let vacant = match keeps_a_peer || shared.network.is_some() {
            true => None,
            false => shared.gate.vacant.instead_of(self.flow.transport, self.request.address),
        };
        match vacant.map(|vacant| act(Some(vacant))) {
            Some(Ok(value)) => Outcome::Value(value),
            Some(Err(outcome)) => outcome,
            None => Outcome::Errno(Errno::CONNREFUSED),
        }
    }

    /// Who listens at a local peer; what cannot be known is somebody else's.
    fn holder(&self) -> Option<Holder> {
        let outward = matches!(self.flow.operation, NetOp::Connect | NetOp::Send);
        if !outward || !self.is_local() {
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
    /// Whether the session's engine judges it by itself and lets it through.
    pub(super) fn is_held_below(&self, request: &InternetRequest<'_>) -> bool {
        let session = self.session();
        // Its command's ruleset was made for that.
        self.walled
            && socket_cookie(request.socket).is_ok_and(|cookie| {
                let holds = session.shared.engine.holds(&flow(request), cookie);
                if holds {
                    session.passing.begins(cookie, self.command());
                }
                holds
            })
    }

    /// What policy says. Who sends to many machines (multicast, broadcast) sends to this one as well, which matters only
    /// if somebody else listens there; a socket that has them for its peer could meet whoever comes later.
    fn ruling<'p>(&self, policy: &'p agentsh_policy::Policy, flow: &Flow) -> Ruling<'p> {
        let shared = &self.session().shared;
        let to_others = flow.operation == NetOp::Send
            && shared.network.is_none()
            && shared.gate.is_of_many(flow.address.ip())
            && shared
                .gate
                .holder(flow.transport, flow.address)
                .is_ok_and(|holder| holder != Holder::Foreign);
        match to_others {
            true => shared.gate.judge_elsewhere(policy, flow),
            false => shared.gate.judge(policy, flow),
        }
    }

    /// Judges the operation, has it carried out or not, and records it.
    pub(super) fn judge_internet(&self, request: &InternetRequest<'_>, act: &mut Act<'_>) -> Outcome {
        let rules = self.session().rules();
        let flow = flow(request);
        let ruling = self.ruling(&rules.policy, &flow);
        let judging = Judging {
            judge: self,
            request,
            flow,
            pid: request.caller.process_id(),
            ruling: &ruling,
        };
        if let Some(outcome) = judging.out_of_place() {
            return outcome;
        }
        if judging.asks_for_names() {
            return judging.steer(act);
        }
        if let Some(outcome) = judging.redirected(&rules.policy, act) {
            return outcome;
        }
        if judging.depends_on_name() {
            return judging.lead_by_name(act);
        }
        if let Some(service) = judging.reserved() {
            let message = format!("this host is reached as the service `{service}` only");
            return judging.refuse(Some(&message), None);
        }
        let by = |rule| Leave {
            rule: Some(rule),
            ..Leave::default()
        };
        if flow.operation == NetOp::Bind && request.address.port() == 0 {
            // What the kernel does for every client; that others connect is asked about by its own name.
            return judging.perform(act, by(ANY_PORT));
        }
        let decision = ruling.verdict.decision;
        if decision.passes() {
            return match judging.is_used_up().or_else(|| judging.is_too_often(&rules.policy)) {
                Some(message) => judging.refuse(Some(&message), None),
                None => judging.pass(act, Leave::default()),
            };
        }
        match judging.holder() {
            Some(Holder::Own) => return judging.perform(act, by(OWN)),
            Some(Holder::Nobody) if judging.meets_itself() => return judging.perform(act, by(OWN)),
            Some(Holder::Nobody) => return judging.nobody(act),
            Some(Holder::Foreign) | None => {}
        }
        match decision {
            Decision::Approve if judging.is_agreed() => judging.perform(act, by(AGREED)),
            Decision::Approve => judging.ask(act),
            _ => judging.refuse(judging.message().as_deref(), None),
        }
    }
}
