//! Rules on Internet sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::compile::{Cidr, Common, Compiler};
use super::{Layer, Policy, RuleRef, Verdict};
use crate::error::LoadError;
use crate::glob::Glob;
use crate::model::NetworkRule;
use crate::words::{Decision, List, NetOp, Protocol};

/// An operation on an Internet socket.
#[derive(Debug, Clone, Copy)]
pub struct NetworkQuery<'a> {
    pub operation: NetOp,
    /// `Any`: a transport that is neither, which a rule for one of them is not about.
    pub protocol: Protocol,
    /// The name that was asked for, if it is known. Case and a dot at the end do not matter.
    pub host: Option<&'a str>,
    /// The address that is really dialled.
    pub address: Option<IpAddr>,
    pub port: u16,
}

#[derive(Debug)]
pub(crate) enum Domain {
    Name(Glob),
    Address(IpAddr),
}

#[derive(Debug)]
pub(crate) struct CompiledNetwork {
    pub common: Common,
    /// `None`: any. A list that lost all its entries (no value for a variable) matches nothing.
    domains: Option<Vec<Domain>>,
    pub(super) ports: Vec<u16>,
    pub(super) cidrs: Vec<Cidr>,
    pub(super) protocol: Protocol,
    pub operations: Vec<NetOp>,
    pub(super) max_bytes: Option<u64>,
    pub(super) max_per_minute: Option<u32>,
}

/// The name of this machine to itself, on loopback.
const LOCALHOST: &str = "localhost";

/// The longest host name (RFC 1035), in bytes.
const MAX_HOST: usize = 253;

/// A host name in lower case, on the stack.
pub(super) struct Host {
    bytes: [u8; MAX_HOST],
    length: usize,
}

impl Host {
    /// `None` for what cannot be a host name: no rule on names matches it.
    pub(super) fn new(name: &str) -> Option<Host> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let mut host = Host {
            bytes: [0; MAX_HOST],
            length: name.len(),
        };
        host.bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        host.bytes.make_ascii_lowercase();
        Some(host)
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl CompiledNetwork {
    pub fn compile(compiler: Compiler<'_>, rule: &NetworkRule) -> Result<CompiledNetwork, LoadError> {
        let mut domains = Vec::new();
        for text in &rule.domains {
            let mut lower = text.clone();
            if !text.contains("${") {
                lower.value = text.trim_end_matches('.').to_ascii_lowercase();
            }
            if let Ok(address) = lower.trim_matches(['[', ']']).parse() {
                domains.push(Domain::Address(address));
            } else if lower.contains('/')
                || (lower.contains(':') && !lower.contains("${"))
                || lower.contains(char::is_whitespace)
                || lower.is_empty()
            {
                let error = compiler
                    .source
                    .error(text.range(), format!("`{}` is no host name", text.value));
                return Err(error
                    .expecting("a name or a glob such as `*.example.org`")
                    .suggesting("ports go to `ports`, address ranges to `cidrs`"));
            } else {
                domains.extend(compiler.name_glob(&lower, b'.')?.map(Domain::Name));
                if lower.value == LOCALHOST {
                    // Nobody asks a resolver for it (RFC 6761, 6.3).
                    let addresses = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
                    domains.extend(addresses.map(Domain::Address));
                }
            }
        }
        let mut cidrs = Vec::new();
        for text in &rule.cidrs {
            let error = || {
                compiler
                    .source
                    .error(text.range(), format!("`{}` is no address range", text.value))
            };
            cidrs.push(Cidr::parse(text).ok_or_else(|| error().expecting("such as `10.0.0.0/8` or `fd00::/8`"))?);
        }
        if let Some(port) = rule.ports.iter().find(|port| port.value == 0) {
            return Err(compiler
                .source
                .error(port.range(), "0 is no port")
                .expecting("1 to 65535"));
        }
        Ok(CompiledNetwork {
            common: Common::new(&rule.name, rule.decision.value, rule.message.as_ref(), rule.timeout),
            domains: (!rule.domains.is_empty()).then_some(domains),
            ports: rule.ports.iter().map(|port| port.value).collect(),
            cidrs,
            protocol: rule.protocol.unwrap_or(Protocol::Any),
            operations: rule.operations.clone(),
            max_bytes: rule.max_bytes.map(|size| size.0).filter(|size| *size > 0),
            max_per_minute: rule.max_per_minute.filter(|count| *count > 0),
        })
    }

    fn matches(&self, query: &NetworkQuery<'_>, host: Option<&[u8]>) -> bool {
        let protocol = self.protocol == Protocol::Any || self.protocol == query.protocol;
        protocol
            && (self.operations.is_empty() || self.operations.contains(&query.operation))
            && (self.ports.is_empty() || self.ports.contains(&query.port))
            && (self.cidrs.is_empty() || query.address.is_some_and(|address| self.names_address(address)))
            && self.domains.as_ref().is_none_or(|domains| {
                domains.iter().any(|domain| match domain {
                    Domain::Name(glob) => host.is_some_and(|host| glob.is_match(host)),
                    Domain::Address(known) => query
                        .address
                        .is_some_and(|address| address.to_canonical() == known.to_canonical()),
                })
            })
    }

    /// Whether the rule is about hosts by their names.
    pub(super) fn has_names(&self) -> bool {
        self.domains.is_some()
    }

    /// Whether one of its names matches.
    pub(super) fn names_host(&self, host: &[u8]) -> bool {
        let names = |domain: &Domain| matches!(domain, Domain::Name(glob) if glob.is_match(host));
        self.domains.iter().flatten().any(names)
    }

    /// The ranges that a peer must be in, and whether it must have a name besides; `None` where single addresses stand
    /// among names or beside ranges, or where a range is written so that no address is in it.
    pub(super) fn as_ranges(&self) -> Option<(Vec<(IpAddr, u8)>, bool)> {
        let mut ranges: Vec<(IpAddr, u8)> = self.cidrs.iter().map(Cidr::parts).collect();
        let domains = self.domains.iter().flatten();
        let single: Vec<IpAddr> = domains
            .filter_map(|domain| match domain {
                Domain::Address(address) => Some(address.to_canonical()),
                Domain::Name(_) => None,
            })
            .collect();
        let all = self.domains.as_ref().map_or(0, Vec::len);
        let named = self.domains.is_some() && single.is_empty();
        if !single.is_empty() && (single.len() != all || !ranges.is_empty()) {
            return None;
        }
        ranges.extend(
            single
                .into_iter()
                .map(|address| (address, if address.is_ipv4() { 32 } else { 128 })),
        );
        let is_mapped = |base: &IpAddr| matches!(base, IpAddr::V6(base) if base.to_ipv4_mapped().is_some());
        (!ranges.iter().any(|(base, _)| is_mapped(base))).then_some((ranges, named))
    }

    /// Whether one of its ranges holds the address.
    pub(super) fn names_address(&self, address: IpAddr) -> bool {
        self.cidrs.iter().any(|cidr| cidr.contains(address))
    }
}

impl Policy {
    /// The rules on networks that decided so, of each policy its own.
    pub(super) fn network_rules(&self, verdict: &Verdict<'_>) -> impl Iterator<Item = (RuleRef, &CompiledNetwork)> {
        let places = verdict.deciding.into_iter().flatten();
        places.filter_map(|place| Some((place, self.layers.get(place.layer)?.network.get(place.index)?)))
    }

    /// How many connections these rules let through in a minute, each of them.
    pub fn rates(&self, verdict: &Verdict<'_>) -> impl Iterator<Item = (RuleRef, u32)> {
        self.network_rules(verdict)
            .filter_map(|(place, rule)| Some((place, rule.max_per_minute?)))
    }

    /// Whether rules or defaults on internet or unix sockets ask people.
    pub fn asks_on_sockets(&self) -> bool {
        let asks = |decision: &Decision| *decision == Decision::Approve;
        self.layers.iter().any(|layer| {
            let network = layer.network.iter().map(|rule| &rule.common.decision);
            let unix = layer.unix_sockets.iter().map(|rule| &rule.common.decision);
            let defaults = layer.defaults.network.iter().chain(&layer.defaults.unix_socket);
            network.chain(unix).chain(defaults).any(asks)
        })
    }
}

impl Layer {
    pub(crate) fn network(&self, query: &NetworkQuery<'_>) -> Option<Verdict<'_>> {
        match self.network_matching(query).next() {
            Some(index) => Some(self.network_verdict(index)),
            None => self
                .defaults
                .network
                .map(|decision| Verdict::by_default(decision, List::Network, &self.name)),
        }
    }

    pub(crate) fn network_matching<'a>(&'a self, query: &'a NetworkQuery<'a>) -> impl Iterator<Item = usize> + 'a {
        let host = query.host.and_then(Host::new);
        self.network
            .iter()
            .enumerate()
            .filter_map(move |(index, rule)| rule.matches(query, host.as_ref().map(Host::name)).then_some(index))
    }

    pub(crate) fn network_verdict(&self, index: usize) -> Verdict<'_> {
        let rule = &self.network[index];
        Verdict {
            max_bytes: rule.max_bytes,
            ..rule.common.verdict(List::Network, self.place(index), &self.name)
        }
    }
}
