//! What the supervisor checks from outside before a command may run.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::status::SecurityStatus;

/// Namespaces in which a command must be where its supervisor is, unless its plan leads elsewhere.
const NAMESPACES: [&str; 4] = ["mnt", "user", "pid", "net"];

/// `CAP_SETPCAP`, as a bit of a set.
const SETPCAP: u64 = 1 << 8;

/// `CAP_SETGID`, likewise.
const SETGID: u64 = 1 << 6;

/// What keeps a process from being accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    #[error("its state cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("no_new_privs is not set")]
    NoNewPrivs,
    #[error("it has {found} seccomp filters, not {wanted}")]
    Filters { found: u32, wanted: u32 },
    #[error("it kept capabilities: {0:#x}")]
    Capabilities(u64),
    #[error("its {0} namespace is another one")]
    Namespace(&'static str),
    #[error("its root folder is another one")]
    Root,
    #[error(
        "its group or groups are not its broker's, which may not change its own: `agentsh broker stop`, then start again from the login that has them"
    )]
    Groups,
}

/// Namespaces that are not the supervisor's: their names in `/proc/PID/ns`, and what the links there say.
pub type Elsewhere = [(&'static str, String)];

/// The process `pid` is inside: no_new_privs, exactly one filter more than its supervisor, no
/// capability outside of `keep`, the namespaces that it was to enter, and the supervisor's others. Returns what was seen.
pub fn entered(pid: i32, keep: u64, filtered: bool, elsewhere: &Elsewhere) -> Result<SecurityStatus, Mismatch> {
    let status = SecurityStatus::of(pid)?;
    // What is done for it is done with its groups.
    if !World::own()?.may_have(&status.groups) {
        return Err(Mismatch::Groups);
    }
    let wanted = World::own()?.seccomp_filters + u32::from(filtered);
    if !status.no_new_privs {
        return Err(Mismatch::NoNewPrivs);
    }
    if status.seccomp_filters != wanted || (filtered && status.seccomp_mode != 2) {
        return Err(Mismatch::Filters {
            found: status.seccomp_filters,
            wanted,
        });
    }
    let [inheritable, permitted, effective, bounding, ambient] = status.capabilities;
    // Without CAP_SETPCAP the bounding set cannot be reduced, and under no_new_privs it gives nothing: what an exec
    // grants is cut to what was permitted before (`capabilities(7)`).
    let bounding = if permitted & SETPCAP == 0 { 0 } else { bounding };
    let kept = (permitted | effective | bounding) & !keep | inheritable | ambient;
    if kept != 0 {
        return Err(Mismatch::Capabilities(kept));
    }
    in_world(pid, elsewhere)?;
    Ok(status)
}

/// The process `pid` has the caller's group and groups, or the caller may take others. Nobody may look into a process of
/// another group, nor be looked into by it (`ptrace(2)`, access mode checking): who finds a door shut asks here why.
pub fn same_groups(pid: i32) -> Result<(), Mismatch> {
    let own = World::own()?;
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let of = |key: &str| -> Vec<u32> {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let words = line.unwrap_or_default().split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    let other = of("Gid:").iter().any(|gid| *gid != own.gid);
    match (other && !own.sets_groups) || !own.may_have(&of("Groups:")) {
        true => Err(Mismatch::Groups),
        false => Ok(()),
    }
}

/// The process `pid` has the caller's root and namespaces but for those that are elsewhere: nobody else put it into a
/// sandbox made of these.
pub fn in_world(pid: i32, elsewhere: &Elsewhere) -> Result<(), Mismatch> {
    look(pid, elsewhere).map_err(|mismatch| match &mismatch {
        Mismatch::Unreadable(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            same_groups(pid).err().unwrap_or(mismatch)
        }
        _ => mismatch,
    })
}

fn look(pid: i32, elsewhere: &Elsewhere) -> Result<(), Mismatch> {
    let ours = World::own()?;
    for (name, own) in NAMESPACES.iter().zip(&ours.namespaces) {
        let other = elsewhere.iter().find(|(other, _)| other == name);
        let wanted = other.map_or(own.as_path(), |(_, link)| Path::new(link));
        if fs::read_link(format!("/proc/{pid}/ns/{name}"))? != wanted {
            return Err(Mismatch::Namespace(name));
        }
    }
    if root(&format!("/proc/{pid}/root"))? != ours.root {
        return Err(Mismatch::Root);
    }
    Ok(())
}

/// Where this process is. It never moves, takes no filter, and looks once.
struct World {
    seccomp_filters: u32,
    namespaces: Vec<PathBuf>,
    root: (u64, u64),
    gid: u32,
    /// Supplementary ones, ascending.
    groups: Vec<u32>,
    sets_groups: bool,
}

impl World {
    /// Whether it has these supplementary groups, or may take them.
    fn may_have(&self, groups: &[u32]) -> bool {
        let mut groups = groups.to_vec();
        groups.sort_unstable();
        self.sets_groups || groups == self.groups
    }

    fn own() -> io::Result<&'static World> {
        static OWN: OnceLock<World> = OnceLock::new();
        if let Some(own) = OWN.get() {
            return Ok(own);
        }
        let namespaces = NAMESPACES
            .iter()
            .map(|name| fs::read_link(format!("/proc/self/ns/{name}")));
        let mut status = SecurityStatus::own()?;
        status.groups.sort_unstable();
        let own = World {
            seccomp_filters: status.seccomp_filters,
            namespaces: namespaces.collect::<io::Result<_>>()?,
            root: root("/proc/self/root")?,
            gid: rustix::process::getegid().as_raw(),
            groups: status.groups,
            sets_groups: status.capabilities[1] & SETGID != 0,
        };
        Ok(OWN.get_or_init(|| own))
    }
}

fn root(link: &str) -> io::Result<(u64, u64)> {
    fs::metadata(link).map(|folder| (folder.dev(), folder.ino()))
}

/// The process `pid` is in no sandbox of somebody else, as far as that shows from outside: it has the
/// caller's root and namespaces, and as many seccomp filters.
pub fn is_at_home(pid: i32) -> Result<(), Mismatch> {
    let found = SecurityStatus::of(pid)?.seccomp_filters;
    let wanted = World::own()?.seccomp_filters;
    if found != wanted {
        return Err(Mismatch::Filters { found, wanted });
    }
    in_world(pid, &[])
}
