use std::path::PathBuf;

use agentsh_keep::Id;
use agentsh_keep::checkpoint::{Checkpoints, Header};
use clap::Args;

use super::Of;
use super::shown::{Changed, Shown, table};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// Show a checkpoint, or what has changed since
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    of: Of,
    /// The checkpoint: id, or a unique beginning or end of it
    id: String,
    /// What is different now; with a path of the workspace, how that file is (- then, + now)
    #[arg(long, value_name = "PATH", num_args = 0..=1)]
    diff: Option<Option<PathBuf>>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let checkpoints = self.of.open_to_read(context)?;
        let id = checkpoints.find(&self.id)?;
        match &self.diff {
            None => self.header(context, &checkpoints.show(id)?.header)?,
            Some(None) => self.changes(context, &checkpoints, id)?,
            Some(Some(path)) => render::difference(context, &checkpoints.diff_path(id, path)?, self.json)?,
        }
        Ok(Exit::DONE)
    }

    fn header(&self, context: &Context, header: &Header) -> Result<(), Error> {
        if self.json {
            return render::json(context, &Shown::of(header));
        }
        let paths = |paths: &[agentsh_protocol::Bytes]| {
            let shown: Vec<String> = paths.iter().map(|path| render::visible(&path.lossy())).collect();
            shown.join("\n")
        };
        let problems: Vec<String> = header
            .problems
            .iter()
            .map(|problem| render::visible(&format!("{}: {}", problem.path.lossy(), problem.reason)))
            .collect();
        render::print(&render::pairs(&[
            ("id", header.id.to_string()),
            (
                "label",
                header.label.as_deref().map(render::visible).unwrap_or_default(),
            ),
            ("workspace", render::visible(&header.workspace.lossy())),
            ("made", render::time(&header.finished.rfc3339())),
            ("names", header.entries.to_string()),
            ("size", render::bytes(header.bytes)),
            ("unstable", paths(&header.unstable)),
            ("problems", problems.join("\n")),
            ("left out", paths(&header.excluded)),
        ]))
    }

    fn changes(&self, context: &Context, checkpoints: &Checkpoints, id: Id) -> Result<(), Error> {
        let changes = checkpoints.diff(id)?;
        match (self.json, changes.is_empty()) {
            (true, _) => render::json(context, &changes.iter().map(Changed::of).collect::<Vec<_>>()),
            (false, true) => {
                render::say("nothing has changed since");
                Ok(())
            }
            (false, false) => render::print(&table(&changes).render(context.out, context.columns())),
        }
    }
}
