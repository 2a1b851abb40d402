use agentsh_keep::checkpoint::Header;
use clap::Args;

use super::Of;
use super::shown::Shown;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, Table};

/// Show the checkpoints of a workspace, newest first
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    of: Of,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let mut listing = self.of.open_to_read(context)?.list()?;
        listing.checkpoints.reverse();
        let checkpoints = &listing.checkpoints;
        match (self.json, checkpoints.is_empty()) {
            (true, _) => render::json(context, &checkpoints.iter().map(Shown::of).collect::<Vec<_>>())?,
            (false, true) => render::say("no checkpoints; `agentsh checkpoint create` makes one"),
            (false, false) => render::print(&table(checkpoints).render(context.out, context.columns()))?,
        }
        let whole = listing.damaged.is_empty();
        for damaged in listing.damaged {
            render::error(&damaged.into(), context);
        }
        Ok(Exit::ok_if(whole))
    }
}

fn table(checkpoints: &[Header]) -> Table {
    let mut table = Table::new(&["ID", "MADE", "NAMES", "SIZE", "LABEL"]);
    for header in checkpoints {
        table.row(vec![
            header.id.to_string(),
            render::time(&header.finished.rfc3339()),
            header.entries.to_string(),
            render::bytes(header.bytes),
            header.label.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table
}
