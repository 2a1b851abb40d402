use std::path::{Path, PathBuf};

use agentsh_policy::cases::{self, Outcome};
use clap::Args;
use serde::Serialize;

use super::against::Against;
use super::answer::Answer;
use super::inside::{self, Inside};
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

An operation is: file OPERATION PATH, command PROGRAM [ARG...], network [connect|bind|listen|send] HOST:PORT[/udp], http METHOD SERVICE PATH, \
unix [connect|bind|listen|sendto] PATH, signal SIGNAL TARGET, env NAME [PROGRAM]. Status 3 is the answer \"deny\".

What a wrapper (sudo, env, timeout, xargs) is told to start is judged with it, as in a session: the strictest answer counts. So does what \
a script names in its first line, and what a renamed file leaves. What a text for a shell seems to run is listed beside the answer: in a session it is judged when it runs.")]
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

/// The answer to one operation.
#[derive(Debug, Serialize)]
struct Asking {
    #[serde(flatten)]
    answer: Answer,
    /// What its wrappers start: judged with it, and the strictest answer counts.
    starts: Vec<Inside>,
    /// What a text for a shell seems to run, as the policy would answer it; each is judged when it runs.
    inside: Vec<Inside>,
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
        let (policy, operation) = (self.against.resolve(context)?, self.asked.operation()?);
        let one = Asking {
            answer: Answer::of_all(&policy, &operation),
            starts: inside::started(&policy, &operation),
            inside: inside::seeming(&policy, &operation),
        };
        match self.json {
            true => render::json(context, &one)?,
            false => render::print(&one.text(context.out, context.columns()))?,
        }
        Ok(one.answer.exit())
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

impl Asking {
    fn text(&self, style: Style, width: Option<usize>) -> String {
        let answer = &self.answer;
        let reason = answer.message.as_deref().map(render::visible);
        let text = render::pairs(&[
            ("decision", style.decision(answer.decision.word())),
            ("rule", render::visible(&answer.by())),
            ("reason", reason.unwrap_or_default()),
        ]);
        text + &inside::text(&self.starts, &self.inside, style, width)
    }
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
