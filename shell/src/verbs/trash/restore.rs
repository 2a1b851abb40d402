use std::path::PathBuf;

use agentsh_keep::trash::{Id, Target, Trash};
use clap::Args;

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
        for id in ids(&trash, &self.ids)?.into_iter().rev() {
            match trash.restore(id, &target) {
                Ok(path) => render::print(&(render::visible(&path.to_string_lossy()) + "\n"))?,
                Err(error) => {
                    failed = true;
                    render::error(&error.into(), context);
                }
            }
        }
        Ok(Exit::ok_if(!failed))
    }
}

/// The ids that words stand for, oldest first, each once.
pub(super) fn ids(trash: &Trash, words: &[String]) -> Result<Vec<Id>, Error> {
    let found = words.iter().map(|word| Ok(trash.show(word)?.record.id));
    let mut ids = found.collect::<Result<Vec<Id>, Error>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
