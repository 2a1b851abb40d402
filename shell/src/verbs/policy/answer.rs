//! What a policy answers to one operation.

use agentsh_policy::{Decision, Operand, Operation, Policy, Subject};
use serde::Serialize;

use super::starts;
use crate::exit::{self, Exit};

/// An answer.
#[derive(Debug, Serialize)]
pub struct Answer {
    pub operation: String,
    pub decision: Decision,
    /// `null`: no rule matched, the defaults decide.
    pub rule: Option<String>,
    /// The list in which the rule stands.
    pub list: &'static str,
    pub policy: String,
    pub message: Option<String>,
}

impl Answer {
    /// Asks `policy` about an operation and, of a wrapper, about what it starts: the strictest answer.
    pub fn of_all(policy: &Policy, operation: &Operation) -> Answer {
        Answer {
            operation: operation.to_string(),
            ..Answer::of(policy, &starts::deciding(policy, operation))
        }
    }

    /// Asks `policy`. A variable is answered as the program would get it.
    pub fn of(policy: &Policy, operation: &Operation) -> Answer {
        let verdict = policy.judge(operation);
        let args = match operation {
            Operation::Command(command) => {
                let args: Vec<&[u8]> = command.args.iter().map(Operand::as_bytes).collect();
                args.join(&b' ')
            }
            _ => Vec::new(),
        };
        let subject = Subject {
            args: &args,
            ..operation.subject()
        };
        let own = Answer {
            operation: operation.to_string(),
            decision: verdict.decision,
            rule: verdict.rule.map(str::to_owned),
            list: verdict.list.word(),
            policy: verdict.policy.to_owned(),
            message: verdict.message(&subject),
        };
        let Operation::Env(env) = operation else { return own };
        let filter = policy.environment(&verdict);
        let name = env.name.as_bytes();
        let sets = filter.inject().any(|(set, _)| set.as_bytes() == name);
        let removed = filter.removes_entry(name, verdict.guards());
        let decision = if removed.is_some() && !sets {
            Decision::Deny
        } else {
            Decision::Allow
        };
        Answer {
            decision,
            rule: None,
            list: "env_policy",
            message: None,
            ..own
        }
    }

    /// The exit status that says it.
    pub fn exit(&self) -> Exit {
        match self.decision {
            Decision::Deny => Exit::Status(exit::DENIED),
            _ => Exit::DONE,
        }
    }

    /// The rule for people.
    pub fn by(&self) -> String {
        match &self.rule {
            Some(rule) => format!("{rule} ({} of {})", self.list, self.policy),
            None if self.list == "env_policy" => format!("env_policy of {}", self.policy),
            None => format!("no rule matches: the defaults of {}", self.policy),
        }
    }
}
