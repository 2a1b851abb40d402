//! The policy that a question is asked of: that of a session, or one by name as it would be in a workspace.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use agentsh_audit::SessionDir;
use agentsh_policy::{Document, Policy, Variables, host_folding, host_links};
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
    policy: Option<String>,
    /// The folder that a session would work in
    #[arg(long, value_name = "DIR", default_value = ".", conflicts_with = "session")]
    workspace: PathBuf,
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
        let workspace = self.workspace()?;
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
            None => super::document(context, &config::load(context)?.config.sessions.default_policy),
        }
    }

    /// What variables stand for in such a session.
    ///
    /// # Errors
    /// The workspace is not there.
    pub fn variables(&self, context: &Context) -> Result<Variables, Error> {
        Ok(variables(&self.workspace()?, &context.account()))
    }

    fn workspace(&self) -> Result<PathBuf, Error> {
        self.workspace
            .canonicalize()
            .map_err(|source| Error::file(&self.workspace, source))
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

fn variables(workspace: &Path, account: &Account) -> Variables {
    let home = account.home.canonicalize().unwrap_or_else(|_| account.home.clone());
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
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}
