use std::path::{Path, PathBuf};

use agentsh_protocol::Bytes;
use agentsh_protocol::api::{CreateSession, SessionInfo};
use clap::Args;

use crate::client;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render;
use crate::verbs::config;
use crate::verbs::policy::is_file;

/// Make a session: a workspace, a policy, and one set of rules for all commands in it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  SID=$(agentsh session create --workspace . | jq -r .id)
  agentsh session create --workspace ~/src/project --policy ./strict.yaml --name project")]
pub struct Create {
    /// The folder that the session works in
    #[arg(long, value_name = "DIR", default_value = ".")]
    workspace: PathBuf,
    /// A policy by name, or the file of one
    #[arg(long, value_name = "NAME|FILE")]
    policy: Option<String>,
    /// A name for the session, usable in place of its id
    #[arg(long)]
    name: Option<String>,
    /// Print JSON (also if stdout is no terminal)
    #[arg(long)]
    json: bool,
}

impl Create {
    pub fn run(self, context: &Context) -> Result<Exit, Error> {
        let request = CreateSession {
            workspace: Some(Bytes::from(resolved(&self.workspace)?.as_path())),
            policy: self.policy.map(policy).transpose()?,
            name: self.name,
        };
        let session: SessionInfo = context.broker()?.post(&client::path(&["sessions"]), &request)?;
        match self.json || !context.stdout_is_terminal {
            true => render::json(context, &session)?,
            false => render::print(&super::info::text(&session, context))?,
        }
        let warns = config::load(context)?.config.security.warn_degraded;
        let lines = session.not_held.iter().filter(|_| warns);
        lines.for_each(|line| render::say(&format!("not held: {}", render::visible(line))));
        Ok(Exit::DONE)
    }
}

/// A name stays a name; what looks like a file is one.
pub fn policy(text: String) -> Result<String, Error> {
    if !is_file(text.as_ref()) {
        return Ok(text);
    }
    // As it is written: where links lead may change, and the session follows.
    let path = std::path::absolute(&text).map_err(|source| Error::file(Path::new(&text), source))?;
    // The broker reads it too; here an error is shown with its line.
    agentsh_policy::read(&path)?;
    let utf8 = path.to_str().map(str::to_owned);
    utf8.ok_or_else(|| Error::usage(format!("{}: not UTF-8", path.display()), "a policy file's path is text"))
}

fn resolved(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(|source| Error::file(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_a_name_or_an_existing_file() -> Result<(), Error> {
        assert_eq!(policy("agent-observe".to_owned())?, "agent-observe");
        assert!(policy("./no-such.yaml".to_owned()).is_err());
        assert!(policy("no-such.yaml".to_owned()).is_err());
        let folder = tempfile::tempdir().map_err(|source| Error::io("temporary folder", source))?;
        let path = folder.path().join("own.yaml");
        std::fs::write(&path, "version: 1\nname: own\n").map_err(|source| Error::file(&path, source))?;
        assert!(policy(format!("{}/./own.yaml", folder.path().display()))?.ends_with("/own.yaml"));
        std::fs::write(&path, "version: 1\nnaem: own\n").map_err(|source| Error::file(&path, source))?;
        assert!(matches!(policy(path.display().to_string()), Err(Error::Load(_))));
        Ok(())
    }
}
