//! `agentsh session`

pub mod create;
mod info;
mod list;

use agentsh_protocol::api::SessionInfo;
use clap::{Args, Subcommand};

use crate::client;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// `agentsh session`
#[derive(Debug, Subcommand)]
pub enum Session {
    Create(create::Create),
    List(list::List),
    Info(info::Info),
    Destroy(Destroy),
}

impl Session {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        match self {
            Session::Create(create) => create.run(context),
            Session::List(list) => list.run(context),
            Session::Info(info) => info.run(context),
            Session::Destroy(destroy) => destroy.run(context),
        }
    }
}

/// End a session with all of its processes; its record stays
#[derive(Debug, Args)]
pub struct Destroy {
    /// The session: id, unique beginning of it, or name
    session: String,
}

impl Destroy {
    fn run(self, context: &Context) -> Result<Exit, Error> {
        let session: SessionInfo = context.broker()?.delete(&client::path(&["sessions", &self.session]))?;
        render::say(&format!(
            "session {} ended; its record stays in {}",
            session.id,
            render::visible(&session.path)
        ));
        Ok(Exit::DONE)
    }
}
