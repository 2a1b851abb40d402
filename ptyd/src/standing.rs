//! Yeses that hold in every session of a policy: narrow rules in a file of the user's configuration, which no session
//! can touch.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use agentsh_protocol::Bytes;
use agentsh_protocol::approvals::{Approval, Grant, Scope};
use agentsh_protocol::places::Account;
use rustix::fs::{FlockOperation, Mode, OFlags};
use serde::{Deserialize, Serialize};

/// One operation that a rule would ask about, and a person has allowed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Standing {
    /// The approval that it comes from.
    pub id: String,
    pub policy: String,
    pub rule: Option<String>,
    pub operation: String,
    pub path: Bytes,
    #[serde(default)]
    pub argv: Vec<Bytes>,
    #[serde(default)]
    pub cwd: Option<Bytes>,
    #[serde(default)]
    pub environment: Vec<Bytes>,
    /// What would run: the same names with another content are asked about.
    #[serde(default)]
    pub programs: Vec<Program>,
    /// RFC 3339.
    pub created: String,
}

/// A file that is executed, by name and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    pub path: Bytes,
    pub blake3: String,
}

impl Standing {
    /// What a person allows for good by saying yes to `approval`.
    pub fn of(approval: &Approval, policy: &str, programs: Vec<Program>, created: String) -> Standing {
        Standing {
            id: approval.id.clone(),
            policy: policy.to_owned(),
            rule: approval.rule.clone(),
            operation: approval.operation.clone(),
            path: approval.path.clone(),
            argv: approval.argv.clone(),
            cwd: approval.cwd.clone(),
            environment: approval.environment.clone(),
            programs,
            created,
        }
    }

    /// As the API shows it.
    pub fn grant(&self) -> Grant {
        Grant {
            id: self.id.clone(),
            session_id: String::new(),
            scope: Scope::Always,
            operation: self.operation.clone(),
            path: self.path.clone(),
            argv: self.argv.clone(),
            cwd: self.cwd.clone(),
            rule: self.rule.clone(),
            created: self.created.clone(),
            expires: None,
        }
    }
}

/// The file.
pub(crate) fn place(account: &Account) -> PathBuf {
    account.config_dir().join("approved.json")
}

/// All that it holds; none where there is no file.
///
/// # Errors
/// A file that is another's, may be written by others, or cannot be understood: nothing of it counts.
pub(crate) fn all(account: &Account) -> io::Result<Vec<Standing>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::open(place(account), flags, Mode::empty()) {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(Vec::new()),
        Err(errno) => return Err(errno.into()),
    };
    let stat = rustix::fs::fstat(&file)?;
    if stat.st_uid != account.uid || stat.st_mode & 0o022 != 0 || stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(io::Error::other("it is not this user's alone"));
    }
    let text = io::read_to_string(std::fs::File::from(file))?;
    serde_json::from_str(&text).map_err(io::Error::other)
}

/// Adds one.
pub(crate) fn add(account: &Account, standing: Standing) -> io::Result<PathBuf> {
    change(account, |all| {
        all.push(standing);
        true
    })?;
    Ok(place(account))
}

/// Takes one away; false if there is none of this id.
pub(crate) fn remove(account: &Account, id: &str) -> io::Result<bool> {
    change(account, |all| {
        let before = all.len();
        all.retain(|standing| standing.id != id);
        all.len() != before
    })
}

/// One change at a time, and each is whole or not there.
fn change(account: &Account, how: impl FnOnce(&mut Vec<Standing>) -> bool) -> io::Result<bool> {
    let folder = account.config_dir();
    std::fs::create_dir_all(&folder)?;
    let _lock = lock(&folder)?;
    let mut content = all(account)?;
    if !how(&mut content) {
        return Ok(false);
    }
    let text = serde_json::to_vec_pretty(&content).map_err(io::Error::other)?;
    let new = folder.join(format!(".approved-{}", std::process::id()));
    let _ = std::fs::remove_file(&new);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = std::fs::File::from(rustix::fs::open(&new, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(&text)?;
    file.sync_all()?;
    std::fs::rename(&new, place(account))?;
    Ok(true)
}

fn lock(folder: &Path) -> io::Result<std::os::fd::OwnedFd> {
    let folder = rustix::fs::open(
        folder,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    rustix::fs::flock(&folder, FlockOperation::LockExclusive)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(home: &Path) -> Account {
        Account {
            uid: rustix::process::getuid().as_raw(),
            name: "u".to_owned(),
            home: home.to_owned(),
            shell: "/bin/sh".into(),
        }
    }

    fn standing(id: &str) -> Standing {
        Standing {
            id: id.to_owned(),
            policy: "p".to_owned(),
            rule: None,
            operation: "exec".to_owned(),
            path: Bytes::from("/bin/a"),
            argv: vec![Bytes::from("a")],
            cwd: None,
            environment: Vec::new(),
            programs: Vec::new(),
            created: "now".to_owned(),
        }
    }

    #[test]
    fn what_is_added_is_there_until_it_is_removed() -> io::Result<()> {
        let home = tempfile::tempdir()?;
        let account = account(home.path());
        assert!(all(&account)?.is_empty());
        add(&account, standing("1"))?;
        add(&account, standing("2"))?;
        assert_eq!(all(&account)?, [standing("1"), standing("2")]);
        assert!(remove(&account, "1")? && !remove(&account, "1")?);
        assert_eq!(all(&account)?, [standing("2")]);
        Ok(())
    }

    #[test]
    fn a_file_that_others_write_or_nobody_understands_counts_for_nothing() -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir()?;
        let account = account(home.path());
        add(&account, standing("1"))?;
        std::fs::set_permissions(place(&account), std::fs::Permissions::from_mode(0o666))?;
        assert!(all(&account).is_err());
        std::fs::set_permissions(place(&account), std::fs::Permissions::from_mode(0o600))?;
        std::fs::write(place(&account), "[{}]")?;
        assert!(all(&account).is_err() && add(&account, standing("2")).is_err());
        std::fs::remove_file(place(&account))?;
        std::os::unix::fs::symlink("/etc/passwd", place(&account))?;
        assert!(all(&account).is_err());
        Ok(())
    }
}
