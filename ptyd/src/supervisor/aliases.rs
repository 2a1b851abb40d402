//! Other ways to the same files: what is mounted at several places, `proc_pid_mountinfo(5)`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use agentsh_sandbox::cgroup::unescaped;

/// File systems by which the kernel is told what to do.
const KERNEL: [&[u8]; 14] = [
    b"binfmt_misc",
    b"bpf",
    b"cgroup",
    b"cgroup2",
    b"configfs",
    b"debugfs",
    b"efivarfs",
    b"fusectl",
    b"proc",
    b"pstore",
    b"securityfs",
    b"selinuxfs",
    b"sysfs",
    b"tracefs",
];

/// The mounts that this process sees, the latest last.
#[derive(Default)]
pub(super) struct Aliases(Vec<Mount>);

struct Mount {
    device: Vec<u8>,
    /// What of the file system is mounted, and where.
    top: PathBuf,
    point: PathBuf,
    of_kernel: bool,
}

impl Aliases {
    /// Those there are now.
    pub(super) fn now() -> std::io::Result<Aliases> {
        Ok(Aliases::parse(&std::fs::read("/proc/self/mountinfo")?))
    }

    fn parse(mountinfo: &[u8]) -> Aliases {
        Aliases(mountinfo.split(|byte| *byte == b'\n').filter_map(mount).collect())
    }

    /// The other paths under which what is at `path`, or a part of it, is found.
    pub(super) fn of(&self, path: &Path) -> Vec<PathBuf> {
        let above = self.0.iter().filter(|mount| path.starts_with(&mount.point));
        let Some(own) = above.max_by_key(|mount| mount.point.as_os_str().len()) else {
            return Vec::new();
        };
        let Ok(below) = path.strip_prefix(&own.point) else {
            return Vec::new();
        };
        let inside = join(&own.top, below);
        let same = self.0.iter().filter(|mount| mount.device == own.device);
        let elsewhere = same.filter_map(|mount| match inside.strip_prefix(&mount.top) {
            Ok(rest) => Some(join(&mount.point, rest)),
            Err(_) => mount.top.starts_with(&inside).then(|| mount.point.clone()),
        });
        elsewhere.filter(|other| other != path).collect()
    }

    /// Where the kernel's own files are beside `/proc` and `/sys`.
    pub(super) fn of_kernel(&self) -> Vec<PathBuf> {
        let usual = |point: &Path| ["/proc", "/sys"].iter().any(|folder| point.starts_with(folder));
        let elsewhere = self.0.iter().filter(|mount| mount.of_kernel && !usual(&mount.point));
        elsewhere.map(|mount| mount.point.clone()).collect()
    }
}

/// [`Path::join`] that leaves no slash behind a path to which nothing is added.
fn join(folder: &Path, below: &Path) -> PathBuf {
    match below.as_os_str().is_empty() {
        true => folder.to_owned(),
        false => folder.join(below),
    }
}

fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    let (device, top, point) = (fields.next()?, fields.next()?, fields.next()?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    // What is mounted of a file system that is a namespace's has no path (`nsfs`).
    let top = if top.starts_with(b"/") {
        unescaped(top)
    } else {
        PathBuf::from(OsStr::from_bytes(top))
    };
    Some(Mount {
        device: device.to_vec(),
        top,
        point: unescaped(point),
        of_kernel: KERNEL.contains(&kind),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"21 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        22 21 0:20 / /run rw shared:1 - tmpfs tmpfs rw\n\
        23 21 0:20 /agentsh /mnt/a\\040b rw - tmpfs tmpfs rw\n\
        24 21 0:20 / /var/run rw - tmpfs tmpfs rw\n\
        25 21 8:1 /home /srv/h rw - ext4 /dev/sda1 rw\n\
        26 21 0:4 / /proc rw - proc proc rw\n\
        27 21 0:5 / /chroot/proc rw - proc proc rw\n\
        28 21 0:6 mnt:[4026531840] /run/ns rw - nsfs nsfs rw\n";

    #[test]
    fn what_is_mounted_twice_is_found_by_all_its_paths() {
        let mounts = Aliases::parse(MOUNTS);
        let of = |path: &str| mounts.of(Path::new(path));
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(of("/run/agentsh"), paths(&["/mnt/a b", "/var/run/agentsh"]));
        assert_eq!(of("/run/agentsh/x"), paths(&["/mnt/a b/x", "/var/run/agentsh/x"]));
        // A part of it is mounted elsewhere.
        assert_eq!(of("/run"), paths(&["/mnt/a b", "/var/run"]));
        assert_eq!(of("/home/me/.config"), paths(&["/srv/h/me/.config"]));
        assert_eq!(of("/srv/h/me"), paths(&["/home/me"]));
        assert_eq!(of("/etc"), paths(&[]));
        assert_eq!(mounts.of_kernel(), paths(&["/chroot/proc"]));
    }
}
