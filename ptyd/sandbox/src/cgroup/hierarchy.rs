//! Where hierarchies are mounted, and where a process stands in them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// Which interface a hierarchy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

impl Version {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Version::V1 => "v1",
            Version::V2 => "v2",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Hierarchy {
    version: Version,
    mount: PathBuf,
    /// The group that is seen at the mount point.
    top: PathBuf,
    /// Its controllers, of v1; a v2 group says itself which it has.
    controllers: Vec<String>,
}

/// All hierarchies that the calling process sees.
#[derive(Debug, Clone, Default)]
pub struct Hierarchies {
    found: Vec<Hierarchy>,
    /// Every place at which one of them is mounted.
    mounts: Vec<PathBuf>,
}

impl Hierarchies {
    /// Reads the mounts of the calling process.
    pub fn mounted() -> io::Result<Hierarchies> {
        Ok(Hierarchies::parse(&fs::read("/proc/self/mountinfo")?))
    }

    /// `proc_pid_mountinfo(5)`.
    fn parse(mountinfo: &[u8]) -> Hierarchies {
        let mut found: Vec<Hierarchy> = Vec::new();
        let mut mounts = Vec::new();
        for line in mountinfo.split(|byte| *byte == b'\n') {
            let Some(hierarchy) = parse_mount(line) else { continue };
            mounts.push(hierarchy.mount.clone());
            // A hierarchy that is mounted twice is the same one.
            let twice =
                |other: &Hierarchy| other.version == hierarchy.version && other.controllers == hierarchy.controllers;
            if !found.iter().any(twice) {
                found.push(hierarchy);
            }
        }
        Hierarchies { found, mounts }
    }

    /// The folder of the group in which `pid` is, in the v1 hierarchy of `controller` or in that of v2.
    pub fn group_of(&self, pid: i32, version: Version, controller: &str) -> io::Result<Option<PathBuf>> {
        let Some(hierarchy) = self.find(version, controller) else {
            return Ok(None);
        };
        let groups = fs::read(format!("/proc/{pid}/cgroup"))?;
        Ok(hierarchy.folder(&groups))
    }

    /// The folders of all groups in which `pid` is.
    pub fn groups_of(&self, pid: i32) -> Vec<PathBuf> {
        let groups = fs::read(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        self.found.iter().filter_map(|one| one.folder(&groups)).collect()
    }

    /// Whether there is such a hierarchy.
    pub fn has(&self, version: Version, controller: &str) -> bool {
        self.find(version, controller).is_some()
    }

    fn find(&self, version: Version, controller: &str) -> Option<&Hierarchy> {
        self.found.iter().find(|hierarchy| {
            hierarchy.version == version
                && (version == Version::V2 || hierarchy.controllers.iter().any(|name| name == controller))
        })
    }

    /// The mount points: nobody inside a session changes anything below them.
    pub fn mount_points(&self) -> impl Iterator<Item = &Path> {
        self.mounts.iter().map(PathBuf::as_path)
    }
}

fn parse_mount(line: &[u8]) -> Option<Hierarchy> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let separator = fields.iter().position(|field| *field == b"-")?;
    let (kind, options) = (fields.get(separator + 1)?, fields.get(separator + 3)?);
    let version = match *kind {
        b"cgroup" => Version::V1,
        b"cgroup2" => Version::V2,
        _ => return None,
    };
    let controllers = match version {
        Version::V1 => options
            .split(|byte| *byte == b',')
            .map(|option| String::from_utf8_lossy(option).into_owned())
            .filter(|option| !matches!(option.as_str(), "rw" | "ro"))
            .collect(),
        Version::V2 => Vec::new(),
    };
    Some(Hierarchy {
        version,
        top: unescaped(fields.get(3)?),
        mount: unescaped(fields.get(4)?),
        controllers,
    })
}

/// Octal escapes of blanks and backslashes in `/proc` files.
pub fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let octal = tail.first_chunk::<3>().filter(|_| *first == b'\\').and_then(|digits| {
            let text = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(text, 8).ok()
        });
        match octal {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

impl Hierarchy {
    /// Finds this hierarchy's line in `/proc/PID/cgroup`, and its folder; `None` if it is not below the mount.
    fn folder(&self, groups: &[u8]) -> Option<PathBuf> {
        let path = groups.split(|byte| *byte == b'\n').find_map(|line| {
            let mut fields = line.splitn(3, |byte| *byte == b':');
            let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let ours = match self.version {
                Version::V2 => number == b"0" && controllers.is_empty(),
                Version::V1 => controllers
                    .split(|byte| *byte == b',')
                    .any(|name| self.controllers.iter().any(|own| own.as_bytes() == name)),
            };
            ours.then(|| PathBuf::from(OsString::from_vec(path.to_vec())))
        })?;
        let below = path.strip_prefix(&self.top).ok()?;
        // A group outside of the caller's cgroup namespace is shown as `/../…`.
        let plain = below
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        plain.then(|| self.mount.join(below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /docker/a /sys/fs/cgroup/mem\\040ory rw,relatime shared:3 - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
42 31 0:38 / /elsewhere rw,relatime - cgroup2 cgroup2 rw
";
    const GROUPS: &[u8] = b"8:memory:/docker/a/b:c\n4:cpu,cpuacct:/\n1:name=systemd:/x\n0::/user.slice\n";

    #[test]
    fn a_group_is_found_below_the_mount_that_shows_it() {
        let hierarchies = Hierarchies::parse(MOUNTS);
        let folder = |version, controller| {
            hierarchies
                .find(version, controller)
                .and_then(|found| found.folder(GROUPS))
        };
        assert_eq!(folder(Version::V1, "memory"), Some("/sys/fs/cgroup/mem ory/b:c".into()));
        assert_eq!(folder(Version::V1, "cpu"), Some("/sys/fs/cgroup/cpu,cpuacct".into()));
        assert_eq!(
            folder(Version::V2, ""),
            Some("/sys/fs/cgroup/unified/user.slice".into())
        );
        assert_eq!(folder(Version::V1, "pids"), None);
    }

    #[test]
    fn a_group_that_the_mount_does_not_show_is_not_guessed() {
        let hierarchies = Hierarchies::parse(MOUNTS);
        for groups in [
            &b"8:memory:/docker/other\n"[..],
            b"8:memory:/docker/a/../../x\n",
            b"8:memory\n",
        ] {
            let memory = hierarchies.find(Version::V1, "memory");
            assert_eq!(memory.and_then(|found| found.folder(groups)), None);
        }
    }
}
