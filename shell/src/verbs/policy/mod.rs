//! `agentsh policy`

mod against;
mod answer;
mod engine;
mod explain;
mod inside;
mod list;
mod new;
mod operation;
mod schema;
mod show;
mod starts;
mod test;
mod validate;

pub use against::of_session;
pub use engine::Engine;
pub use explain::Story;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use agentsh_policy::Document;
use agentsh_policy::library::{self, Entry};
use clap::Subcommand;

use super::config;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;

/// `agentsh policy`
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    List(list::List),
    Show(show::Show),
    New(new::New),
    Validate(validate::Validate),
    Test(test::Test),
    Explain(explain::Explain),
    Schema(schema::SchemaVerb),
}

impl PolicyVerb {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        match self {
            PolicyVerb::List(list) => list.run(context),
            PolicyVerb::Show(show) => show.run(context),
            PolicyVerb::New(new) => new.run(context),
            PolicyVerb::Validate(validate) => validate.run(context),
            PolicyVerb::Test(test) => test.run(context),
            PolicyVerb::Explain(explain) => explain.run(context),
            PolicyVerb::Schema(schema) => schema.run(context),
        }
    }
}

/// The folders in which the caller's policies are found by name.
///
/// # Errors
/// The configuration is wrong.
fn folders(context: &Context) -> Result<Vec<PathBuf>, Error> {
    let config = config::load(context)?.config;
    Ok(library::folders(&context.account().config_dir(), &config))
}

/// The policy of a name.
///
/// # Errors
/// There is none.
fn named(context: &Context, name: &str) -> Result<Entry, Error> {
    library::find(name, &folders(context)?).ok_or_else(|| {
        Error::unknown(
            format!("no policy is called {}", render::visible(name)),
            "`agentsh policy list` shows them; a file is named with a slash or its ending .yaml",
        )
    })
}

/// Whether a word on the command line names a file and not a policy.
pub fn is_file(word: &OsStr) -> bool {
    let word = word.as_bytes();
    word.contains(&b'/') || word.ends_with(b".yaml") || word.ends_with(b".yml")
}

/// The policy that a name or a file says.
///
/// # Errors
/// There is none, or it is wrong.
fn document(context: &Context, word: &OsStr) -> Result<Document, Error> {
    match is_file(word) {
        true => Ok(agentsh_policy::read(Path::new(word))?),
        false => Ok(named(context, &word.to_string_lossy())?.load()?),
    }
}
