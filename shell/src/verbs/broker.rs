use std::time::{Duration, Instant};

use agentsh_protocol::api::Status;
use clap::Subcommand;

use crate::client::{self, Client, Starter};
use crate::context::Context;
use crate::error::Error;
use crate::exit::{self, Exit};
use crate::render;

/// How long ending all sessions may take before we go, and how often we look.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// `agentsh broker`
#[derive(Debug, Subcommand)]
pub enum Broker {
    /// Start the broker, if none runs (other verbs and the shims do this by themselves)
    Start,
    /// End all sessions with their commands, and the broker
    Stop,
}

impl Broker {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        match self {
            Broker::Start => start(context),
            Broker::Stop => stop(context),
        }
    }
}

fn start(context: &Context) -> Result<Exit, Error> {
    let broker = Client::reach(context.uid, Starter::Person)?;
    let status: Status = broker.get(&client::path(&["status"]))?;
    render::say(&format!("the broker runs as process {}", status.pid));
    Ok(Exit::DONE)
}

fn stop(context: &Context) -> Result<Exit, Error> {
    let Some(broker) = context.running_broker()? else {
        render::say("no broker runs");
        return Ok(Exit::DONE);
    };
    broker.post::<serde_json::Value>(&client::path(&["stop"]), &())?;
    let end = Instant::now() + STOPPED_WITHIN;
    while context.running_broker()?.is_some() {
        if Instant::now() > end {
            render::say("the broker still ends its sessions; `agentsh logs` shows what it does");
            return Ok(Exit::Status(exit::FAILED));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    render::say("the broker has ended, with all sessions");
    Ok(Exit::DONE)
}
