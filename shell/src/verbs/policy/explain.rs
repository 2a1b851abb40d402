use agentsh_policy::{Explanation, Held, Matching, Operation, Policy};
use agentsh_sandbox::cgroup::Controllers;
use agentsh_sandbox::placement::{self, Extras};
use agentsh_sandbox::probe;
use agentsh_sandbox::wall::Wall;
use clap::Args;
use serde::Serialize;

use super::against::Against;
use super::answer::Answer;
use super::engine::Engine;
use super::inside::{self, Inside};
use super::operation::Asked;
use super::starts;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, Style, Table};
use crate::verbs::config;

/// Explain an answer of a policy: all rules that match, which wins, what would change it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agentsh policy explain file read ~/.ssh/id_ed25519
  agentsh policy explain --session project command curl -s https://example.com
  agentsh policy explain --policy ./strict.yaml

Without an operation it says what is probably not meant in the policy, and what this build does not hold of it. \
Status 3 is the answer \"deny\".")]
pub struct Explain {
    #[command(flatten)]
    against: Against,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    asked: Asked,
}

/// The story of one answer: the rules that match, which wins, what holds it, what would change it.
#[derive(Debug, Serialize)]
pub struct Story {
    #[serde(flatten)]
    answer: Answer,
    /// The layers of this build that hold the answer; `null` if none does.
    held_by: Option<&'static str>,
    /// The rules that match, in their order.
    matching: Vec<Match>,
    would_change: Vec<String>,
    /// What its wrappers start: judged with it, and the strictest answer counts.
    starts: Vec<Inside>,
    /// What a text for a shell seems to run, as the policy would answer it; each is judged when it runs.
    inside: Vec<Inside>,
}

/// A rule that matches.
#[derive(Debug, Serialize)]
struct Match {
    policy: String,
    list: &'static str,
    rule: String,
    decision: &'static str,
    /// Whether it is reached: the first of its policy.
    reached: bool,
}

/// What is to be said of a policy as a whole.
#[derive(Debug, Serialize)]
struct Whole {
    policy: String,
    warnings: Vec<String>,
    network_engine: Engine,
    /// Rules and keys that no layer of this build holds.
    not_held: Vec<String>,
}

impl Explain {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let policy = self.against.resolve(context)?;
        let mut held = placement::held(&Controllers::probe(), Extras::probe(), context.uid);
        held.rewrite_sni = config::load(context)?.config.proxy.tls_intercept;
        let wall = Wall::of(&policy, &probe::ebpf());
        if self.asked.is_empty() {
            let whole = Whole {
                policy: policy.name().to_owned(),
                warnings: policy.warnings(),
                network_engine: Engine::of(&wall),
                not_held: policy.not_held(&held),
            };
            match self.json {
                true => render::json(context, &whole)?,
                false => render::print(&whole.text(context.out))?,
            }
            return Ok(Exit::DONE);
        }
        let story = Story::of(&policy, &self.asked.operation()?, &held, wall.is_ok());
        match self.json {
            true => render::json(context, &story)?,
            false => render::print(&story.text(context.out, context.columns()))?,
        }
        Ok(story.answer.exit())
    }
}

impl Story {
    /// What this policy answers to an operation.
    pub fn of(policy: &Policy, operation: &Operation, held: &Held, walled: bool) -> Story {
        let Explanation {
            matching, would_change, ..
        } = policy.explain(&starts::deciding(policy, operation));
        let matching = matching.into_iter().map(Match::of).collect();
        Story {
            answer: Answer::of_all(policy, operation),
            held_by: placement::holder(operation, held, walled),
            matching,
            would_change,
            starts: inside::started(policy, operation),
            inside: inside::seeming(policy, operation),
        }
    }

    /// For people.
    pub fn text(&self, style: Style, width: Option<usize>) -> String {
        let visible = |lines: &[String]| {
            lines
                .iter()
                .map(|line| render::visible(line))
                .collect::<Vec<_>>()
                .join("\n")
        };
        let mut text = render::pairs(&[
            ("operation", render::visible(&self.answer.operation)),
            ("decision", style.decision(self.answer.decision.word())),
            ("rule", render::visible(&self.answer.by())),
            (
                "reason",
                self.answer.message.as_deref().map(render::visible).unwrap_or_default(),
            ),
            (
                "held by",
                self.held_by
                    .map_or_else(|| style.yellow("no layer of this build"), str::to_owned),
            ),
            ("to change it", visible(&self.would_change)),
        ]);
        if !self.matching.is_empty() {
            let mut table = Table::new(&["RULES THAT MATCH", "DECISION", "LIST", "POLICY", "REACHED"]);
            for rule in &self.matching {
                let reached = if rule.reached { "yes" } else { "no" };
                let cells = [&rule.rule, rule.decision, rule.list, &rule.policy, reached];
                table.row(cells.map(str::to_owned).into());
            }
            text += &format!("\n{}", table.render(style, width));
        }
        text + &inside::text(&self.starts, &self.inside, style, width)
    }
}

impl Match {
    fn of(matching: Matching) -> Match {
        Match {
            policy: matching.policy,
            list: matching.list.word(),
            rule: matching.rule,
            decision: matching.decision.word(),
            reached: matching.first,
        }
    }
}

impl Whole {
    fn text(&self, style: Style) -> String {
        let lines = |lines: &[String]| match lines.is_empty() {
            true => "nothing".to_owned(),
            false => lines
                .iter()
                .map(|line| render::visible(line))
                .collect::<Vec<_>>()
                .join("\n"),
        };
        render::pairs(&[
            ("policy", render::visible(&self.policy)),
            ("network engine", render::visible(&self.network_engine.text())),
            ("not held", style.yellow(&lines(&self.not_held))),
            ("look again at", style.yellow(&lines(&self.warnings))),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn story(words: &[&str]) -> Result<Story, Error> {
        let text = "version: 1\nname: t\nenv_policy: {deny: ['*_TOKEN']}\nfile_rules:\n  \
            - {name: secrets, paths: ['**/.env'], decision: deny, message: '{{.Path}} holds secrets'}\n  \
            - {name: work, paths: ['/w/**'], decision: allow}\n";
        let variables = agentsh_policy::Variables {
            home: b"/h".to_vec(),
            ..Default::default()
        };
        let policy = agentsh_policy::parse(text, Path::new("t.yaml"))?.resolve(&variables)?;
        let operation = Operation::parse(words).map_err(|problem| Error::usage(problem, ""))?;
        Ok(Story::of(
            &policy,
            &operation,
            &placement::held(&Controllers::default(), Extras::default(), 0),
            false,
        ))
    }

    #[test]
    fn the_winner_and_the_rules_behind_it_are_shown() -> Result<(), Error> {
        insta::assert_snapshot!(story(&["file", "read", "/w/.env"])?.text(Style::new(false), None), @r"
        operation     read /w/.env
        decision      deny
        rule          secrets (file_rules of t)
        reason        /w/.env holds secrets
        held by       notify: judged on the object itself, and carried out; landlock: what no rule could allow is outside of the hull
        to change it  Without `secrets` the rule `work` would answer allow.
                      A rule for this alone, before `secrets`, would win.

        RULES THAT MATCH  DECISION  LIST        POLICY  REACHED
        secrets           deny      file_rules  t       yes
        work              allow     file_rules  t       no
        ");
        Ok(())
    }

    #[test]
    fn a_variable_is_answered_by_the_environments_filter() -> Result<(), Error> {
        let answer = story(&["env", "NPM_TOKEN"])?.answer;
        assert_eq!((answer.decision.word(), answer.list), ("deny", "env_policy"));
        assert_eq!(answer.exit(), Exit::Status(crate::exit::DENIED));
        assert_eq!(story(&["env", "PATH"])?.answer.exit(), Exit::DONE);
        Ok(())
    }
}
