//! Why an operation is answered as it is, and what of a policy is not in force.

mod held;
mod warnings;

pub use held::{Held, Hold};

use std::collections::BTreeSet;

use crate::operation::{Asked, Operation, net_queries, signal_queries, strictest, unix_address};
use crate::policy::{Layer, Policy, Verdict};
use crate::words::{Decision, List};

/// A rule that matches an operation.
#[derive(Debug, Clone)]
pub struct Matching {
    /// Name of the policy.
    pub policy: String,
    pub list: List,
    pub rule: String,
    pub decision: Decision,
    /// Whether it is the first of its policy (the others are never reached).
    pub first: bool,
}

/// The story of one answer.
#[derive(Debug, Clone)]
pub struct Explanation {
    pub operation: String,
    pub decision: Decision,
    /// The list that was asked.
    pub list: List,
    /// The rule that won; `None`: the defaults.
    pub rule: Option<String>,
    /// The policy that won.
    pub policy: String,
    /// The rule's message about this operation.
    pub message: Option<String>,
    /// All rules that match, policy by policy, in their order.
    pub matching: Vec<Matching>,
    /// What would change the answer, a sentence each.
    pub would_change: Vec<String>,
}

impl Policy {
    /// Explains the answer to an operation.
    pub fn explain(&self, operation: &Operation) -> Explanation {
        let verdict = self.judge(operation);
        let mut matching = Vec::new();
        for layer in &self.layers {
            for (at, found) in layer.matching(operation).into_iter().enumerate() {
                matching.push(Matching {
                    policy: layer.name().to_owned(),
                    list: found.list,
                    rule: found.rule.unwrap_or_default().to_owned(),
                    decision: found.decision,
                    first: at == 0,
                });
            }
        }
        let mut explanation = Explanation {
            operation: operation.to_string(),
            decision: verdict.decision,
            list: verdict.list,
            rule: verdict.rule.map(str::to_owned),
            policy: verdict.policy.to_owned(),
            message: verdict.message(&operation.subject()),
            matching,
            would_change: Vec::new(),
        };
        explanation.would_change = self.would_change(operation, &verdict, &explanation.matching);
        explanation
    }

    fn would_change(&self, operation: &Operation, verdict: &Verdict<'_>, matching: &[Matching]) -> Vec<String> {
        let mut lines = Vec::new();
        let own: Vec<&Matching> = matching.iter().filter(|found| found.policy == verdict.policy).collect();
        match verdict.rule {
            None => lines.push(format!(
                "No rule of `{}` matches; a rule in `{}` before all others, or {}, would decide.",
                verdict.policy,
                verdict.list,
                default_key(operation)
            )),
            Some(rule) => {
                let behind = own.iter().skip_while(|found| found.rule != rule).skip(1);
                match behind.clone().find(|found| found.decision != verdict.decision) {
                    Some(next) => lines.push(format!(
                        "Without `{rule}` the rule `{}` would answer {}.",
                        next.rule, next.decision
                    )),
                    None if behind.count() == 0 => {
                        lines.push(format!(
                            "Without `{rule}` the defaults would decide ({}).",
                            default_key(operation)
                        ));
                    }
                    None => {}
                }
                lines.push(format!("A rule for this alone, before `{rule}`, would win."));
            }
        }
        for layer in &self.layers {
            if layer.name() != verdict.policy
                && let Some(other) = layer.answer(operation)
                && other.decision != verdict.decision
            {
                lines.push(format!(
                    "`{}` alone would answer {}; the stricter of both policies wins.",
                    layer.name(),
                    other.decision
                ));
            }
        }
        lines
    }
}

/// The key that is asked when no rule matches.
fn default_key(operation: &Operation) -> &'static str {
    match operation {
        Operation::File(file) if file.operation.is_read() => "`defaults.read`",
        Operation::File(_) => "`defaults.write`",
        Operation::Command(_) | Operation::Env(_) => "`defaults.command`",
        Operation::Network(_) => "`defaults.network`",
        Operation::Http(_) => "`default` of the service",
        Operation::UnixSocket(_) => "`defaults.unix_socket`",
        Operation::Signal(_) => "`defaults.signal`",
    }
}

impl Layer {
    /// Verdicts of all rules that match, in their order.
    fn matching(&self, operation: &Operation) -> Vec<Verdict<'_>> {
        let asked = Asked::new(operation);
        match operation {
            Operation::File(file) => self
                .file_matching(file.operation, file.path.as_bytes())
                .into_iter()
                .map(|index| self.file_verdict(index))
                .collect(),
            Operation::Command(_) | Operation::Env(_) => {
                let places = self.command_matching(&asked.command());
                places.into_iter().map(|index| self.command_verdict(index)).collect()
            }
            Operation::Network(network) => {
                let queries = net_queries(network);
                let places: BTreeSet<usize> = queries.iter().flat_map(|query| self.network_matching(query)).collect();
                places.into_iter().map(|index| self.network_verdict(index)).collect()
            }
            Operation::Http(http) => {
                let service = self.service(&http.service);
                service.map_or_else(Vec::new, |service| service.matching(&http.method, &http.path))
            }
            Operation::UnixSocket(unix) => self
                .unix_places(unix.operation, unix_address(&unix.path))
                .into_iter()
                .map(|index| self.unix_verdict(index))
                .collect(),
            Operation::Signal(signal) => {
                let queries: Vec<_> = signal_queries(signal).collect();
                let places: BTreeSet<usize> = queries.iter().flat_map(|query| self.signal_matching(query)).collect();
                places.into_iter().map(|index| self.signal_verdict(index)).collect()
            }
        }
    }

    /// What this layer alone answers.
    fn answer(&self, operation: &Operation) -> Option<Verdict<'_>> {
        let asked = Asked::new(operation);
        match operation {
            Operation::File(file) => self.file(file.operation, file.path.as_bytes(), None),
            Operation::Command(_) | Operation::Env(_) => self.command(&asked.command()),
            Operation::Network(network) => {
                strictest(net_queries(network).iter().filter_map(|query| self.network(query)))
            }
            // Services are the user's own policy's alone.
            Operation::Http(_) => None,
            Operation::UnixSocket(unix) => self.unix_socket(unix.operation, unix_address(&unix.path)),
            Operation::Signal(signal) => strictest(signal_queries(signal).filter_map(|query| self.signal(&query))),
        }
    }
}

#[cfg(test)]
mod tests;
