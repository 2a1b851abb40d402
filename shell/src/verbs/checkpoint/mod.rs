//! `agentsh checkpoint`: states of a workspace, kept in the caller's state folder, one store a workspace.

mod create;
mod list;
mod purge;
mod rollback;
mod show;
mod shown;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agentsh_keep::checkpoint::{Checkpoints, store_of};
use agentsh_keep::trash::{Limits, Trash, TrashError};
use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::{record, render};

/// `agentsh checkpoint`
#[derive(Debug, Subcommand)]
pub enum CheckpointVerb {
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Rollback(rollback::Rollback),
    Purge(purge::Purge),
}

impl CheckpointVerb {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        match self {
            CheckpointVerb::Create(create) => create.run(context),
            CheckpointVerb::List(list) => list.run(context),
            CheckpointVerb::Show(show) => show.run(context),
            CheckpointVerb::Rollback(rollback) => rollback.run(context),
            CheckpointVerb::Purge(purge) => purge.run(context),
        }
    }
}

/// Whose checkpoints are meant.
#[derive(Debug, Args)]
pub struct Of {
    /// Those of this session's workspace: id, unique beginning of it, or name
    #[arg(long, value_name = "SESSION", conflicts_with = "workspace")]
    session: Option<String>,
    /// Those of this folder (else of the innermost workspace of a session that holds the current folder, else of that folder)
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
}

impl Of {
    /// The workspace's checkpoints; a rollback that was interrupted is ended first, and said.
    fn open(&self, context: &Context) -> Result<Checkpoints, Error> {
        self.open_with(context, |state, workspace| {
            Trash::open(state, Some(workspace), Limits::default())
        })
    }

    /// The same for looking at them, also where nothing can be written.
    fn open_to_read(&self, context: &Context) -> Result<Checkpoints, Error> {
        self.open_with(context, |state, workspace| Trash::open_to_read(state, Some(workspace)))
    }

    fn open_with(
        &self,
        context: &Context,
        trash: impl FnOnce(&Path, &Path) -> Result<Trash, TrashError>,
    ) -> Result<Checkpoints, Error> {
        let workspace = self.folder(context)?;
        let workspace = std::fs::canonicalize(&workspace).map_err(|source| Error::file(&workspace, source))?;
        let state = context.account().state_dir();
        let trash = trash(&state, &workspace)?;
        let checkpoints = Checkpoints::open(&store_of(&state, &workspace), &workspace, Arc::new(trash))?;
        if let Some(ended) = checkpoints.recovered() {
            render::say(&format!(
                "a rollback to {} had been interrupted, and was ended now",
                ended.target
            ));
            shown::say_problems(&ended.problems);
        }
        Ok(checkpoints)
    }

    fn folder(&self, context: &Context) -> Result<PathBuf, Error> {
        if let Some(folder) = &self.workspace {
            return Ok(folder.clone());
        }
        if let Some(word) = &self.session {
            let session = record::session(context, Some(word))?.info()?;
            let none = || Error::unknown("the session has no workspace", "`--workspace DIR` names a folder");
            return session
                .workspace
                .map(|path| PathBuf::from(path.as_os_str()))
                .ok_or_else(none);
        }
        let here = std::env::current_dir().map_err(|source| Error::file(".", source))?;
        let sessions = record::all(&record::store(context)).unwrap_or_default();
        let workspaces = sessions.into_iter().filter_map(|(_, session)| session.workspace);
        let around = workspaces
            .map(|path| PathBuf::from(path.as_os_str()))
            .filter(|path| here.starts_with(path))
            .max_by_key(|path| path.components().count());
        Ok(around.unwrap_or(here))
    }
}
