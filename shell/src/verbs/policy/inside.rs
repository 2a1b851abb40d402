//! Advice about a text for a shell: what a policy would answer to what the text seems to run.

use agentsh_policy::{CommandOperation, Decision, Operation, Policy};
use agentsh_protocol::Bytes;
use serde::Serialize;

use super::answer::Answer;
use super::operation;
use crate::label;
use crate::render::{self, Style, Table};

/// A command of a text.
#[derive(Debug, Serialize)]
pub struct Inside {
    command: Vec<String>,
    decision: Decision,
    rule: Option<String>,
}

/// What the texts in a command line seem to run; nothing for other operations.
pub fn of(policy: &Policy, operation: &Operation) -> Vec<Inside> {
    let Operation::Command(outer) = operation else {
        return Vec::new();
    };
    let name = outer.called.as_ref().unwrap_or(&outer.program);
    let argv: Vec<Bytes> = std::iter::once(name)
        .chain(&outer.args)
        .map(|word| Bytes::from(word.as_str()))
        .collect();
    let commands = label::of(&argv).map(|label| label.commands).unwrap_or_default();
    let judged = commands.into_iter().map(|command| {
        let nested = CommandOperation {
            program: command[0].clone(),
            called: None,
            args: command[1..].to_vec(),
            depth: outer.depth + 1,
        };
        let Answer { decision, rule, .. } = Answer::of(policy, &operation::found(Operation::Command(nested)));
        Inside {
            command,
            decision,
            rule,
        }
    });
    judged.collect()
}

/// For people: a table, or nothing.
pub fn text(inside: &[Inside], style: Style, width: Option<usize>) -> String {
    if inside.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["ITS TEXT SEEMS TO RUN", "DECISION", "RULE"]);
    for one in inside {
        let argv: Vec<Bytes> = one.command.iter().map(|word| Bytes::from(word.as_str())).collect();
        let rule = one.rule.as_deref().map_or_else(|| "-".to_owned(), render::visible);
        table.row(vec![render::argv(&argv), one.decision.word().to_owned(), rule]);
    }
    format!("\n{}", table.render(style, width))
}
