use clap::{Args, ValueEnum};

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::repl;

/// Work in a session by hand: a line editor over a real shell (also `agentsh` alone)
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  agentsh                                 in the running session of this folder, or a new one
  agentsh shell --session work --with zsh
  echo 'make test' | agentsh

Lines go to one shell that stays: its folder, variables, functions and jobs last. After each command a line sums up what \
it did. `:help` lists what is ours: events, approvals, undo, replay and more. Where stdin or stdout is no terminal the \
shell reads its script from stdin and nothing is added.")]
pub struct Shell {
    /// The session: id, unique beginning of it, or name
    #[arg(long, value_name = "SESSION", conflicts_with = "policy")]
    pub session: Option<String>,
    /// The policy of the session if one is made: a name, or a file
    #[arg(long, value_name = "NAME|FILE")]
    pub policy: Option<String>,
    /// The shell that runs the lines
    #[arg(long = "with", value_name = "SHELL", value_enum, default_value_t)]
    pub program: Program,
}

/// Shells that the line editor can drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Program {
    /// GNU bash
    #[default]
    Bash,
    /// Z shell
    Zsh,
    /// Debian's small POSIX shell
    Dash,
}

impl Shell {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        repl::run(&self, context)
    }
}
