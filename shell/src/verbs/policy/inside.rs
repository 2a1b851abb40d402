//! What else a command line runs: what its wrappers start, and what a text for a shell in it seems to run.

use agentsh_policy::{CommandOperation, Decision, Operand, Operation, Policy};
use agentsh_protocol::Bytes;
use serde::Serialize;

use super::answer::Answer;
use super::{operation, starts};
use crate::label;
use crate::render::{self, Style, Table};

/// A command in a command line.
#[derive(Debug, Serialize)]
pub struct Inside {
    command: Vec<Bytes>,
    decision: Decision,
    rule: Option<String>,
}

impl Inside {
    fn of(policy: &Policy, command: CommandOperation) -> Inside {
        let name = command.called.as_ref().unwrap_or(&command.program);
        let words = std::iter::once(name).chain(&command.args).map(bytes).collect();
        let Answer { decision, rule, .. } = Answer::of(policy, &Operation::Command(command));
        Inside {
            command: words,
            decision,
            rule,
        }
    }
}

/// What the wrappers in a command line start, from the outside in: judged with it.
pub fn started(policy: &Policy, operation: &Operation) -> Vec<Inside> {
    let started = starts::of(policy, operation);
    started.into_iter().map(|command| Inside::of(policy, command)).collect()
}

/// What the texts in a command line seem to run; each is judged when it runs. Nothing for other operations.
pub fn seeming(policy: &Policy, operation: &Operation) -> Vec<Inside> {
    let Operation::Command(outer) = operation else {
        return Vec::new();
    };
    let name = outer.called.as_ref().unwrap_or(&outer.program);
    let argv: Vec<Bytes> = std::iter::once(name).chain(&outer.args).map(bytes).collect();
    let commands = label::of(&argv).map(|label| label.commands).unwrap_or_default();
    let judged = commands.into_iter().map(|command| {
        let nested = CommandOperation {
            program: Operand::from(&command[0]),
            called: None,
            args: command[1..].iter().map(Operand::from).collect(),
            depth: outer.depth + 1,
        };
        Inside::of(policy, operation::found_in(nested, None))
    });
    judged.collect()
}

fn bytes(word: &Operand) -> Bytes {
    Bytes::from(word.as_bytes())
}

/// For people: tables, or nothing.
pub fn text(started: &[Inside], seeming: &[Inside], style: Style, width: Option<usize>) -> String {
    table("IT STARTS", started, style, width) + &table("ITS TEXT SEEMS TO RUN", seeming, style, width)
}

fn table(what: &'static str, inside: &[Inside], style: Style, width: Option<usize>) -> String {
    if inside.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[what, "DECISION", "RULE"]);
    for one in inside {
        let rule = one.rule.as_deref().map_or_else(|| "-".to_owned(), render::visible);
        table.row(vec![render::argv(&one.command), one.decision.word().to_owned(), rule]);
    }
    format!("\n{}", table.render(style, width))
}
