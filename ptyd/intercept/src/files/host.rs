//! What is the same for every call of a session.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat, Statx, StatxFlags};
use rustix::io::Errno;

use super::actor::Namespace;

/// Which object a descriptor is, with the mount it was reached through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectId {
    device: (u32, u32),
    inode: u64,
    mount: u64,
}

impl ObjectId {
    /// Of the object that `fd` refers to.
    ///
    /// # Errors
    /// Those of `statx(2)`.
    pub fn of(fd: impl AsFd) -> Result<Self, Errno> {
        let mask = StatxFlags::INO | StatxFlags::MNT_ID;
        rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, mask).map(|statx| Self::from(&statx))
    }

    /// The number of its inode.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// The mount.
    pub fn mount(&self) -> u64 {
        self.mount
    }
}

impl From<&Statx> for ObjectId {
    fn from(statx: &Statx) -> Self {
        ObjectId {
            device: (statx.stx_dev_major, statx.stx_dev_minor),
            inode: statx.stx_ino,
            mount: statx.stx_mnt_id,
        }
    }
}

/// Our own view of the host.
pub struct Host {
    descriptors: OwnedFd,
    proc: OwnedFd,
    root: ObjectId,
    /// The block size that a procfs gives to everything in it.
    proc_block: i64,
    namespace: Namespace,
    /// Our process.
    pub tgid: i32,
    /// `fs.protected_symlinks` is on.
    pub protected_symlinks: bool,
    /// `fs.protected_regular`: 0, 1 or 2.
    pub protected_regular: u8,
    /// `fs.protected_fifos`: 0, 1 or 2.
    pub protected_fifos: u8,
}

impl Host {
    /// Looks at the host through `/proc`.
    ///
    /// # Errors
    /// `ENOENT` where `/proc` is not mounted, and those of opening it.
    pub fn new() -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |path: &str| rustix::fs::openat(CWD, path, flags, Mode::empty());
        let tgid = rustix::process::getpid().as_raw_nonzero().get();
        let proc = open("/proc")?;
        Ok(Host {
            descriptors: open(&format!("/proc/{tgid}/fd"))?,
            proc_block: block(&rustix::fs::fstat(&proc)?),
            proc,
            root: ObjectId::of(open("/")?)?,
            namespace: Namespace::of(tgid)?,
            tgid,
            protected_symlinks: sysctl("protected_symlinks") != 0,
            protected_regular: sysctl("protected_regular"),
            protected_fifos: sysctl("protected_fifos"),
        })
    }

    /// `/proc/self/fd` of our process.
    pub fn descriptors(&self) -> BorrowedFd<'_> {
        self.descriptors.as_fd()
    }

    /// `/proc`.
    pub fn proc(&self) -> BorrowedFd<'_> {
        self.proc.as_fd()
    }

    /// Whether an object with these attributes surely does not lie in a procfs.
    pub fn is_not_procfs(&self, stat: &Stat) -> bool {
        block(stat) != self.proc_block
    }

    /// Our root folder.
    pub fn root(&self) -> ObjectId {
        self.root
    }

    /// Our user namespace.
    pub fn namespace(&self) -> Namespace {
        self.namespace
    }
}

/// `st_blksize`, whose type differs between architectures.
fn block(stat: &Stat) -> i64 {
    #[allow(clippy::useless_conversion, reason = "an i32 on aarch64")]
    i64::from(stat.st_blksize)
}

/// Where a sysctl cannot be read the stricter behaviour is assumed.
fn sysctl(name: &str) -> u8 {
    std::fs::read_to_string(format!("/proc/sys/fs/{name}"))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_a_procfs_is_never_taken_for_something_else() -> Result<(), Errno> {
        let host = Host::new()?;
        for path in [
            "/proc",
            "/proc/self/status",
            "/proc/self/fd",
            "/proc/sys/kernel",
            "/proc/self/task",
        ] {
            assert!(!host.is_not_procfs(&rustix::fs::stat(path)?), "{path}");
        }
        assert!(host.is_not_procfs(&rustix::fs::stat("/dev/shm")?));
        Ok(())
    }
}
