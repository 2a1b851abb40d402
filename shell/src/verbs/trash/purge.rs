use std::time::Duration;

use agentsh_keep::trash::Selection;
use clap::{ArgGroup, Args};

use super::super::gc::{size, time};
use super::entry::Shown;
use super::restore::ids;
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
            ids: ids(&trash, &self.ids)?,
            older_than: self.older_than,
            shrink_to: self.shrink_to,
            all: self.all,
        })?;
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
