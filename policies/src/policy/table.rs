//! Rules on TCP connections as tables of addresses, ports and names can hold them.

use std::net::IpAddr;

use super::Policy;
use super::network::Host;
use crate::words::{Decision, NetOp, Protocol};

/// A rule, as far as it is about TCP connections; the first that matches decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRule<'p> {
    /// `None`: what holds where no rule matches.
    pub name: Option<&'p str>,
    /// Whether it is about TCP connections at all.
    pub applies: bool,
    /// Base and bits of a prefix; none is any address.
    pub cidrs: Vec<(IpAddr, u8)>,
    /// Whether only names make it match ([`Policy::named_rules`]).
    pub named: bool,
    /// None is any port.
    pub ports: &'p [u16],
    /// Whether what matches simply passes: nobody is asked, and nothing is counted.
    pub passes: bool,
    /// Whether its decision is `audit`.
    pub audits: bool,
}

impl Policy {
    /// The rules on TCP connections, in their order. `None` where more decides than addresses, ports and names: rules
    /// of several policies, connections that are led elsewhere, services that are reached by one way alone.
    pub fn connect_table(&self) -> Option<Vec<TableRule<'_>>> {
        let (base, others) = self.layers.split_first()?;
        let says_nothing = others
            .iter()
            .all(|layer| layer.network.is_empty() && layer.defaults.network.is_none());
        let leads = |layer: &super::Layer| !layer.connects.is_empty() || !layer.services.is_empty();
        if !says_nothing || self.layers.iter().any(leads) {
            return None;
        }
        let mut table = Vec::new();
        for (index, rule) in base.network.iter().enumerate() {
            let verdict = base.network_verdict(index);
            let (cidrs, named) = rule.as_ranges()?;
            table.push(TableRule {
                name: verdict.rule,
                applies: matches!(rule.protocol, Protocol::Tcp | Protocol::Any)
                    && (rule.operations.is_empty() || rule.operations.contains(&NetOp::Connect)),
                cidrs,
                named,
                ports: &rule.ports,
                passes: verdict.decision.passes() && rule.max_bytes.is_none() && rule.max_per_minute.is_none(),
                audits: verdict.decision == Decision::Audit,
            });
        }
        let otherwise = base.defaults.network.unwrap_or(Decision::Deny);
        table.push(TableRule {
            name: None,
            applies: true,
            cidrs: Vec::new(),
            named: false,
            ports: &[],
            passes: otherwise.passes(),
            audits: otherwise == Decision::Audit,
        });
        Some(table)
    }

    /// Which rules of the table match an address because it was answered for this name.
    pub fn named_rules(&self, host: &str, address: IpAddr) -> Vec<usize> {
        let Some((base, host)) = self.layers.first().zip(Host::new(host)) else {
            return Vec::new();
        };
        let matches = |(index, rule): (usize, &super::network::CompiledNetwork)| {
            let there = rule.cidrs.is_empty() || rule.names_address(address);
            (there && rule.names_host(host.name())).then_some(index)
        };
        base.network.iter().enumerate().filter_map(matches).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{NetworkQuery, Variables, parse};

    fn policy(rules: &str) -> Result<Policy, Box<dyn std::error::Error>> {
        let document = parse(&format!("version: 1\nname: t\n{rules}"), Path::new("t.yaml"))?;
        Ok(document.resolve(&Variables::default())?)
    }

    /// What the table says of a connection to an address that has this name.
    fn by_table<'p>(
        policy: &'p Policy,
        table: &[TableRule<'p>],
        host: Option<&str>,
        at: IpAddr,
        port: u16,
    ) -> (Option<&'p str>, bool) {
        let named = host.map(|host| policy.named_rules(host, at)).unwrap_or_default();
        let inside = |(base, bits): &(IpAddr, u8)| match (base, at) {
            (IpAddr::V4(base), IpAddr::V4(at)) => (base.to_bits() ^ at.to_bits()).leading_zeros() >= u32::from(*bits),
            (IpAddr::V6(base), IpAddr::V6(at)) => (base.to_bits() ^ at.to_bits()).leading_zeros() >= u32::from(*bits),
            _ => false,
        };
        let matching = table.iter().enumerate().find(|(index, rule)| {
            let there = match rule.named {
                true => named.contains(index),
                false => rule.cidrs.is_empty() || rule.cidrs.iter().any(inside),
            };
            rule.applies && there && (rule.ports.is_empty() || rule.ports.contains(&port))
        });
        matching.map_or((None, false), |(_, rule)| (rule.name, rule.passes))
    }

    #[test]
    fn the_table_says_what_the_rules_say() -> Result<(), Box<dyn std::error::Error>> {
        let policy = policy(
            "defaults: {network: allow}
network_rules:
  - {name: named, domains: ['*.example.org'], cidrs: [203.0.113.0/24], ports: [443], decision: allow}
  - {name: udp, protocol: udp, decision: deny}
  - {name: ears, operations: [bind, listen], decision: deny}
  - {name: inner, cidrs: [10.0.0.0/8, 'fd00::/8'], decision: deny}
  - {name: one, domains: [203.0.113.9], decision: audit}
  - {name: mail, ports: [25], decision: approve}
  - {name: web, domains: ['**'], ports: [80], decision: allow}
  - {name: six, cidrs: ['::/0'], decision: deny}
",
        )?;
        let table = policy.connect_table().ok_or("no table")?;
        for host in [None, Some("a.example.org"), Some("b.test")] {
            for address in [
                "203.0.113.1",
                "203.0.113.9",
                "10.1.1.1",
                "fd00::1",
                "2001:db8::1",
                "198.51.100.1",
            ] {
                for port in [25, 80, 443, 22] {
                    let at: IpAddr = address.parse()?;
                    let query = NetworkQuery {
                        operation: NetOp::Connect,
                        protocol: Protocol::Tcp,
                        host,
                        address: Some(at),
                        port,
                    };
                    let verdict = policy.network(&query);
                    assert_eq!(
                        by_table(&policy, &table, host, at, port),
                        (verdict.rule, verdict.decision.passes()),
                        "{host:?} {address} {port}"
                    );
                }
            }
        }
        Ok(())
    }

    #[test]
    fn what_a_table_cannot_say_has_none() -> Result<(), Box<dyn std::error::Error>> {
        let limited = policy("network_rules: [{name: few, max_per_minute: 3, decision: allow}]")?;
        assert!(limited.connect_table().is_some_and(|table| !table[0].passes));
        for rules in [
            "connect_redirects: [{name: r, match: x, redirect_to: 'a:1'}]",
            "network_rules: [{name: mapped, cidrs: ['::ffff:10.0.0.0/104'], decision: allow}]",
            "network_rules: [{name: mixed, domains: [10.0.0.1, a.example], decision: allow}]",
            "http_services: [{name: s, upstream: 'https://a.example', aliases: [a], rules: [{name: get, methods: [get], paths: ['/x'], decision: allow}]}]",
        ] {
            let policy = policy(rules).map_err(|error| format!("{rules}: {error}"))?;
            assert_eq!(policy.connect_table(), None, "{rules}");
        }
        Ok(())
    }
}
