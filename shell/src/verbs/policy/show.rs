use std::ffi::OsString;

use agentsh_policy::Document;
use agentsh_protocol::api::SelfInfo;
use clap::Args;
use serde::Serialize;

use crate::client;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::record;
use crate::render;
use crate::verbs::{config, why};

/// Print a policy: that of a session with its variables resolved, or one by name
#[derive(Debug, Args)]
#[command(after_help = "Without a name: inside a session its own policy, else the configured default.")]
pub struct Show {
    /// A policy by name, or the file of one
    #[arg(value_name = "NAME|FILE")]
    policy: Option<OsString>,
    /// The resolved policy of this session
    #[arg(long, conflicts_with = "policy")]
    session: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A policy as JSON.
#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    /// The session that has it, if it is one's.
    session_id: Option<String>,
    text: String,
}

impl Show {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let shown = match (&self.session, &self.policy) {
            (Some(session), _) => of_session(context, session)?,
            (None, Some(policy)) => of_document(&super::document(context, policy)?),
            (None, None) => match why::inside(context)? {
                Some(supervisor) => of_self(supervisor.get(&client::path(&["self"]))?),
                None => {
                    let default = config::load(context)?.config.sessions.default_policy;
                    of_document(&super::document(context, default.as_ref())?)
                }
            },
        };
        match self.json {
            true => render::json(context, &shown)?,
            false => render::print(&shown.text)?,
        }
        Ok(Exit::DONE)
    }
}

fn of_session(context: &Context, word: &str) -> Result<Shown, Error> {
    let dir = record::session(context, Some(word))?;
    Ok(Shown {
        name: dir.info()?.policy,
        session_id: Some(dir.id().to_owned()),
        text: dir.policy_text()?,
    })
}

fn of_document(document: &Document) -> Shown {
    Shown {
        name: document.file.name.value.clone(),
        session_id: None,
        text: document.source.text.to_string(),
    }
}

fn of_self(own: SelfInfo) -> Shown {
    Shown {
        name: own.policy,
        session_id: Some(own.session_id),
        text: own.policy_text,
    }
}
