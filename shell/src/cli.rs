//! The one definition of the command line: parsed into an [`Action`], which is matched once.

use clap::{CommandFactory, Parser, Subcommand};

use crate::context::Context;
use crate::error::Error;
use crate::exit::{self, Exit};
use crate::render::Color;
use crate::verbs::{
    approve, attach, audit, broker, checkpoint, config, detect, doctor, events, exec, gc, grants, kill, llm, logs,
    output, policy, proxy, replay, search, session, shell, shim, status, trash, why,
};

/// Version and commit of this build.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("AGENTSH_COMMIT"), ")");

const EXAMPLES: &str = "\
Examples:
  SID=$(agentsh session create --workspace . | jq -r .id)
  agentsh exec \"$SID\" -- uname -a
  agentsh exec --output json --events all \"$SID\" -- ls
  agentsh                       a shell in a session of the current folder
  agentsh why --last
  SHELL=/usr/lib/agentsh/shims/bash your-agent

A session or a command is named by its id, by a unique beginning of it, or (a session) by its name. \
Exit status: 0 done, 1 failed, 2 wrong usage, 3 the answer \"denied\" of `policy test` and `policy explain`; `exec` ends as its command ends, or with 124 (timeout), 125 (our failure), 126 (refused).";

/// A shell for agents: every operation of every subprocess is judged by a policy, and recorded.
#[derive(Debug, Parser)]
#[command(name = "agentsh", version = VERSION, after_help = EXAMPLES, max_term_width = 120)]
pub struct Cli {
    /// When output has colours
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What is asked for.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Make, list, show and end sessions
    #[command(subcommand)]
    Session(session::Session),
    Exec(exec::Exec),
    Shell(shell::Shell),
    Attach(attach::Attach),
    Kill(kill::Kill),
    Approve(approve::Approve),
    /// Answers that cover calls to come
    #[command(subcommand)]
    Grants(grants::Grants),
    /// What may happen in sessions
    #[command(subcommand)]
    Policy(policy::PolicyVerb),
    /// How this host runs sessions
    #[command(subcommand)]
    Config(config::ConfigVerb),
    /// What programs reach through sessions' proxies
    #[command(subcommand)]
    Proxy(proxy::ProxyVerb),
    /// Use of language models
    #[command(subcommand)]
    Llm(llm::LlmVerb),
    Status(status::Status),
    Detect(detect::Detect),
    Doctor(doctor::Doctor),
    /// What happened in sessions
    #[command(subcommand)]
    Events(events::Events),
    Why(why::Why),
    /// The integrity of the record
    #[command(subcommand)]
    Audit(audit::Audit),
    Output(output::Output),
    Replay(replay::Replay),
    Search(search::Search),
    /// What sessions deleted or overwrote, and the way back
    #[command(subcommand)]
    Trash(trash::TrashVerb),
    /// States of a workspace to go back to
    #[command(subcommand)]
    Checkpoint(checkpoint::CheckpointVerb),
    Gc(gc::Gc),
    Logs(logs::Logs),
    /// The stand-ins for shells
    #[command(subcommand)]
    Shim(shim::Shim),
    /// Start and stop the broker
    #[command(subcommand)]
    Broker(broker::Broker),
}

impl Action {
    /// What `agentsh` alone asks for: the shell of the current folder's session.
    pub fn alone() -> Action {
        Action::Shell(shell::Shell::default())
    }

    /// Does it.
    ///
    /// # Errors
    /// Whatever kept it from being done.
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        match self {
            Action::Session(session) => session.run(context),
            Action::Exec(exec) => exec.run(context),
            Action::Shell(shell) => shell.run(context),
            Action::Attach(attach) => attach.run(context),
            Action::Kill(kill) => kill.run(context),
            Action::Approve(approve) => approve.run(context),
            Action::Grants(grants) => grants.run(context),
            Action::Proxy(proxy) => proxy.run(context),
            Action::Llm(llm) => llm.run(context),
            Action::Status(status) => status.run(context),
            Action::Events(events) => events.run(context),
            Action::Why(why) => why.run(context),
            Action::Audit(audit) => audit.run(context),
            Action::Gc(gc) => gc.run(context),
            Action::Output(output) => output.run(context),
            Action::Replay(replay) => replay.run(context),
            Action::Search(search) => search.run(context),
            Action::Trash(trash) => trash.run(context),
            Action::Checkpoint(checkpoint) => checkpoint.run(context),
            Action::Detect(detect) => detect.run(context),
            Action::Doctor(doctor) => doctor.run(context),
            Action::Policy(policy) => policy.run(context),
            Action::Config(config) => config.run(context),
            Action::Logs(logs) => logs.run(context),
            Action::Shim(shim) => shim.run(context),
            Action::Broker(broker) => broker.run(context),
        }
    }

    /// The exit status for every failure of ours, where the verb has one of its own.
    pub fn failure_status(&self) -> Option<u8> {
        matches!(self, Action::Exec(_) | Action::Shell(_)).then_some(exit::OURS)
    }
}

/// The command line's definition, for completions and man pages.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_verb_and_option_has_help() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {} has no help",
                    command.get_name(),
                    argument.get_id()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&command());
    }

    /// The words of the examples in a command's help and in those of its verbs.
    fn examples(command: &clap::Command) -> Vec<Vec<String>> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = help
            .lines()
            .map(|line| line.trim_start_matches("  ").trim_start_matches("SID=$("))
            .filter(|line| line.starts_with("agentsh "))
            .map(|line| {
                line.split(" | ")
                    .next()
                    .unwrap_or_default()
                    .split("   ")
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            });
        let words = |line: String| {
            line.split_whitespace()
                .map(|word| word.trim_matches(['"', '\'']).to_owned())
                .collect()
        };
        lines
            .map(words)
            .chain(command.get_subcommands().flat_map(examples))
            .collect()
    }

    #[test]
    fn every_example_of_the_help_is_understood() {
        let examples = examples(&command());
        assert!(examples.len() > 10);
        for example in examples {
            let parsed = Cli::try_parse_from(&example);
            assert!(
                parsed.is_ok(),
                "{example:?}: {}",
                parsed.err().map(|error| error.to_string()).unwrap_or_default()
            );
        }
    }

    #[test]
    fn what_stands_after_the_dashes_is_the_commands_own() {
        let cli = Cli::try_parse_from(["agentsh", "exec", "S", "--", "ls", "--color=never", "--", "-x"]);
        assert!(
            matches!(cli, Ok(Cli { color: Color::Auto, action: Some(Action::Exec(exec)) }) if exec.argv.len() == 4)
        );
    }
}
