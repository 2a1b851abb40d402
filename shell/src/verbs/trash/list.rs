use std::path::{Path, PathBuf};

use agentsh_keep::trash::{Entry, Record};
use clap::Args;

use super::entry::{Shown, cause, original};
use super::whereabouts::known_as;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::record;
use crate::render::{self, Table};

/// Show what sessions deleted or overwrote, newest first
#[derive(Debug, Args)]
pub struct List {
    /// Only what this session lost: id, unique beginning of it, or name
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// Only what was here, or below here
    #[arg(long, value_name = "PATH")]
    path: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        // A session whose record is gone is still named by its id.
        let session = self.session.as_ref().map(|word| {
            record::session(context, Some(word)).map_or_else(|_| word.clone(), |found| found.id().to_owned())
        });
        let below = self.path.as_deref().map(paths).transpose()?;
        let mut entries = super::open_to_read(context)?.list()?;
        entries.retain(|entry| is_wanted(&entry.record, session.as_deref(), below.as_deref()));
        entries.reverse();
        match (self.json, entries.is_empty()) {
            (true, _) => render::json(context, &entries.iter().map(Shown::entry).collect::<Vec<_>>())?,
            (false, true) => render::say("nothing of that kind is in the trash"),
            (false, false) => render::print(&table(&entries).render(context.out, context.columns()))?,
        }
        Ok(Exit::DONE)
    }
}

fn paths(path: &Path) -> Result<Vec<PathBuf>, Error> {
    known_as(path).map_err(|source| Error::file(path, source))
}

fn is_wanted(record: &Record, session: Option<&str>, below: Option<&[PathBuf]>) -> bool {
    let of_session = |wanted: &str| record.meta.session.as_deref().is_some_and(|id| id.starts_with(wanted));
    let is_below = |folders: &[PathBuf]| {
        let original = record.original();
        original.is_some_and(|path| folders.iter().any(|folder| path.starts_with(folder)))
    };
    session.is_none_or(of_session) && below.is_none_or(is_below)
}

fn table(entries: &[Entry]) -> Table {
    let mut table = Table::new(&["ID", "TIME", "CAUSE", "KIND", "SIZE", "PATH"]);
    for Entry { record, .. } in entries {
        table.row(vec![
            record.id.to_string(),
            render::time(&record.time.rfc3339()),
            cause(record).to_owned(),
            render::kind(record.kind).to_owned(),
            render::bytes(record.size),
            original(record),
        ]);
    }
    table
}
