//! The compiled policy: what a session's operations are judged by.
//!
//! Judging neither locks nor allocates, save for commands that have rules on their arguments.

mod command;
mod compile;
mod environment;
mod file;
mod folded;
mod layer;
mod linked;
mod names;
mod network;
mod passed;
mod redirect;
mod service;
mod signal;
mod socket;
mod table;
mod variable;
mod verdict;

pub use command::{CommandQuery, CommandTarget};
pub use environment::{EnvFilter, Removed, variable_name};
pub use layer::{Layer, Settings};
pub use network::NetworkQuery;
pub use redirect::{ConnectTarget, ConnectTo, DnsTarget};
pub use service::ServiceView;
pub use signal::{SignalQuery, Targets};
pub use socket::UnixAddress;
pub use table::TableRule;
pub use variable::is_steering;
pub use verdict::{Redirect, RuleRef, Verdict};

pub(crate) use command::{CompiledCommand, Selector, base_name};
pub(crate) use file::CompiledFile;
pub(crate) use folded::Folded;
pub(crate) use linked::Links;
pub(crate) use verdict::{Deciding, LAYERS};

use self::passed::Passed;
use crate::words::{Decision, FileOp, List, UnixOp};

/// A policy for one session: the user's, and those that narrow it.
#[derive(Debug)]
pub struct Policy {
    /// The first is the base; of all answers the strictest holds.
    pub(crate) layers: Vec<Layer>,
    pub(crate) settings: Option<Settings>,
    passed: Passed,
}

impl Policy {
    pub(crate) fn of(layers: Vec<Layer>) -> Policy {
        Policy {
            settings: Settings::of(&layers),
            layers,
            passed: Passed::default(),
        }
    }
}

impl Policy {
    /// Judges an operation on a file. The path is absolute and resolved, without doubled or trailing
    /// separators; for a creation it is that of the file to be.
    pub fn file(&self, op: FileOp, path: &[u8]) -> Verdict<'_> {
        self.strictest(|layer| layer.file(op, path, None))
    }

    /// What the layers beside the one with the rule `place` say: of an object that this rule puts in the place of another.
    /// Nothing where there is no other layer.
    pub fn file_beside(&self, place: RuleRef, op: FileOp, path: &[u8]) -> Option<Verdict<'_>> {
        let others = self
            .layers
            .iter()
            .enumerate()
            .filter(|(layer, _)| *layer != place.layer);
        let verdicts = others.filter_map(|(_, layer)| layer.file(op, path, None));
        verdicts.max_by_key(|verdict| verdict.decision.strictness())
    }

    /// [`Policy::file`] where it is known what the file will hold. Empty: nothing comes there.
    pub fn file_with(&self, op: FileOp, path: &[u8], content: &[u8]) -> Verdict<'_> {
        self.strictest(|layer| layer.file(op, path, Some(content)))
    }

    /// Judges the start of a program.
    pub fn command(&self, query: &CommandQuery<'_>) -> Verdict<'_> {
        self.strictest(|layer| layer.command(query))
    }

    /// Judges an operation on an Internet socket.
    pub fn network(&self, query: &NetworkQuery<'_>) -> Verdict<'_> {
        let verdict = self.strictest(|layer| layer.network(query));
        Verdict {
            max_bytes: self
                .network_rules(&verdict)
                .filter_map(|(_, rule)| rule.max_bytes)
                .min(),
            ..verdict
        }
    }

    /// Judges an operation on a unix socket that the session did not bind itself.
    pub fn unix_socket(&self, op: UnixOp, address: UnixAddress<'_>) -> Verdict<'_> {
        self.strictest(|layer| layer.unix_socket(op, address))
    }

    /// Judges a signal for one process. Groups and `-1` are asked member by member.
    pub fn signal(&self, query: &SignalQuery<'_>) -> Verdict<'_> {
        self.strictest(|layer| layer.signal(query))
    }

    /// What another of the policies has done instead of what a person was asked about: their yes takes nothing of that back.
    pub fn after_yes<'p>(&'p self, verdict: &Verdict<'_>) -> Option<Verdict<'p>> {
        if verdict.decision != Decision::Approve {
            return None;
        }
        let of_layer = |(layer, place): (&'p Layer, Option<RuleRef>)| match (verdict.list, place) {
            (List::Files, Some(place)) => Some(layer.file_verdict(place.index)),
            (List::Commands, Some(place)) => Some(layer.command_verdict(place.index)),
            (List::Signals, Some(place)) => Some(layer.signal_verdict(place.index)),
            (List::Signals, None) => layer.signal_default(),
            _ => None,
        };
        let changes = |other: &Verdict<'_>| other.decision.strictness() == Decision::Redirect.strictness();
        self.layers
            .iter()
            .zip(verdict.deciding)
            .filter_map(of_layer)
            .find(changes)
    }

    /// Whether one of the policies wants what is lost by an operation on a file kept, whatever the strictest of them says.
    pub fn keeps(&self, verdict: &Verdict<'_>) -> bool {
        let mut rules = verdict.deciding.into_iter().flatten().filter_map(|place| {
            let rules = &self.layers.get(place.layer)?.files.rules;
            rules.get(place.index)
        });
        verdict.list == List::Files && rules.any(|rule| rule.common.decision == Decision::SoftDelete)
    }

    fn strictest<'p>(&'p self, judge: impl Fn(&'p Layer) -> Option<Verdict<'p>>) -> Verdict<'p> {
        let mut strictest: Option<Verdict<'p>> = None;
        let mut deciding: Deciding = [None; LAYERS];
        for verdict in self.layers.iter().filter_map(judge) {
            for (known, place) in deciding.iter_mut().zip(verdict.deciding) {
                *known = known.or(place);
            }
            if strictest.is_none_or(|held| verdict.decision.strictness() > held.decision.strictness()) {
                strictest = Some(verdict);
            }
        }
        // The base layer always answers; a policy without layers cannot be made, and would deny.
        Verdict {
            deciding,
            ..strictest.unwrap_or(Verdict::NOTHING)
        }
    }

    /// The base policy's name.
    pub fn name(&self) -> &str {
        self.layers.first().map_or("", |layer| &layer.name)
    }

    /// Whether it says in everything what another says: the same texts, for the same host.
    pub fn is_as(&self, other: &Policy) -> bool {
        self.text() == other.text() && self.folding() == other.folding() && self.leads() == other.leads()
    }

    /// The top of the git work tree that it was resolved for.
    pub fn git_root(&self) -> Option<&[u8]> {
        let mut variables = self.layers.first()?.variables.iter();
        variables
            .find(|(name, _)| *name == "GIT_ROOT")
            .and_then(|(_, value)| value.as_deref())
    }

    /// The base and those that narrow it.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The policy as text for people and for the session's record: each layer's source with the values of
    /// its variables in front, and in the text where the value needs no quoting.
    pub fn text(&self) -> String {
        let texts: Vec<String> = self.layers.iter().map(Layer::text).collect();
        texts.join("---\n")
    }
}

#[cfg(test)]
pub(crate) mod tests;
