//! `agentsh approve`: what sessions ask a person, and the person's answers.

mod answer;
mod ask;
mod changes;
mod list;
mod watch;

use agentsh_protocol::approvals::{Answer, Scope};
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;

/// Answer what sessions ask
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_required = false,
    after_help = "\
Examples:
  agentsh approve --watch                  be there: questions are shown as they come, and answered here
  agentsh approve list
  agentsh approve show 0199f3
  agentsh approve allow 0199f3 --session
  agentsh approve deny 0199f3 --reason staging

A yes covers exactly what was shown: the same object, arguments and folder under the same rule, once, until the \
session ends, or (--always) in every session of the policy. While nobody watches and the policy names no \
approvals.notify, what would be asked is denied at once."
)]
pub struct Approve {
    /// Show questions as they come, and ask for answers if stdin is a terminal
    #[arg(long)]
    watch: bool,
    /// With --watch, print JSON, one change a line
    #[arg(long, requires = "watch")]
    json: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::List),
    Show(list::Show),
    /// Let it happen
    Allow {
        /// The approval: its id or a unique beginning
        id: String,
        /// Only what waits now, or one identical retry (the default)
        #[arg(long, conflicts_with_all = ["session", "always"])]
        once: bool,
        /// Every identical call until the session ends
        #[arg(long, conflicts_with = "always")]
        session: bool,
        /// Every identical call in every session of this policy, written to the user's configuration
        #[arg(long)]
        always: bool,
        /// Goes into the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Refuse it
    Deny {
        /// The approval: its id or a unique beginning
        id: String,
        /// Goes into the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

impl Approve {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.verb {
            None if self.watch => watch::run(context, self.json),
            None => list::List::plain().run(context),
            Some(Verb::List(list)) => list.run(context),
            Some(Verb::Show(show)) => show.run(context),
            Some(Verb::Allow {
                id,
                session,
                always,
                reason,
                ..
            }) => {
                let scope = match (session, always) {
                    (_, true) => Scope::Always,
                    (true, _) => Scope::Session,
                    _ => Scope::Once,
                };
                answer::say(context, &id, Answer::Allow, scope, reason)
            }
            Some(Verb::Deny { id, reason }) => answer::say(context, &id, Answer::Deny, Scope::Once, reason),
        }
    }
}
