use std::path::{Path, PathBuf};

use agentsh_keep::trash::{Record, Target, Trash};
use agentsh_protocol::act::Act;
use clap::Args;

use crate::acts;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// Bring entries back to where they were; nothing that is there is overwritten
///
/// Several entries are brought back in the reverse order of their deletion, so that a folder is there before what was in it.
#[derive(Debug, Args)]
pub struct Restore {
    /// The entries: ids, or unique beginnings or ends of them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Bring the entry back here
    #[arg(long, value_name = "PATH", conflicts_with = "beside")]
    to: Option<PathBuf>,
    /// Take a free name next to what is in the way
    #[arg(long)]
    beside: bool,
}

impl Restore {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        if self.to.is_some() && self.ids.len() > 1 {
            return Err(Error::usage("--to is a place for one entry", "restore them one by one"));
        }
        let trash = super::open(context)?;
        let target = match (self.to, self.beside) {
            (Some(path), _) => Target::At(path),
            (None, true) => Target::Beside,
            (None, false) => Target::Original,
        };
        let mut failed = false;
        for record in records(&trash, &self.ids)?.into_iter().rev() {
            match trash.restore(record.id, &target) {
                Ok(path) => {
                    tell(context, &record, &path);
                    render::print(&(render::visible(&path.to_string_lossy()) + "\n"))?;
                }
                Err(error) => {
                    failed = true;
                    render::error(&error.into(), context);
                }
            }
        }
        Ok(Exit::ok_if(!failed))
    }
}

/// The session that lost it learns that it is back.
fn tell(context: &Context, record: &Record, path: &Path) {
    if let Some(session) = &record.meta.session {
        let act = Act::Restored {
            entry: record.id.to_string(),
            original: record.original.clone(),
            path: path.into(),
        };
        acts::tell(context, session, &act);
    }
}

/// The records that words stand for, oldest first, each once.
pub(super) fn records(trash: &Trash, words: &[String]) -> Result<Vec<Record>, Error> {
    let found = words.iter().map(|word| Ok(trash.show(word)?.record));
    let mut records = found.collect::<Result<Vec<Record>, Error>>()?;
    records.sort_unstable_by_key(|record| record.id);
    records.dedup_by_key(|record| record.id);
    Ok(records)
}
