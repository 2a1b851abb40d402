//! The decisions of one session.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use agentsh_policy::{Decision, NetOp, NetworkQuery, Policy, Protocol, Verdict};

use crate::address::Looked;
use crate::engine::Connections;
use crate::own::{Holder, Own, Owner};
use crate::pins::Pins;
use crate::place::Place;
use crate::rates::Rates;
use crate::resolver::{Court, Resolver, Upstream};
use crate::vacant::Vacant;

/// How a socket talks, as far as rules tell transports apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
    /// Neither: echo requests and what else there is.
    Other,
}

impl Transport {
    fn protocol(self) -> Protocol {
        match self {
            Transport::Tcp => Protocol::Tcp,
            Transport::Udp => Protocol::Udp,
            Transport::Other => Protocol::Any,
        }
    }
}

/// An operation on an internet socket.
#[derive(Debug, Clone, Copy)]
pub struct Flow {
    pub operation: NetOp,
    pub transport: Transport,
    /// The peer; for bind and listen the socket's own address.
    pub address: SocketAddr,
}

/// What policy says about a flow.
pub struct Ruling<'p> {
    pub verdict: Verdict<'p>,
    /// The name that the peer was judged by.
    pub host: Option<Arc<str>>,
    /// Whether another of the peer's names would be judged less strictly, and might pass.
    pub depends: bool,
}

/// So many agreements on datagrams are remembered.
const AGREED: usize = 4_096;

/// Senders of datagrams whose bytes are counted.
const COUNTED: usize = 16_384;

/// What is known of a session's network: names, sockets of its own.
pub struct Gate {
    /// Names by address.
    pub pins: Arc<Pins>,
    /// What was let through and has not ended.
    pub connections: Arc<Connections>,
    /// How often rules let something through.
    pub rates: Rates,
    /// Where nobody is.
    pub vacant: Vacant,
    own: Own,
    looked: Looked,
    agreed: Mutex<HashSet<(u64, SocketAddr)>>,
    sent: Mutex<HashMap<(u64, SocketAddr), u64>>,
    place: Arc<dyn Place>,
    upstream: Upstream,
    resolver: Mutex<Option<Arc<Resolver>>>,
}

impl Gate {
    /// Knows nothing yet; names are asked of `upstream`. The session's sockets are on the network `place`.
    pub fn new(upstream: Upstream, place: Arc<dyn Place>) -> Gate {
        Gate {
            pins: Arc::default(),
            connections: Arc::default(),
            rates: Rates::default(),
            vacant: Vacant::default(),
            own: Own::new(Arc::clone(&place)),
            looked: Looked::default(),
            agreed: Mutex::default(),
            sent: Mutex::default(),
            place,
            upstream,
            resolver: Mutex::default(),
        }
    }

    /// Where the session's sockets are.
    pub fn place(&self) -> &dyn Place {
        &*self.place
    }

    /// The session's resolver, started when it is needed first.
    ///
    /// # Errors
    /// If it cannot be started: then there are no names.
    pub fn resolver(&self, court: &Arc<dyn Court>) -> io::Result<Arc<Resolver>> {
        let mut slot = self.resolver.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(resolver) = slot.as_ref() {
            return Ok(Arc::clone(resolver));
        }
        let resolver = Resolver::start(
            Arc::clone(court),
            Arc::clone(&self.pins),
            self.upstream.clone(),
            Arc::clone(&self.place),
        )?;
        Ok(Arc::clone(slot.insert(resolver)))
    }

    /// Judges a flow by every name and every address that its peer has; the strictest answer holds.
    pub fn judge<'p>(&self, policy: &'p Policy, flow: &Flow) -> Ruling<'p> {
        self.judge_as(policy, flow, usize::MAX)
    }

    /// Judges a flow to many machines as one to all but this one: nobody else's socket here would have it.
    pub fn judge_elsewhere<'p>(&self, policy: &'p Policy, flow: &Flow) -> Ruling<'p> {
        self.judge_as(policy, flow, 1)
    }

    /// Whether what goes there goes to many machines, of which this is one (multicast, broadcast).
    pub fn is_of_many(&self, address: IpAddr) -> bool {
        self.looked.is_of_many(address)
    }

    /// What an address is beside what it says: a translated one is also what is inside, this machine's own also loopback.
    pub fn faces(&self, address: IpAddr) -> impl Iterator<Item = IpAddr> + Clone {
        self.looked.faces(address)
    }

    /// `faces`: so many of those that the peer's address has, its own first.
    fn judge_as<'p>(&self, policy: &'p Policy, flow: &Flow, faces: usize) -> Ruling<'p> {
        let outward = matches!(flow.operation, NetOp::Connect | NetOp::Send);
        let names = match outward {
            true => self.pins.names(flow.address.ip(), Instant::now()),
            false => Vec::new(),
        };
        let ask = |host: Option<&Arc<str>>, address: IpAddr| Ruling {
            verdict: policy.network(&NetworkQuery {
                operation: flow.operation,
                protocol: flow.transport.protocol(),
                host: host.map(|host| &**host),
                address: Some(address),
                port: flow.address.port(),
            }),
            host: host.cloned(),
            depends: false,
        };
        let mut strictest = ask(names.first(), flow.address.ip().to_canonical());
        if !outward {
            return strictest;
        }
        let faces = self.faces(flow.address.ip()).take(faces);
        let (mut mildest, mut max_bytes) = (None, strictest.verdict.max_bytes);
        for name in names.iter().map(Some).chain(names.is_empty().then_some(None)) {
            // Of one name the strictest of all faces holds.
            let mut of_name = None;
            for face in faces.clone() {
                let ruling = ask(name, face);
                let strictness = ruling.verdict.decision.strictness();
                of_name = of_name.max(Some(strictness));
                max_bytes = max_bytes.into_iter().chain(ruling.verdict.max_bytes).min();
                if strictness > strictest.verdict.decision.strictness() {
                    strictest = ruling;
                }
            }
            mildest = mildest.min(of_name).or(of_name);
        }
        let strictness = strictest.verdict.decision.strictness();
        // It may be any of its names: the least that one of them may carry holds.
        strictest.verdict.max_bytes = max_bytes;
        // What a rule lets a connection carry is counted on the caller's own socket.
        strictest.depends = names.len() > 1
            && max_bytes.is_none()
            && mildest.is_some_and(|mildest| mildest < strictness && mildest < Decision::Deny.strictness());
        strictest
    }

    /// A person has agreed to what this socket (`SO_COOKIE`) sends to this address.
    pub fn agree(&self, cookie: u64, address: SocketAddr) {
        let mut agreed = self.agreed.lock().unwrap_or_else(PoisonError::into_inner);
        if agreed.len() >= AGREED {
            // Who sends on is asked about again.
            agreed.clear();
        }
        agreed.insert((cookie, address));
    }

    /// Whether a person has.
    pub fn is_agreed(&self, cookie: u64, address: SocketAddr) -> bool {
        let agreed = self.agreed.lock().unwrap_or_else(PoisonError::into_inner);
        agreed.contains(&(cookie, address))
    }

    /// This socket (`SO_COOKIE`) has sent so many bytes more to this address, in datagrams; how many that makes.
    pub fn count_sent(&self, cookie: u64, address: SocketAddr, bytes: u64) -> u64 {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() >= COUNTED && !sent.contains_key(&(cookie, address)) {
            // Those that have sent least lose least.
            let mut counts: Vec<u64> = sent.values().copied().collect();
            let (_, middle, _) = counts.select_nth_unstable(COUNTED / 2);
            let middle = *middle;
            sent.retain(|_, count| *count > middle);
        }
        let count = sent.entry((cookie, address)).or_default();
        *count = count.saturating_add(bytes);
        *count
    }

    /// The socket with this inode is of the session.
    pub fn note(&self, inode: u64, owner: Owner) {
        self.own.note(inode, owner);
    }

    /// Who is reached at an address of this machine.
    ///
    /// # Errors
    /// Where the kernel does not tell.
    pub fn holder(&self, transport: Transport, at: SocketAddr) -> io::Result<Holder> {
        match transport {
            Transport::Tcp => self.own.holder(false, at),
            Transport::Udp => self.own.holder(true, at),
            Transport::Other => Ok(Holder::Foreign),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use agentsh_policy::{Variables, parse};

    use super::*;

    fn policy(rules: &str) -> Result<Policy, Box<dyn std::error::Error>> {
        let text = format!("version: 1\nname: t\nnetwork_rules:\n{rules}");
        let document = parse(&text, Path::new("t.yaml")).map_err(|error| format!("{error:?}"))?;
        let resolved = document.resolve(&Variables::default());
        Ok(resolved.map_err(|error| format!("{error:?}"))?)
    }

    fn connect(gate: &Gate, policy: &Policy, address: &str) -> Decision {
        let flow = Flow {
            operation: NetOp::Connect,
            transport: Transport::Tcp,
            address: address.parse().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0))),
        };
        gate.judge(policy, &flow).verdict.decision
    }

    #[test]
    fn a_rule_on_names_opens_only_addresses_that_were_answered_for_them() -> Result<(), Box<dyn std::error::Error>> {
        let policy = policy("  - {name: all, domains: [\"**\"], ports: [443], decision: allow}\n")?;
        let gate = Gate::new(Upstream::default(), Arc::new(crate::place::Here));
        assert_eq!(connect(&gate, &policy, "203.0.113.7:443"), Decision::Deny);
        let address = IpAddr::from([203, 0, 113, 7]);
        gate.pins
            .add(&Arc::from("a.example"), address, Duration::ZERO, Instant::now());
        assert_eq!(connect(&gate, &policy, "203.0.113.7:443"), Decision::Allow);
        assert_eq!(connect(&gate, &policy, "[::ffff:203.0.113.7]:443"), Decision::Allow);
        assert_eq!(connect(&gate, &policy, "203.0.113.7:80"), Decision::Deny);
        assert_eq!(connect(&gate, &policy, "203.0.113.8:443"), Decision::Deny);
        Ok(())
    }

    #[test]
    fn the_strictest_of_an_addresss_names_decides() -> Result<(), Box<dyn std::error::Error>> {
        let policy =
            policy("  - {name: b, domains: [b.example], decision: approve}\n  - {name: rest, decision: allow}\n")?;
        let gate = Gate::new(Upstream::default(), Arc::new(crate::place::Here));
        let address = IpAddr::from([203, 0, 113, 7]);
        gate.pins
            .add(&Arc::from("b.example"), address, Duration::ZERO, Instant::now());
        gate.pins
            .add(&Arc::from("a.example"), address, Duration::ZERO, Instant::now());
        assert_eq!(connect(&gate, &policy, "203.0.113.7:443"), Decision::Approve);
        assert_eq!(connect(&gate, &policy, "203.0.113.8:443"), Decision::Allow);
        let flow = |address: &str| -> Result<Flow, std::net::AddrParseError> {
            Ok(Flow {
                operation: NetOp::Connect,
                transport: Transport::Tcp,
                address: address.parse()?,
            })
        };
        assert!(gate.judge(&policy, &flow("203.0.113.7:443")?).depends);
        assert!(!gate.judge(&policy, &flow("203.0.113.8:443")?).depends);
        Ok(())
    }

    #[test]
    fn what_leads_to_a_denied_address_is_denied_in_every_dress() -> Result<(), Box<dyn std::error::Error>> {
        let policy = policy(
            "  - {name: meta, cidrs: [169.254.169.254], decision: deny}\n  - {name: here, cidrs: [127.0.0.0/8, \"::1\"], decision: deny}\n  - {name: rest, decision: allow}\n",
        )?;
        let gate = Gate::new(Upstream::default(), Arc::new(crate::place::Here));
        for address in [
            "169.254.169.254:80",
            "[::ffff:169.254.169.254]:80",
            "[64:ff9b::a9fe:a9fe]:80",
            "[::1]:80",
            "[::ffff:7f00:1]:80",
        ] {
            assert_eq!(connect(&gate, &policy, address), Decision::Deny, "{address}");
        }
        assert_eq!(connect(&gate, &policy, "203.0.113.7:80"), Decision::Allow);
        Ok(())
    }
}
