//! From rules to the tables of the programs: for every prefix that some rule names, which rules match there.

use std::collections::BTreeMap;

use crate::RULES;
use crate::sys::{self, AddressKey, Config, Endpoint, Mask, Place};
use crate::table::{Cidr, Operation, Rule, Table, TooMany, Transport, Verdict};

/// The contents of the maps.
#[derive(Debug)]
pub(crate) struct Compiled {
    prefixes: Vec<(Cidr, Mask)>,
    pub ports: BTreeMap<u32, Mask>,
    pub config: Config,
}

impl Mask {
    pub(crate) fn set(&mut self, rule: usize) {
        if let Some(word) = self.words.get_mut(rule / 64) {
            *word |= 1 << (rule % 64);
        }
    }

    fn of(rules: &[Rule], matches: impl Fn(&Rule) -> bool) -> Mask {
        let mut mask = Mask::default();
        for (number, _) in rules.iter().enumerate().filter(|(_, rule)| matches(rule)) {
            mask.set(number);
        }
        mask
    }

    pub(crate) fn joined(mut self, other: Mask) -> Mask {
        for (word, more) in self.words.iter_mut().zip(other.words) {
            *word |= more;
        }
        self
    }
}

fn number(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Deny => 0,
        Verdict::Allow => 1,
        Verdict::Audit => 2,
    }
}

impl Compiled {
    pub(crate) fn new(table: &Table) -> Result<Compiled, TooMany> {
        let rules = &table.rules;
        if rules.len() > RULES {
            return Err(TooMany(rules.len()));
        }
        let named = rules.iter().flat_map(|rule| rule.cidrs.iter().copied());
        let mut prefixes: Vec<(Cidr, Mask)> = Vec::new();
        for prefix in [Cidr::V6, Cidr::V4].into_iter().chain(named) {
            if prefixes.iter().any(|(known, _)| *known == prefix) {
                continue;
            }
            let covers = |rule: &Rule| match rule.cidrs.is_empty() {
                true => !rule.named,
                false => !rule.named && rule.cidrs.iter().any(|cidr| cidr.covers(&prefix)),
            };
            prefixes.push((prefix, Mask::of(rules, covers)));
        }
        let any_port = Mask::of(rules, |rule| rule.ports.is_empty());
        let mut ports = BTreeMap::new();
        for port in rules.iter().flat_map(|rule| &rule.ports) {
            let at = Mask::of(rules, |rule| rule.ports.is_empty() || rule.ports.contains(port));
            ports.insert(u32::from(*port), at);
        }
        let mut config = Config {
            any_port,
            otherwise: number(table.otherwise).into(),
            exempt: table.exempt.unwrap_or(0),
            echo_sockets: table.echo_sockets.into(),
            resolver4: table
                .resolver4
                .map(|to| Endpoint::new((*to.ip()).into(), to.port()))
                .unwrap_or_default(),
            resolver6: table
                .resolver6
                .map(|to| Endpoint::new((*to.ip()).into(), to.port()))
                .unwrap_or_default(),
            ..Config::default()
        };
        let kinds = Operation::ALL
            .into_iter()
            .flat_map(|operation| Transport::ALL.map(|transport| (operation, transport)));
        for ((operation, transport), mask) in kinds.zip(&mut config.operations) {
            *mask = Mask::of(rules, |rule| {
                rule.operations.contains(&operation) && rule.transports.contains(&transport)
            });
        }
        for (rule, verdict) in rules.iter().zip(&mut config.verdicts) {
            *verdict = number(rule.verdict);
        }
        Ok(Compiled {
            prefixes,
            ports,
            config,
        })
    }

    /// The entries of the trie.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (AddressKey, Place)> {
        let place = |always: &Mask| Place {
            always: *always,
            ..Place::default()
        };
        self.prefixes
            .iter()
            .map(move |(cidr, mask)| (sys::key(cidr), place(mask)))
    }

    /// What the programs find: the rule that decides, and the verdict.
    pub(crate) fn decide(&self, kind: usize, matching: &Mask, port: u16) -> (Option<usize>, u8) {
        let ports = self.ports.get(&u32::from(port)).unwrap_or(&self.config.any_port);
        let kinds = self.config.operations.get(kind).copied().unwrap_or_default();
        let words = matching.words.iter().zip(ports.words).zip(kinds.words);
        let found = words.enumerate().find_map(|(word, ((here, ports), kinds))| {
            let all = here & ports & kinds;
            (all != 0).then(|| word * 64 + all.trailing_zeros() as usize)
        });
        let verdict = found.and_then(|rule| self.config.verdicts.get(rule)).copied();
        (found, verdict.unwrap_or(self.config.otherwise as u8))
    }

    /// Which rules match an address that nobody pinned.
    pub(crate) fn at(&self, address: &Cidr) -> Mask {
        let covering = self.prefixes.iter().filter(|(cidr, _)| cidr.covers(address));
        covering
            .max_by_key(|(cidr, _)| cidr.bits())
            .map(|(_, mask)| *mask)
            .unwrap_or_default()
    }

    /// Whether the rules themselves name this single address.
    pub(crate) fn names(&self, address: &Cidr) -> bool {
        self.prefixes.iter().any(|(cidr, _)| cidr == address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    /// The verdict as the programs find it.
    fn found(compiled: &Compiled, operation: usize, udp: usize, address: IpAddr, port: u16) -> u8 {
        let addresses = compiled.at(&Cidr::of(address));
        compiled.decide(operation * 2 + udp, &addresses, port).1
    }

    /// The verdict as the policy means it.
    fn meant(table: &Table, operation: usize, udp: usize, address: IpAddr, port: u16) -> u8 {
        let first = table.rules.iter().find(|rule| {
            let at = Cidr::of(address);
            (rule.cidrs.is_empty() || rule.cidrs.iter().any(|cidr| cidr.covers(&at)))
                && (rule.ports.is_empty() || rule.ports.contains(&port))
                && rule.operations.contains(&Operation::ALL[operation])
                && rule.transports.contains(&Transport::ALL[udp])
        });
        number(first.map_or(table.otherwise, |rule| rule.verdict))
    }

    #[test]
    fn the_first_rule_that_matches_decides_whatever_prefixes_overlap() -> Result<(), TooMany> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for _ in 0..300 {
            let count = next(100) as usize + 1;
            let mut rules = Vec::new();
            for _ in 0..count {
                let cidrs = (0..next(3)).map(|_| {
                    let address = Ipv4Addr::new(10, next(3) as u8, next(3) as u8, next(4) as u8);
                    Cidr::new(address.into(), 8 + next(25) as u8)
                });
                let cidrs = cidrs.collect();
                let ports = (0..next(3)).map(|_| 80 + next(4) as u16).collect();
                let verdict = [Verdict::Deny, Verdict::Allow, Verdict::Audit][next(3) as usize];
                let operations = Operation::ALL.into_iter().filter(|_| next(3) > 0).collect();
                let transports = Transport::ALL.into_iter().filter(|_| next(3) > 0).collect();
                rules.push(Rule {
                    ports,
                    operations,
                    transports,
                    ..Rule::about(cidrs, verdict)
                });
            }
            let table = Table::of(rules);
            let compiled = Compiled::new(&table)?;
            for _ in 0..200 {
                let address = Ipv4Addr::new(10, next(3) as u8, next(3) as u8, next(4) as u8).into();
                let (operation, udp, port) = (next(3) as usize, next(2) as usize, 79 + next(6) as u16);
                assert_eq!(
                    found(&compiled, operation, udp, address, port),
                    meant(&table, operation, udp, address, port),
                    "{address} {port} {operation} {udp}: {table:?}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn a_range_of_one_family_is_none_of_the_other() -> Result<(), TooMany> {
        let allowed = |range: &str, address: &str| -> Result<bool, TooMany> {
            let parse = |text: &str| text.parse().unwrap_or(IpAddr::V4(Ipv4Addr::BROADCAST));
            let table = Table::of(vec![Rule::about(vec![Cidr::new(parse(range), 0)], Verdict::Allow)]);
            Ok(found(&Compiled::new(&table)?, 0, 0, parse(address), 1) == 1)
        };
        assert!(allowed("::", "2001:db8::1")? && !allowed("::", "10.0.0.1")? && !allowed("::", "::ffff:10.0.0.1")?);
        assert!(allowed("0.0.0.0", "10.0.0.1")? && !allowed("0.0.0.0", "2001:db8::1")? && !allowed("0.0.0.0", "::1")?);
        Ok(())
    }

    #[test]
    fn more_rules_than_there_are_bits_are_refused() {
        let rules = vec![Rule::about(Vec::new(), Verdict::Allow); RULES + 1];
        assert!(Compiled::new(&Table::of(rules)).is_err_and(|error| error == TooMany(RULES + 1)));
    }
}
