//! Where things live, by user id alone: no environment variable is read.

use std::path::{Path, PathBuf};

/// System configuration, root's.
pub const SYSTEM_CONFIG: &str = "/etc/agentsh";

/// The folder that holds one runtime folder a user; root's, mode 1777.
pub const RUN_BASE: &str = "/run/agentsh";

/// With this file, owned by root, shims start the real shell and leave a line in syslog.
pub const DISABLED: &str = "/run/agentsh/disabled";

/// The broker's program, beside the shim's and the command line's own file.
pub const BROKER_PROGRAM: &str = "agentsh-ptyd";

/// The command line's.
pub const CLI_PROGRAM: &str = "agentsh";

/// The one that stands in for shells.
pub const SHIM_PROGRAM: &str = "agentsh-shell-shim";

/// Where an installation whose programs are in `folder` may have the stand-ins: beside them, or below its prefix.
pub fn stand_ins(folder: &Path) -> [PathBuf; 2] {
    let prefix = folder.parent().unwrap_or(folder);
    [folder.join("shims"), prefix.join("lib/agentsh/shims")]
}

/// Why a runtime folder is not used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct PlaceError {
    pub path: PathBuf,
    pub problem: String,
}

/// The runtime folder of a user: `/run/user/UID/agentsh` where the login manager made that user's
/// runtime folder, else `/run/agentsh/UID`. Root's is always `/run/agentsh/0`.
pub fn run_dir(uid: u32) -> PathBuf {
    if uid != 0 {
        let login = PathBuf::from(format!("/run/user/{uid}"));
        if is_private_to(&login, uid) {
            return login.join("agentsh");
        }
    }
    Path::new(RUN_BASE).join(uid.to_string())
}

/// The socket on which commands are started.
pub fn launch_socket(uid: u32) -> PathBuf {
    run_dir(uid).join("launch.sock")
}

/// The socket that speaks HTTP.
pub fn api_socket(uid: u32) -> PathBuf {
    run_dir(uid).join("api.sock")
}

/// Checks that the runtime folder is a folder of `uid` (or root) that nobody else can write.
pub fn check_run_dir(uid: u32) -> Result<PathBuf, PlaceError> {
    let dir = run_dir(uid);
    let problem = |problem: &str| PlaceError {
        path: dir.clone(),
        problem: problem.to_owned(),
    };
    let stat = rustix::fs::lstat(&dir).map_err(|errno| problem(&std::io::Error::from(errno).to_string()))?;
    if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::Directory {
        return Err(problem("not a folder"));
    }
    if stat.st_uid != uid {
        return Err(problem("owned by another user"));
    }
    if stat.st_mode & 0o077 != 0 {
        return Err(problem("open to other users (mode must be 0700)"));
    }
    Ok(dir)
}

fn is_private_to(dir: &Path, uid: u32) -> bool {
    rustix::fs::lstat(dir).is_ok_and(|stat| {
        rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory
            && stat.st_uid == uid
            && stat.st_mode & 0o022 == 0
    })
}

/// A user of this machine, as the account database knows it.
#[cfg(feature = "accounts")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub name: String,
    pub home: PathBuf,
    pub shell: PathBuf,
}

#[cfg(feature = "accounts")]
impl Account {
    /// The account of `uid` by `getpwuid(3)`; a uid without an entry has home `/nonexistent`.
    pub fn of(uid: u32) -> Account {
        match nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)) {
            Ok(Some(user)) => Account {
                uid,
                name: user.name,
                home: user.dir,
                shell: user.shell,
            },
            _ => Account {
                uid,
                name: uid.to_string(),
                home: "/nonexistent".into(),
                shell: "/bin/sh".into(),
            },
        }
    }

    /// The folder of this user's configuration.
    pub fn config_dir(&self) -> PathBuf {
        self.home.join(".config/agentsh")
    }

    /// The folder under which state is kept: root's is the system's. Who has no home of their own, as in a container
    /// that runs under any number, has it in the runtime folder, where it lasts as long as the machine runs; it stays
    /// there, whatever comes in the place of a home meanwhile.
    pub fn state_dir(&self) -> PathBuf {
        use std::os::unix::fs::MetadataExt as _;
        if self.uid == 0 {
            return PathBuf::from("/var/lib/agentsh");
        }
        let without_home = run_dir(self.uid).join("state");
        let at_home = std::fs::metadata(&self.home).is_ok_and(|home| home.is_dir() && home.uid() == self.uid);
        match at_home && !without_home.is_dir() {
            true => self.home_state(),
            false => without_home,
        }
    }

    /// Where state is kept at home.
    pub fn home_state(&self) -> PathBuf {
        self.home.join(".local/state/agentsh")
    }

    /// The folder of one session's record.
    pub fn session_dir(&self, id: &str) -> PathBuf {
        self.state_dir().join("sessions").join(id)
    }
}
