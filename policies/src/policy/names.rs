//! Host names before anybody connects: which may be asked for, and which may mean a private address.

use std::net::IpAddr;

use super::network::{CompiledNetwork, Host};
use super::{Layer, Policy, Verdict};
use crate::words::{Decision, List, NetOp, Protocol};

impl Policy {
    /// What the most that could be done with a host of this name is: a denial says that no rule could let anything
    /// reach it, so that not even its address has to be known. Rules on addresses alone are not about names.
    pub fn lookup(&self, host: &str) -> Verdict<'_> {
        self.strictest(|layer| layer.name_outlook(host))
    }

    /// Whether some rule of the user's own policy that opens this name says that it may have this address, where
    /// public names have none of the kind: the rule names both.
    pub fn name_may_mean(&self, host: &str, address: IpAddr) -> bool {
        let Some(name) = Host::new(host) else { return false };
        self.layers.first().is_some_and(|layer| {
            layer.network.iter().any(|rule| {
                let opens = !matches!(rule.common.decision, Decision::Deny);
                opens && rule.is_outward() && rule.names_host(name.name()) && rule.names_address(address)
            })
        })
    }
}

impl CompiledNetwork {
    fn is_outward(&self) -> bool {
        self.operations.is_empty()
            || self.operations.contains(&NetOp::Connect)
            || self.operations.contains(&NetOp::Send)
    }

    /// Whether the rule holds for all that could be done with a host that its names match.
    fn is_whole(&self) -> bool {
        self.ports.is_empty()
            && self.cidrs.is_empty()
            && self.protocol == Protocol::Any
            && (self.operations.is_empty() || self.operations.contains(&NetOp::Connect))
    }
}

impl Layer {
    fn name_outlook(&self, host: &str) -> Option<Verdict<'_>> {
        let name = Host::new(host);
        for (index, rule) in self.network.iter().enumerate() {
            let about = match rule.has_names() {
                true => name.as_ref().is_some_and(|name| rule.names_host(name.name())),
                false => rule.cidrs.is_empty(),
            };
            if !about || !rule.is_outward() {
                continue;
            }
            if rule.common.decision != Decision::Deny || rule.is_whole() {
                return Some(self.network_verdict(index));
            }
        }
        self.defaults
            .network
            .map(|decision| Verdict::by_default(decision, List::Network, &self.name))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Variables, parse};

    fn policy(rules: &str) -> Result<Policy, Box<dyn std::error::Error>> {
        let document = parse(
            &format!("version: 1\nname: t\nnetwork_rules:\n{rules}"),
            Path::new("t.yaml"),
        )?;
        Ok(document.resolve(&Variables::default())?)
    }

    #[test]
    fn a_name_is_known_only_where_a_rule_could_let_somebody_reach_it() -> Result<(), Box<dyn std::error::Error>> {
        let policy = policy(
            "  - {name: bad, domains: [bad.example.org], decision: deny}
  - {name: no-mail, domains: [example.org], ports: [25], decision: deny}
  - {name: web, domains: [example.org, \"*.example.org\"], ports: [443], decision: allow}
  - {name: ask, domains: [ask.example], decision: approve}
  - {name: inner, cidrs: [10.0.0.0/8], decision: allow}
  - {name: ears, operations: [bind, listen], decision: allow}
",
        )?;
        let decision = |name| policy.lookup(name).decision;
        assert_eq!(decision("Example.ORG."), Decision::Allow);
        assert_eq!(decision("a.example.org"), Decision::Allow);
        assert_eq!(decision("ask.example"), Decision::Approve);
        for name in [
            "bad.example.org",
            "a.b.example.org",
            "example.com",
            "",
            &"a.".repeat(200),
        ] {
            assert_eq!(decision(name), Decision::Deny, "{name}");
        }
        Ok(())
    }

    #[test]
    fn a_private_address_needs_a_rule_that_names_it_with_the_host() -> Result<(), Box<dyn std::error::Error>> {
        let policy = policy(
            "  - {name: web, domains: [\"*.example.org\"], decision: allow}
  - {name: inner, cidrs: [10.0.0.0/8], decision: allow}
  - {name: both, domains: [db.example.org], cidrs: [10.1.0.0/16], decision: allow}
",
        )?;
        let may = |name, address: [u8; 4]| policy.name_may_mean(name, IpAddr::from(address));
        assert!(may("db.example.org", [10, 1, 2, 3]));
        assert!(!may("db.example.org", [10, 2, 2, 3]) && !may("www.example.org", [10, 1, 2, 3]));
        Ok(())
    }
}
