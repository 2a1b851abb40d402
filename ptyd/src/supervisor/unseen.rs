//! Whether opens that only read can pass without being looked at (`audit.log_allowed: false`).
//!
//! Then the hull alone keeps the files in our own folders unread, by lowering the folders above them; and in those
//! nothing new may appear that the session would want to read, for a ruleset knows only what was there.

use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use agentsh_keep::trash::Trash;
use agentsh_policy::config::Config;
use agentsh_policy::{FileOp, Policy};
use agentsh_protocol::places::Account;

use super::{kept, own};

/// Operations by which a name appears.
const MAKE: [FileOp; 6] = [
    FileOp::Create,
    FileOp::Mkdir,
    FileOp::Rename,
    FileOp::Link,
    FileOp::Symlink,
    FileOp::Mknod,
];

/// The folders that the hull must leave out so that reads need not be looked at; none: they must be.
pub(super) fn reads(
    policy: &Policy,
    config: &Config,
    account: &Account,
    workspace: Option<&Path>,
) -> Option<Vec<PathBuf>> {
    let wanted = policy
        .settings()
        .is_some_and(|settings| !settings.file.audit.log_allowed);
    let plain = [FileOp::Read, FileOp::List, FileOp::Open]
        .into_iter()
        .all(|op| !policy.file_decisions(op).could_differ_from_allow());
    let otherwise = policy.hides_names() || policy.redirects_files() || policy.judges_content();
    if !wanted || !plain || otherwise || config.proxy.tls_intercept {
        return None;
    }
    let mut closed = own::closed_folders(account);
    closed.extend(trashes(policy, account, workspace)?);
    let quiet = |folder: &PathBuf| folder.ancestors().skip(1).all(|above| nothing_appears(policy, above));
    closed.iter().all(quiet).then_some(closed)
}

fn trashes(policy: &Policy, account: &Account, workspace: Option<&Path>) -> Option<Vec<PathBuf>> {
    let trash = Trash::open(&account.state_dir(), workspace, kept::limits(policy)).ok()?;
    if let Some(workspace) = workspace {
        let folder = std::fs::File::open(workspace).ok()?;
        // Without a place of its own there is none to be left out.
        let _ = trash.prepare(folder.as_fd());
    }
    let places = trash.places().into_iter();
    Some(
        places
            .map(|place| std::fs::canonicalize(&place).unwrap_or(place))
            .collect(),
    )
}

/// Whether no file can come to lie directly in `folder` that is not there yet.
fn nothing_appears(policy: &Policy, folder: &Path) -> bool {
    MAKE.into_iter().all(|op| {
        let outlook = policy.outlook(op, folder.as_os_str().as_bytes());
        let there = |path: &[u8]| {
            let path = Path::new(std::ffi::OsStr::from_bytes(path));
            path.parent() != Some(folder) || path.is_dir()
        };
        let lowered = outlook.lowered.iter();
        !outlook.everywhere.could_pass()
            && lowered
                .filter(|place| place.decisions.could_pass())
                .all(|place| there(&place.path))
    })
}
