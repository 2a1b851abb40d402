use agentsh_keep::Id;
use agentsh_keep::checkpoint::{self, Problem};
use agentsh_protocol::act::Act;
use clap::Args;
use serde::Serialize;

use super::Of;
use super::shown::{Changed, say_problems, table};
use crate::acts;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// Bring a workspace back to a checkpoint; the state before is kept as a checkpoint too
///
/// Commands that are at work in the workspace should be ended first (`agentsh kill`).
#[derive(Debug, Args)]
pub struct Rollback {
    #[command(flatten)]
    of: Of,
    /// The checkpoint: id, or a unique beginning or end of it
    id: String,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The JSON of a rollback.
#[derive(Debug, Serialize)]
struct Report<'a> {
    target: Id,
    /// The checkpoint of the state before; null for a dry run.
    undo: Option<Id>,
    changes: Vec<Changed<'a>>,
    /// What was left as it is.
    problems: &'a [Problem],
    /// Entries of the trash: what others changed meanwhile.
    kept: Vec<Id>,
}

impl Rollback {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let checkpoints = self.of.open(context)?;
        let done = checkpoints.rollback(checkpoints.find(&self.id)?, self.dry_run)?;
        if !self.dry_run {
            let act = Act::CheckpointRestored {
                checkpoint: done.target.to_string(),
                undo: done.undo.map(|undo| undo.to_string()),
                changes: done.changes.len() as u64,
            };
            acts::tell_workspace(context, checkpoints.workspace(), &act);
        }
        match self.json {
            true => render::json(context, &report(&done))?,
            false => render::print(&table(&done.changes).render(context.out, context.columns()))?,
        }
        say_problems(&done.problems);
        if let Some(undo) = done.undo {
            render::say(&format!("`agentsh checkpoint rollback {undo}` undoes this"));
        }
        for kept in &done.kept {
            render::say(&format!("changed meanwhile, and in the trash now: {}", kept.record.id));
        }
        Ok(Exit::ok_if(done.problems.is_empty()))
    }
}

fn report(done: &checkpoint::Rollback) -> Report<'_> {
    Report {
        target: done.target,
        undo: done.undo,
        changes: done.changes.iter().map(Changed::of).collect(),
        problems: &done.problems,
        kept: done.kept.iter().map(|kept| kept.record.id).collect(),
    }
}
