//! What this program is started as.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{broker, build, supervisor};

/// The broker of agentsh: sessions, their supervisors, and the sockets of one user.
#[derive(Debug, Parser)]
#[command(name = "agentsh-ptyd", version = build::VERSION)]
struct Arguments {
    /// Started by a stand-in shell or the command line, not by a person.
    #[arg(long)]
    on_demand: bool,
    /// Descriptor that is closed once the broker serves; a reason is written there if it cannot.
    #[arg(long, value_name = "N")]
    ready_fd: Option<i32>,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// One session's supervisor; standard input is the socket to the broker.
    #[command(hide = true)]
    Supervise,
    /// A supervisor's helper that shows who is outside of every sandbox.
    #[command(hide = true)]
    HoldProof,
    /// A supervisor's helper that makes a private network; standard input is the socket to the supervisor.
    #[command(hide = true)]
    HoldNetwork,
}

/// Runs as what the arguments say.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::Supervise) => supervisor::run(),
        Some(Role::HoldProof) => supervisor::hold_proof(),
        Some(Role::HoldNetwork) => supervisor::hold_network(),
        None => broker::run(broker::Options {
            on_demand: arguments.on_demand,
            ready_fd: arguments.ready_fd,
        }),
    }
}
