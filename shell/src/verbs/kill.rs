use agentsh_protocol::api::{self, ErrorKind, Killed, SessionInfo};
use clap::Args;

use crate::client::{self, Client, ClientError};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::{render, running};

/// End a command or a session with all of its processes, or everything
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  agentsh kill 0199f3              a session or a command, by a unique beginning of its id
  agentsh kill --all               everything ends, and no new command starts ...
  agentsh kill --lift              ... until this is said outside of all sessions")]
pub struct Kill {
    /// A command or a session
    #[arg(value_name = "COMMAND|SESSION", required_unless_present_any = ["all", "lift"])]
    target: Option<String>,
    /// The kill switch: end every session, refuse new commands until --lift
    #[arg(long, conflicts_with_all = ["target", "lift"])]
    all: bool,
    /// Take the kill switch back
    #[arg(long, conflicts_with = "target")]
    lift: bool,
}

impl Kill {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let broker = context.broker()?;
        let what = match (self.target, self.all) {
            (Some(target), _) => find(&broker, &target)?,
            (None, true) => api::Kill::All,
            (None, false) => return lift(&broker),
        };
        let killed: Killed = broker.post(&client::path(&["kill"]), &what)?;
        render::say(&format!(
            "ended: {}, {}",
            render::count(killed.sessions, "session"),
            render::count(killed.processes, "process")
        ));
        match killed.left {
            0 => Ok(Exit::DONE),
            left => Err(Error::unknown(
                format!("of {left} of them something may live still, and is not found"),
                "it can start nothing, and nobody answers its calls; `agentsh logs` says more",
            )),
        }
    }
}

fn lift(broker: &Client) -> Result<Exit, Error> {
    broker.post::<serde_json::Value>(&client::path(&["lift"]), &())?;
    render::say("new commands may start again");
    Ok(Exit::DONE)
}

/// A session of that name or id, else a running command of any session.
fn find(broker: &Client, target: &str) -> Result<api::Kill, Error> {
    match broker.get::<SessionInfo>(&client::path(&["sessions", target])) {
        Ok(session) => return Ok(api::Kill::Session { session: session.id }),
        // It runs, and its supervisor does not say what it is: it is not asked whether it may be ended.
        Err(ClientError::Api(error)) if error.error == ErrorKind::Failed => {
            let session = target.to_owned();
            return Ok(api::Kill::Session { session });
        }
        Err(ClientError::Api(error)) if error.error == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    match running::command(broker, target)? {
        Some(command) => Ok(api::Kill::Command {
            session: command.session_id,
            command: command.id,
        }),
        None => Err(Error::unknown(
            format!("no session and no command is called {}", render::visible(target)),
            "`agentsh session list` and `agentsh session info SESSION` show them",
        )),
    }
}
