//! The policy that a question is asked of: that of a session, or one by name as it would be in a workspace.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use agentsh_audit::SessionDir;
use agentsh_policy::{Document, Leads, Policy, Variables, host_folding, host_links};
use agentsh_protocol::places::Account;
use clap::Args;

use crate::context::Context;
use crate::error::Error;
use crate::record;
use crate::verbs::config;

/// A workspace's own policy, which may only narrow.
const WORKSPACE_POLICY: &str = ".agentsh/policy.yaml";

/// Which policy is asked.
#[derive(Debug, Args)]
pub struct Against {
    /// A policy by name, or the file of one (else the configured default)
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "session")]
    policy: Option<OsString>,
    /// The folder that a session would work in (else the outermost git tree around this one, or this one)
    #[arg(long, value_name = "DIR", conflicts_with = "session")]
    workspace: Option<PathBuf>,
    /// The policy that this session has
    #[arg(long)]
    session: Option<String>,
}

impl Against {
    /// The policy as the session would have it, narrowed by the workspace's own.
    ///
    /// # Errors
    /// There is no such policy, session or workspace, or a file is wrong.
    pub fn resolve(&self, context: &Context) -> Result<Policy, Error> {
        if let Some(session) = &self.session {
            return of_session(&record::session(context, Some(session))?);
        }
        let workspace = self.workspace(context)?;
        let variables = variables(&workspace, &context.account());
        let policy = self.document(context)?.resolve(&variables)?;
        let own = workspace.join(WORKSPACE_POLICY);
        match own.exists() {
            true => Ok(policy.narrowed_by(&agentsh_policy::read(&own)?, &variables)?),
            false => Ok(policy),
        }
    }

    /// The policy's document, without what may narrow it; `None` for a session's.
    ///
    /// # Errors
    /// As [`Against::resolve`].
    pub fn document(&self, context: &Context) -> Result<Document, Error> {
        match &self.policy {
            Some(policy) => super::document(context, policy),
            None => super::document(context, config::load(context)?.config.sessions.default_policy.as_ref()),
        }
    }

    /// What variables stand for in such a session.
    ///
    /// # Errors
    /// The workspace is not there.
    pub fn variables(&self, context: &Context) -> Result<Variables, Error> {
        Ok(variables(&self.workspace(context)?, &context.account()))
    }

    fn workspace(&self, context: &Context) -> Result<PathBuf, Error> {
        let given = self.workspace.as_deref().unwrap_or(Path::new("."));
        let folder = given.canonicalize().map_err(|source| Error::file(given, source))?;
        match self.workspace {
            Some(_) => Ok(folder),
            None => Ok(around(&folder, &home_of(&context.account()))),
        }
    }
}

/// A session's record has the base policy and those that narrow it, one YAML document each, with their variables
/// resolved or named in comments before them.
///
/// # Errors
/// The record cannot be read.
pub fn of_session(dir: &SessionDir) -> Result<Policy, Error> {
    let info = dir.info()?;
    let account = Account::of(info.uid);
    let workspace = info.workspace.map(|workspace| PathBuf::from(workspace.as_os_str()));
    let variables = Variables {
        project_root: workspace.as_ref().map(|workspace| bytes(workspace)),
        ..variables(workspace.as_deref().unwrap_or(Path::new("/")), &account)
    };
    let (text, path) = (dir.policy_text()?, dir.policy_path());
    let mut documents = text.split("\n---\n").map(|text| agentsh_policy::parse(text, &path));
    let base = match documents.next() {
        Some(base) => base?.resolve(&variables)?,
        None => agentsh_policy::parse("", &path)?.resolve(&variables)?,
    };
    documents.try_fold(base, |policy, document| Ok(policy.narrowed_by(&document?, &variables)?))
}

/// The workspace that the broker gives a command that starts in this folder: the outermost git tree around it. A home
/// and what all share are none.
fn around(folder: &Path, home: &Path) -> PathBuf {
    let shared = ["/", "/tmp", "/var/tmp", "/root", "/home"].map(Path::new);
    let is_tree = |dir: &Path| {
        let meta = dir.join(".git").symlink_metadata();
        meta.is_ok_and(|meta| meta.is_dir() || meta.is_file())
    };
    let trees = folder
        .ancestors()
        .filter(|dir| *dir != home && !shared.contains(dir) && is_tree(dir));
    trees.last().unwrap_or(folder).to_owned()
}

fn home_of(account: &Account) -> PathBuf {
    account.home.canonicalize().unwrap_or_else(|_| account.home.clone())
}

fn variables(workspace: &Path, account: &Account) -> Variables {
    let home = home_of(account);
    let git = workspace
        .ancestors()
        .find(|folder| folder.join(".git").symlink_metadata().is_ok());
    Variables {
        folding: host_folding(&[workspace, &home]),
        project_root: Some(bytes(workspace)),
        git_root: git.map(bytes),
        home: bytes(&home),
        user: account.name.clone().into_bytes(),
        tmpdir: b"/tmp".to_vec(),
        links: host_links(),
        leads: Leads::new(),
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_a_git_tree_is_asked_about_as_part_of_the_outermost() -> std::io::Result<()> {
        let home = tempfile::tempdir()?;
        let (tree, inner) = (home.path().join("tree"), home.path().join("tree/inner"));
        std::fs::create_dir_all(inner.join("sub"))?;
        for dir in [home.path(), &tree, &inner] {
            std::fs::create_dir_all(dir.join(".git"))?;
        }
        assert_eq!(around(&inner.join("sub"), home.path()), tree);
        let outside = home.path().join("outside");
        assert_eq!(around(&outside, home.path()), outside);
        Ok(())
    }
}
