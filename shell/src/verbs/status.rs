use agentsh_protocol::api;
use clap::Args;

use crate::client;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// Say whether the broker runs, and what it serves
#[derive(Debug, Args)]
pub struct Status {
    /// Print JSON (`null` if no broker runs)
    #[arg(long)]
    json: bool,
}

impl Status {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let broker = context.running_broker()?;
        let status = broker
            .map(|broker| broker.get::<api::Status>(&client::path(&["status"])))
            .transpose()?;
        match (&status, self.json) {
            (_, true) => render::json(context, &status)?,
            (Some(status), false) => render::print(&text(status, context))?,
            (None, false) => render::print("no broker runs (the next session or shim starts one)\n")?,
        }
        Ok(Exit::DONE)
    }
}

fn text(status: &api::Status, context: &Context) -> String {
    let switch = match status.killed {
        true => context.out.red("on: no command starts until `agentsh kill --lift`"),
        false => "off".to_owned(),
    };
    render::pairs(&[
        ("version", format!("{} ({})", status.version, status.commit)),
        ("process", status.pid.to_string()),
        ("started", render::time(&status.started)),
        ("mode", status.mode.clone()),
        ("sessions", status.sessions.to_string()),
        ("commands", status.commands.to_string()),
        ("kill switch", switch),
    ])
}
