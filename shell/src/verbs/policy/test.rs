use std::path::{Path, PathBuf};

use agentsh_policy::cases::{self, Outcome};
use clap::Args;
use serde::Serialize;

use super::against::Against;
use super::answer::Answer;
use super::operation::Asked;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, Style};

/// Ask a policy about one operation, or run a file of cases against it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agentsh policy test file write /etc/passwd
  agentsh policy test --policy ./strict.yaml command npm publish
  agentsh policy test --policy ./strict.yaml --cases ./strict.cases.yaml

An operation is: file OPERATION PATH, command PROGRAM [ARG...], network [connect|bind|listen|send] HOST:PORT, http METHOD SERVICE PATH, \
unix [connect|bind|listen|sendto] PATH, signal SIGNAL TARGET, env NAME [PROGRAM]. Status 3 is the answer \"deny\".")]
pub struct Test {
    #[command(flatten)]
    against: Against,
    /// A file of cases, each an operation with the answer that is right
    #[arg(long, value_name = "FILE", conflicts_with_all = ["words", "session"], required_unless_present = "words")]
    cases: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    asked: Asked,
}

/// One case as JSON.
#[derive(Debug, Serialize)]
struct Case {
    number: usize,
    operation: String,
    passed: bool,
    expected: Expected,
    got: Expected,
}

/// A decision, and the rule that has to give it or gave it.
#[derive(Debug, Serialize)]
struct Expected {
    decision: &'static str,
    rule: Option<String>,
}

impl Test {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        if let Some(cases) = &self.cases {
            return self.run_cases(context, cases);
        }
        let answer = Answer::of(&self.against.resolve(context)?, &self.asked.operation()?);
        match self.json {
            true => render::json(context, &answer)?,
            false => render::print(&text(&answer, context.out))?,
        }
        Ok(answer.exit())
    }

    fn run_cases(&self, context: &Context, path: &Path) -> Result<Exit, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::file(path, source))?;
        let cases = cases::parse(&text, path, &self.against.variables(context)?)?;
        let policy = self.against.document(context)?.resolve(&cases.variables)?;
        let outcomes: Vec<Case> = cases.run(&policy).into_iter().map(Case::of).collect();
        let failed = outcomes.iter().filter(|case| !case.passed).count();
        match self.json {
            true => render::json(context, &outcomes)?,
            false => {
                let lines = outcomes
                    .iter()
                    .filter(|case| !case.passed)
                    .map(|case| case.text(context.out));
                render::print(&lines.collect::<String>())?;
                render::say(&format!("{} cases, {failed} failed", outcomes.len()));
            }
        }
        Ok(Exit::ok_if(failed == 0))
    }
}

fn text(answer: &Answer, style: Style) -> String {
    render::pairs(&[
        ("decision", style.decision(answer.decision.word())),
        ("rule", render::visible(&answer.by())),
        (
            "reason",
            answer.message.as_deref().map(render::visible).unwrap_or_default(),
        ),
    ])
}

impl Case {
    fn of(outcome: Outcome) -> Case {
        let expected = |(decision, rule): (agentsh_policy::Decision, Option<String>)| Expected {
            decision: decision.word(),
            rule,
        };
        Case {
            number: outcome.number,
            operation: outcome.operation.to_string(),
            passed: outcome.passed,
            expected: expected(outcome.expected),
            got: expected(outcome.got),
        }
    }

    fn text(&self, style: Style) -> String {
        let side = |side: &Expected| match &side.rule {
            Some(rule) => format!("{} by {}", side.decision, render::visible(rule)),
            None => side.decision.to_owned(),
        };
        let word = style.red("FAILED");
        let operation = render::visible(&self.operation);
        format!(
            "{word}  case {}: {operation}: expected {}, got {}\n",
            self.number,
            side(&self.expected),
            side(&self.got)
        )
    }
}
