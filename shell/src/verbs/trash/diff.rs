use clap::Args;

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// Compare what is kept (-) with what is at its place now (+)
#[derive(Debug, Args)]
pub struct Diff {
    /// The entry: id, or a unique beginning or end of it
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Diff {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let trash = super::open_to_read(context)?;
        let id = trash.show(&self.id)?.record.id;
        render::difference(context, &trash.diff(id)?, self.json)?;
        Ok(Exit::DONE)
    }
}
