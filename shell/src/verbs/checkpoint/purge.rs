use std::time::Duration;

use agentsh_keep::checkpoint::Selection;
use clap::{ArgGroup, Args};

use super::super::gc::{size, time};
use super::Of;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// Remove checkpoints of a workspace for ever
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true))]
pub struct Purge {
    #[command(flatten)]
    of: Of,
    /// The checkpoints: ids, or unique beginnings or ends of them
    #[arg(group = "which", value_name = "ID")]
    ids: Vec<String>,
    /// Those that were made longer ago
    #[arg(long, group = "which", value_name = "TIME", value_parser = time)]
    older_than: Option<Duration>,
    /// All but the newest so many
    #[arg(long, group = "which", value_name = "COUNT")]
    keep: Option<usize>,
    /// The oldest, until the store takes no more; the newest stays
    #[arg(long, group = "which", value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// Print the ids that went as JSON
    #[arg(long)]
    json: bool,
}

impl Purge {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let checkpoints = self.of.open(context)?;
        let ids = self.ids.iter().map(|word| Ok(checkpoints.find(word)?));
        let gone = checkpoints.purge(&Selection {
            ids: ids.collect::<Result<_, Error>>()?,
            older_than: self.older_than,
            keep: self.keep,
            max_size: self.max_size,
        })?;
        match self.json {
            true => render::json(context, &gone)?,
            false => render::print(&format!(
                "{} checkpoints removed, the store takes {}\n",
                gone.len(),
                render::bytes(checkpoints.size()?)
            ))?,
        }
        Ok(Exit::DONE)
    }
}
