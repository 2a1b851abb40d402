use agentsh_protocol::api::Status;
use clap::Subcommand;

use crate::client::{self, Client, Starter};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

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
    render::say("the broker ends, after its sessions");
    Ok(Exit::DONE)
}
