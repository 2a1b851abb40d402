//! `agentsh events`

mod query;
mod tail;
mod wanted;

use clap::Subcommand;

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;

/// `agentsh events`
#[derive(Debug, Subcommand)]
pub enum Events {
    Tail(tail::Tail),
    Query(query::Query),
}

impl Events {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        match self {
            Events::Tail(tail) => tail.run(context),
            Events::Query(query) => query.run(context),
        }
    }
}
