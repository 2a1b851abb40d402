//! `agentsh config`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use agentsh_policy::config::{self, Config, Loaded};
use agentsh_protocol::api::SCHEMA_VERSION;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, Table};

/// `agentsh config`
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    Show(Show),
    Path(Paths),
    Validate(Validate),
}

/// Show every key with its value and the file that gives it
#[derive(Debug, Args)]
pub struct Show {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Show which files are read, the strongest first
#[derive(Debug, Args)]
pub struct Paths {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Check configuration files
#[derive(Debug, Args)]
pub struct Validate {
    /// The files (those that are read, if none is given)
    files: Vec<PathBuf>,
}

/// The configuration as JSON.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    schema_version: u32,
    files: &'a [PathBuf],
    config: &'a Config,
    /// The file that gives a key; keys that are not here have their defaults.
    origins: BTreeMap<&'a str, &'a Path>,
}

/// A file that may be read.
#[derive(Debug, Serialize)]
struct Place {
    path: PathBuf,
    exists: bool,
}

impl ConfigVerb {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        match self {
            ConfigVerb::Show(show) => show.run(context),
            ConfigVerb::Path(paths) => paths.run(context),
            ConfigVerb::Validate(validate) => validate.run(context),
        }
    }
}

/// The files of the caller's configuration, the strongest first, whether they exist or not.
fn paths(context: &Context) -> [PathBuf; 2] {
    [config::SYSTEM.into(), context.account().config_dir().join(config::FILE)]
}

/// The caller's configuration, with the origin of each key.
///
/// # Errors
/// A file that exists cannot be read or is wrong.
pub fn load(context: &Context) -> Result<Loaded, Error> {
    let [system, user] = paths(context);
    Ok(config::load_files(&[&system, &user])?)
}

impl Show {
    fn run(self, context: &Context) -> Result<Exit, Error> {
        let loaded = load(context)?;
        match self.json {
            true => render::json(context, &Shown::of(&loaded))?,
            false => render::print(&table(&loaded).render(context.out, context.columns()))?,
        }
        Ok(Exit::DONE)
    }
}

impl Shown<'_> {
    fn of(loaded: &Loaded) -> Shown<'_> {
        let given = loaded
            .keys
            .iter()
            .filter_map(|key| Some((key.name.as_str(), key.origin.as_deref()?)));
        Shown {
            schema_version: SCHEMA_VERSION,
            files: &loaded.files,
            config: &loaded.config,
            origins: given.collect(),
        }
    }
}

fn table(loaded: &Loaded) -> Table {
    let mut table = Table::new(&["KEY", "VALUE", "FROM"]);
    for key in &loaded.keys {
        let from = key
            .origin
            .as_ref()
            .map_or_else(|| "default".to_owned(), |path| path.display().to_string());
        table.row(vec![key.name.clone(), key.value.to_string(), from]);
    }
    table
}

impl Paths {
    fn run(self, context: &Context) -> Result<Exit, Error> {
        let places = paths(context).map(|path| Place {
            exists: path.exists(),
            path,
        });
        match self.json {
            true => render::json(context, &places)?,
            false => {
                let line = |place: &Place| {
                    let note = if place.exists { "" } else { "  (does not exist)" };
                    format!("{}{note}\n", place.path.display())
                };
                render::print(&places.iter().map(line).collect::<String>())?;
            }
        }
        Ok(Exit::DONE)
    }
}

impl Validate {
    fn run(self, context: &Context) -> Result<Exit, Error> {
        let files = match self.files.is_empty() {
            true => load(context)?.files,
            false => self.files,
        };
        for file in &files {
            std::fs::metadata(file).map_err(|source| Error::file(file, source))?;
            config::load_files(&[file])?;
            render::say(&format!("{}: good", render::visible(&file.display().to_string())));
        }
        if files.is_empty() {
            render::say("there is no configuration file; `agentsh config path` says where one may be");
        }
        Ok(Exit::DONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_with_the_file_that_gives_it() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("config.yaml");
        std::fs::write(&file, "sessions: {idle_end: 5m}\n")?;
        let loaded = config::load_files(&[&file])?;
        let shown = serde_json::to_value(Shown::of(&loaded))?;
        assert_eq!(shown["origins"], serde_json::json!({"sessions.idle_end": file}));
        assert_eq!(shown["config"]["sessions"]["idle_end"], "5m");
        let text = table(&loaded).render(render::Style::new(false), None);
        assert!(
            text.lines()
                .any(|line| line.starts_with("sessions.idle_end ") && line.ends_with("config.yaml"))
        );
        assert!(
            text.lines()
                .any(|line| line.starts_with("security.mode ") && line.ends_with("default"))
        );
        Ok(())
    }
}
