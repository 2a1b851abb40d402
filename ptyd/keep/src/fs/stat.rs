use std::ffi::CStr;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::Time;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    File,
    Dir,
    Symlink,
    Fifo,
    Socket,
    CharDevice,
    BlockDevice,
}

impl Kind {
    pub(crate) fn file_type(self) -> FileType {
        match self {
            Kind::File => FileType::RegularFile,
            Kind::Dir => FileType::Directory,
            Kind::Symlink => FileType::Symlink,
            Kind::Fifo => FileType::Fifo,
            Kind::Socket => FileType::Socket,
            Kind::CharDevice => FileType::CharacterDevice,
            Kind::BlockDevice => FileType::BlockDevice,
        }
    }

    fn of(mode: u32) -> Kind {
        match FileType::from_raw_mode(mode) {
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Symlink,
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice => Kind::CharDevice,
            FileType::BlockDevice => Kind::BlockDevice,
            _ => Kind::File,
        }
    }
}

/// What `statx(2)` says of one object, its mount included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub kind: Kind,
    /// Permission bits with set-id and sticky bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub ino: u64,
    pub dev: (u32, u32),
    pub rdev: (u32, u32),
    pub nlink: u32,
    pub size: u64,
    /// Bytes that the object takes on its device.
    pub allocated: u64,
    pub atime: Time,
    pub mtime: Time,
    pub ctime: Time,
    /// The mount through which the object was reached (Linux 5.8).
    pub mount: u64,
}

impl Stat {
    pub fn same_object(&self, other: &Stat) -> bool {
        self.ino == other.ino && self.dev == other.dev
    }
}

/// The object of this name, not followed.
pub(crate) fn stat(dir: impl AsFd, name: &CStr) -> Result<Stat, Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let statx = rustix::fs::statx(dir, name, flags, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID)?;
    Ok(of(&statx))
}

/// The object of this descriptor, which may be an `O_PATH` one.
pub(crate) fn stat_fd(fd: impl AsFd) -> Result<Stat, Errno> {
    let statx = rustix::fs::statx(
        fd,
        c"",
        AtFlags::EMPTY_PATH,
        StatxFlags::BASIC_STATS | StatxFlags::MNT_ID,
    )?;
    Ok(of(&statx))
}

fn of(statx: &Statx) -> Stat {
    let mode = u32::from(statx.stx_mode);
    Stat {
        kind: Kind::of(mode),
        mode: mode & 0o7777,
        uid: statx.stx_uid,
        gid: statx.stx_gid,
        ino: statx.stx_ino,
        dev: (statx.stx_dev_major, statx.stx_dev_minor),
        rdev: (statx.stx_rdev_major, statx.stx_rdev_minor),
        nlink: statx.stx_nlink,
        size: statx.stx_size,
        allocated: statx.stx_blocks.saturating_mul(512),
        atime: time(statx.stx_atime),
        mtime: time(statx.stx_mtime),
        ctime: time(statx.stx_ctime),
        mount: statx.stx_mnt_id,
    }
}

fn time(stamp: StatxTimestamp) -> Time {
    Time(stamp.tv_sec, stamp.tv_nsec)
}
