use clap::Args;

use super::entry::{Shown, cause, original};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// Show an entry: what it was, who deleted it, where it is kept
#[derive(Debug, Args)]
pub struct Show {
    /// The entry: id, or a unique beginning or end of it
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let entry = super::open_to_read(context)?.show(&self.id)?;
        if self.json {
            render::json(context, &Shown::entry(&entry))?;
            return Ok(Exit::DONE);
        }
        let record = &entry.record;
        let known = |word: &Option<String>| word.as_deref().map(render::visible).unwrap_or_default();
        render::print(&render::pairs(&[
            ("id", record.id.to_string()),
            ("path", original(record)),
            ("kind", render::kind(record.kind).to_owned()),
            ("size", render::bytes(record.size)),
            ("mode", format!("{:04o} of {}:{}", record.mode, record.uid, record.gid)),
            ("changed", render::time(&record.mtime.rfc3339())),
            (
                "lost",
                format!("{} {}", cause(record), render::time(&record.time.rfc3339())),
            ),
            ("session", known(&record.meta.session)),
            ("command", known(&record.meta.command)),
            ("rule", known(&record.meta.rule)),
            ("kept in", render::visible(&entry.file.to_string_lossy())),
        ]))?;
        Ok(Exit::DONE)
    }
}
