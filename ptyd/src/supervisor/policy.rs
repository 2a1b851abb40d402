//! Which policy a session has: the one that was asked for, narrowed by the workspace's own.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use agentsh_policy::config::Config;
use agentsh_policy::{Document, LoadError, Policy, Variables, host_folding, host_links, library};
use agentsh_protocol::api::{ApiError, ErrorKind};
use agentsh_protocol::places::Account;

use super::way;

/// A workspace's own policy: it may only narrow the user's.
const WORKSPACE_POLICY: &str = ".agentsh/policy.yaml";

/// What a session's policy is resolved from, again when a file changes.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    /// A policy's name or the absolute path of a file.
    pub wanted: String,
    pub workspace: Option<PathBuf>,
}

fn error(kind: ErrorKind, message: impl std::fmt::Display) -> ApiError {
    ApiError {
        error: kind,
        message: message.to_string(),
        hint: None,
    }
}

fn malformed(problem: LoadError) -> ApiError {
    ApiError {
        error: ErrorKind::Invalid,
        message: problem.to_string(),
        hint: Some("`agentsh policy validate FILE` shows all of it".into()),
    }
}

impl Choice {
    /// What was asked for, else the configured default.
    pub(crate) fn new(asked: Option<&str>, workspace: Option<&Path>, config: &Config) -> Result<Choice, ApiError> {
        let wanted = asked.unwrap_or(&config.sessions.default_policy).to_owned();
        let allowed = &config.sessions.allowed_policies;
        if !allowed.is_empty() && !allowed.contains(&wanted) {
            let message = format!("policy {wanted} is not allowed here (allowed: {})", allowed.join(", "));
            return Err(error(ErrorKind::Refused, message));
        }
        Ok(Choice {
            wanted,
            workspace: workspace.map(Path::to_owned),
        })
    }

    /// Reads and resolves it. `before`: what it was resolved to, for a session that has one.
    pub(crate) fn resolve(
        &self,
        account: &Account,
        config: &Config,
        before: Option<&Policy>,
    ) -> Result<Policy, ApiError> {
        let base = self.base(account, config, before)?;
        let variables = variables(self.workspace.as_deref(), account, before);
        let policy = base.resolve(&variables).map_err(malformed)?;
        let Some(own) = self.workspace.as_deref().map(|dir| dir.join(WORKSPACE_POLICY)) else {
            return Ok(policy);
        };
        match std::fs::symlink_metadata(&own) {
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => Ok(policy),
            Err(problem) => Err(not_seen(&own, &problem)),
            // Whatever stands there and cannot be read as a policy might have narrowed: no session.
            _ => {
                let own = agentsh_policy::read(&own).map_err(malformed)?;
                policy.narrowed_by(&own, &variables).map_err(malformed)
            }
        }
    }

    /// Whether the mounts are such by now that it would be resolved to something else than `policy`.
    pub(crate) fn is_of_other_mounts(&self, account: &Account, policy: &Policy) -> bool {
        folding(self.workspace.as_deref(), &home(account), Some(policy)) != policy.folding()
    }

    /// The files that it is resolved from, whether they exist or not.
    pub(crate) fn files(&self, account: &Account, config: &Config) -> Vec<PathBuf> {
        let base: Vec<PathBuf> = match self.wanted.starts_with('/') {
            true => vec![PathBuf::from(&self.wanted)],
            false => {
                let name = format!("{}.yaml", self.wanted);
                library::folders(&account.config_dir(), config)
                    .iter()
                    .map(|folder| folder.join(&name))
                    .collect()
            }
        };
        let own = self.workspace.as_deref().map(|dir| dir.join(WORKSPACE_POLICY));
        base.into_iter().chain(own).collect()
    }

    /// The links on the way to these files, as it is now.
    pub(crate) fn links(&self, account: &Account, config: &Config) -> Vec<PathBuf> {
        let files = self.files(account, config);
        files.iter().flat_map(|file| way::links(file)).collect()
    }

    fn base(&self, account: &Account, config: &Config, before: Option<&Policy>) -> Result<Document, ApiError> {
        if self.wanted.starts_with('/') {
            return agentsh_policy::read(Path::new(&self.wanted)).map_err(malformed);
        }
        let folders = library::folders(&account.config_dir(), config);
        let found = library::find(&self.wanted, &folders);
        // What its name stands for without that file, a pack perhaps, is not what the session was made with.
        let gone = before
            .and_then(|policy| Some(policy.layers().first()?.origin()))
            .filter(|file| file.is_absolute() && !file.exists());
        if let (Some(gone), Some(_)) = (gone, &found) {
            let message = format!(
                "{} is gone: the policy of a session is not another one's of that name",
                gone.display()
            );
            return Err(ApiError {
                hint: Some("end the session to go on with the other".to_owned()),
                ..error(ErrorKind::NotFound, message)
            });
        }
        match found {
            Some(found) => found.load().map_err(malformed),
            None => {
                let names: Vec<String> = library::list(&folders).into_iter().map(|entry| entry.name).collect();
                let message = format!("no policy is called {} (there are: {})", self.wanted, names.join(", "));
                Err(ApiError {
                    hint: Some("`agentsh policy list` shows what each is for".to_owned()),
                    ..error(ErrorKind::NotFound, message)
                })
            }
        }
    }
}

/// A workspace's own policy that nobody can tell is there: it might have narrowed, so there is no session.
fn not_seen(own: &Path, problem: &std::io::Error) -> ApiError {
    let closed = |folder: &&Path| std::fs::symlink_metadata(folder.join(".")).is_err();
    let folders: Vec<&Path> = own.ancestors().skip(1).collect();
    let folder = folders.iter().rev().copied().find(closed).unwrap_or(own);
    ApiError {
        hint: Some(format!(
            "whether the workspace has a policy of its own, {WORKSPACE_POLICY}, has to be seen"
        )),
        ..error(ErrorKind::Invalid, format!("{}: {problem}", folder.display()))
    }
}

fn variables(workspace: Option<&Path>, account: &Account, before: Option<&Policy>) -> Variables {
    let home = home(account);
    // A session can take its repository away, or make another one in it: its rules hold where they held.
    let known = before.and_then(Policy::git_root).map(<[u8]>::to_vec);
    let found = || Some(git_root(workspace?)?.as_os_str().as_bytes().to_vec());
    Variables {
        folding: folding(workspace, &home, before),
        project_root: workspace.map(|dir| dir.as_os_str().as_bytes().to_vec()),
        git_root: known.or_else(found),
        home: home.as_os_str().as_bytes().to_vec(),
        user: account.name.clone().into_bytes(),
        tmpdir: b"/tmp".to_vec(),
        links: host_links(),
        leads: before.map(Policy::leads).unwrap_or_default(),
    }
}

fn home(account: &Account) -> PathBuf {
    std::fs::canonicalize(&account.home).unwrap_or_else(|_| account.home.clone())
}

/// Where names may fold, as things are now, and where they did before: what is seen in a folder its session can change.
fn folding(workspace: Option<&Path>, home: &Path, before: Option<&Policy>) -> Vec<Vec<u8>> {
    let places: Vec<&Path> = workspace.into_iter().chain([home]).collect();
    let known = before.map(Policy::folding).unwrap_or_default();
    with_new(known, host_folding(&places))
}

fn with_new(known: &[Vec<u8>], now: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let new = now.into_iter().filter(|mount| !known.contains(mount));
    known.iter().cloned().chain(new).collect()
}

fn git_root(workspace: &Path) -> Option<PathBuf> {
    workspace
        .ancestors()
        .find(|dir| std::fs::symlink_metadata(dir.join(".git")).is_ok())
        .map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_names_folded_once_they_fold_as_long_as_the_session_lives() {
        let list = |mounts: &[&str]| -> Vec<Vec<u8>> { mounts.iter().map(|mount| mount.as_bytes().to_vec()).collect() };
        let known = list(&["/w", "/mnt"]);
        assert_eq!(
            with_new(&known, list(&[])),
            known,
            "a session can empty or close its workspace"
        );
        assert_eq!(with_new(&known, list(&["/mnt", "/w"])), known);
        assert_eq!(with_new(&known, list(&["/new", "/w"])), list(&["/w", "/mnt", "/new"]));
        assert_eq!(with_new(&[], list(&["/new"])), list(&["/new"]));
    }
}
