//! `agentsh trash`: read and changed on disk, with or without a broker.

mod diff;
mod entry;
mod list;
mod purge;
mod restore;
mod show;
mod whereabouts;

use agentsh_keep::trash::{Limits, Trash};
use clap::Subcommand;

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;

/// `agentsh trash`
#[derive(Debug, Subcommand)]
pub enum TrashVerb {
    List(list::List),
    Show(show::Show),
    Restore(restore::Restore),
    Diff(diff::Diff),
    Purge(purge::Purge),
}

impl TrashVerb {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        match self {
            TrashVerb::List(list) => list.run(context),
            TrashVerb::Show(show) => show.run(context),
            TrashVerb::Restore(restore) => restore.run(context),
            TrashVerb::Diff(diff) => diff.run(context),
            TrashVerb::Purge(purge) => purge.run(context),
        }
    }
}

/// The caller's trash on all mounts. The limits of a policy hold for deletions, which are not made here.
pub fn open(context: &Context) -> Result<Trash, Error> {
    Ok(Trash::open(&context.account().state_dir(), None, Limits::default())?)
}

/// The same for looking at it.
pub fn open_to_read(context: &Context) -> Result<Trash, Error> {
    Ok(Trash::open_to_read(&context.account().state_dir(), None)?)
}
