use std::collections::BTreeMap;
use std::time::Duration;

use agentsh_keep::trash::{Record, Selection};
use agentsh_protocol::act::Act;
use clap::{ArgGroup, Args};

use super::super::gc::{size, time};
use super::entry::Shown;
use super::restore::records;
use crate::acts;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// Remove entries for ever
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true))]
pub struct Purge {
    /// The entries: ids, or unique beginnings or ends of them
    #[arg(group = "which", value_name = "ID")]
    ids: Vec<String>,
    /// Those that were deleted longer ago
    #[arg(long, group = "which", value_name = "TIME", value_parser = time)]
    older_than: Option<Duration>,
    /// The oldest, until the trash of each mount takes no more
    #[arg(long, group = "which", value_name = "SIZE", value_parser = size)]
    shrink_to: Option<u64>,
    /// All
    #[arg(long, group = "which")]
    all: bool,
    /// Print what was removed as JSON
    #[arg(long)]
    json: bool,
}

impl Purge {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let trash = super::open(context)?;
        let gone = trash.purge(&Selection {
            ids: records(&trash, &self.ids)?.iter().map(|record| record.id).collect(),
            older_than: self.older_than,
            shrink_to: self.shrink_to,
            all: self.all,
        })?;
        tell(context, &gone);
        match self.json {
            true => render::json(context, &gone.iter().map(Shown::record).collect::<Vec<_>>())?,
            false => {
                let freed = gone.iter().map(|record| record.charge).sum();
                render::print(&format!("{} entries removed, {}\n", gone.len(), render::bytes(freed)))?;
            }
        }
        Ok(Exit::DONE)
    }
}

/// Each session that lost them learns how many are gone now.
fn tell(context: &Context, gone: &[Record]) {
    let mut sessions: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for record in gone {
        if let Some(session) = &record.meta.session {
            let (entries, bytes) = sessions.entry(session).or_default();
            *entries += 1;
            *bytes += record.charge;
        }
    }
    for (session, (entries, bytes)) in sessions {
        acts::tell(context, session, &Act::Purged { entries, bytes });
    }
}
