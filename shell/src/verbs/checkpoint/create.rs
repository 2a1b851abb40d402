use agentsh_protocol::act::Act;
use clap::Args;

use super::Of;
use super::shown::{Shown, say_problems};
use crate::acts;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// Keep the present state of a workspace, hidden and untracked files included, and print its id
#[derive(Debug, Args)]
pub struct Create {
    #[command(flatten)]
    of: Of,
    /// What to call it
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Create {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let checkpoints = self.of.open(context)?;
        let header = checkpoints.create(self.label.as_deref())?.header;
        let act = Act::CheckpointCreated {
            checkpoint: header.id.to_string(),
            label: self.label.clone(),
        };
        acts::tell_workspace(context, checkpoints.workspace(), &act);
        say_problems(&header.problems);
        for path in &header.unstable {
            render::say(&format!(
                "agentsh: {}: it changed while it was read",
                render::visible(&path.lossy())
            ));
        }
        match self.json {
            true => render::json(context, &Shown::of(&header))?,
            false => render::print(&format!("{}\n", header.id))?,
        }
        Ok(Exit::DONE)
    }
}
