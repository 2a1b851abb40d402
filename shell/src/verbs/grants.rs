//! `agentsh grants`: answers of people that cover calls to come.

use agentsh_protocol::approvals::{Grant, Scope};
use clap::Subcommand;

use crate::client;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, Table, consent};

/// What there is to do with grants.
#[derive(Debug, Subcommand)]
pub enum Grants {
    /// Show what was allowed for calls to come
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take one back: the next such call asks again
    Revoke {
        /// The grant: its id or a unique beginning
        id: String,
    },
}

impl Grants {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        match self {
            Grants::List { json } => list(context, json),
            Grants::Revoke { id } => {
                let grant: Grant = context.broker()?.delete(&client::path(&["grants", &id]))?;
                render::say(&format!("revoked: {}", consent::shown(&grant.path.0)));
                Ok(Exit::DONE)
            }
        }
    }
}

fn list(context: &Context, json: bool) -> Result<Exit, Error> {
    let grants: Vec<Grant> = context.broker()?.get(&client::path(&["grants"]))?;
    if json {
        render::json(context, &grants)?;
    } else if grants.is_empty() {
        render::say("no grants");
    } else {
        let mut table = Table::new(&["ID", "SCOPE", "UNTIL", "OPERATION", "RULE", "WHAT"]);
        for grant in &grants {
            table.row(vec![
                grant.id.clone(),
                match grant.scope {
                    Scope::Once => "one retry".to_owned(),
                    Scope::Session => "session".to_owned(),
                    Scope::Always => "always".to_owned(),
                },
                match (grant.scope, grant.expires.as_deref()) {
                    (Scope::Always, _) => "revoked".to_owned(),
                    (_, None) => "its end".to_owned(),
                    (_, Some(time)) => render::time(time),
                },
                grant.operation.clone(),
                grant.rule.clone().unwrap_or_else(|| "-".to_owned()),
                match grant.argv.is_empty() {
                    true => consent::shown(&grant.path.0),
                    false => render::argv(&grant.argv),
                },
            ]);
        }
        render::print(&table.render(context.out, context.columns()))?;
    }
    Ok(Exit::DONE)
}
