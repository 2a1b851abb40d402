//! `agentsh`, the command line that people and agents call: sessions, commands in them, policies, the record.
//!
//! Promises: stdout is data and stderr is talk; every reading verb has `--json`; text that comes from a session is
//! shown with its control characters made visible; exit codes are 0 done, 1 failed, 2 usage, 3 the answer "denied"
//! of `policy test` and `policy explain`; `exec` ends as its command ends, or with 124 (timeout), 125 (our failure), 126 (refused).
//!
//! It enforces nothing: commands enter their sandbox by the shim's program, and the broker judges. Nothing that it
//! reads from the environment is passed on as evidence (`NO_COLOR` and `TERM` change colours only).

mod acts;
mod attach;
mod cli;
mod client;
mod context;
mod error;
mod exec;
mod exit;
mod label;
mod load_report;
mod record;
mod recordings;
mod render;
mod repl;
mod running;
mod sys;
mod verbs;

pub use cli::{VERSION, command};

use clap::Parser;

/// Runs the command line of this process and answers its exit status.
pub fn main() -> std::process::ExitCode {
    sys::default_sigpipe();
    let cli = cli::Cli::parse();
    let context = context::Context::of_process(cli.color);
    let action = cli.action.unwrap_or_else(cli::Action::alone);
    let failure = action.failure_status();
    match action.run(&context) {
        Ok(exit) => exit.finish(),
        Err(error) => {
            render::error(&error, &context);
            exit::Exit::Status(failure.unwrap_or(error.status())).finish()
        }
    }
}
