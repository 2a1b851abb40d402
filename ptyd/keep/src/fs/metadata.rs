use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use agentsh_protocol::Bytes;
use rustix::fs::{AtFlags, CWD, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{Kind, Stat, Time, stat_fd};

/// Owner, mode, times and extended attributes: what a copy must be given to be like the original.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attributes {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub xattrs: Vec<(Bytes, Bytes)>,
}

/// Reads the attributes of `name` in `dir`, not followed; `stat` was read of it before.
pub(crate) fn attributes(dir: BorrowedFd, name: &CStr, stat: &Stat) -> Result<Attributes, Errno> {
    // The xattr calls know no folder descriptor before Linux 6.13, procfs gives them one.
    let path = object(dir).join(OsStr::from_bytes(name.to_bytes()));
    let xattrs = listed(xattr::list(&path), |name| xattr::get(&path, name))?;
    Ok(of(stat, xattrs))
}

/// Reads the attributes of the object of a descriptor, which may be an `O_PATH` one.
pub(crate) fn attributes_fd(fd: BorrowedFd, stat: &Stat) -> Result<Attributes, Errno> {
    Ok(of(stat, xattrs_fd(fd)?))
}

fn of(stat: &Stat, xattrs: Vec<(Bytes, Bytes)>) -> Attributes {
    Attributes {
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        mtime: stat.mtime,
        xattrs,
    }
}

/// The descriptor's entry in procfs. Following it leads to the object itself, even where that is a
/// symbolic link.
fn object(fd: BorrowedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

fn xattrs_fd(fd: BorrowedFd) -> Result<Vec<(Bytes, Bytes)>, Errno> {
    let path = object(fd);
    listed(xattr::list_deref(&path), |name| xattr::get_deref(&path, name))
}

fn listed(
    names: io::Result<xattr::XAttrs>,
    get: impl Fn(&OsStr) -> io::Result<Option<Vec<u8>>>,
) -> Result<Vec<(Bytes, Bytes)>, Errno> {
    let names = match names.map_err(errno) {
        Ok(names) => names,
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(errno) => return Err(errno),
    };
    let mut found = Vec::new();
    for name in names {
        match get(&name).map_err(errno) {
            Ok(Some(value)) => found.push((Bytes::from(name), Bytes(value))),
            Ok(None) | Err(Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(errno),
        }
    }
    found.sort();
    Ok(found)
}

fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

/// Gives the object of a descriptor (`O_PATH` will do) these attributes, and returns the names of
/// those that this process may not set: a foreign owner, `trusted.` and `security.` attributes.
/// Where the owner cannot be set the set-id bits are not set either.
pub(crate) fn apply(fd: BorrowedFd, wanted: &Attributes) -> Result<Vec<String>, Errno> {
    let mut missing = Vec::new();
    let path = object(fd);
    let now = stat_fd(fd)?;
    let mut mode = wanted.mode;
    if (now.uid, now.gid) != (wanted.uid, wanted.gid) {
        let owner = (Some(Uid::from_raw(wanted.uid)), Some(Gid::from_raw(wanted.gid)));
        let result = rustix::fs::chownat(fd, c"", owner.0, owner.1, AtFlags::EMPTY_PATH);
        if !settled(result, "owner", &mut missing)? {
            mode &= !0o6000;
        }
    }
    // After the owner, whose change clears capabilities and set-id bits.
    let present = xattrs_fd(fd)?;
    if present != wanted.xattrs {
        if now.kind != Kind::Symlink {
            rustix::fs::chmod(&path, Mode::from_raw_mode(mode | 0o600))?; // user attributes need write permission
        }
        set_xattrs(&path, &present, &wanted.xattrs, &mut missing)?;
    }
    if now.kind != Kind::Symlink {
        rustix::fs::chmod(&path, Mode::from_raw_mode(mode))?;
    }
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: wanted.mtime.0,
            tv_nsec: wanted.mtime.1.into(),
        },
    };
    rustix::fs::utimensat(CWD, &path, &times, AtFlags::empty())?;
    Ok(missing)
}

fn set_xattrs(
    path: &Path,
    present: &[(Bytes, Bytes)],
    wanted: &[(Bytes, Bytes)],
    missing: &mut Vec<String>,
) -> Result<(), Errno> {
    for (name, _) in present {
        if !wanted.iter().any(|(kept, _)| kept == name) {
            let removed = xattr::remove_deref(path, name.as_os_str()).map_err(errno);
            settled(removed, &name.lossy(), missing)?;
        }
    }
    for pair in wanted.iter().filter(|pair| !present.contains(pair)) {
        let set = xattr::set_deref(path, pair.0.as_os_str(), &pair.1.0).map_err(errno);
        settled(set, &pair.0.lossy(), missing)?;
    }
    Ok(())
}

/// Whether it was done; what is forbidden or unknown to this file system is noted, other failures are errors.
fn settled(result: Result<(), Errno>, what: &str, missing: &mut Vec<String>) -> Result<bool, Errno> {
    match result {
        Ok(()) => Ok(true),
        Err(Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP | Errno::INVAL) => {
            missing.push(what.to_owned());
            Ok(false)
        }
        Err(errno) => Err(errno),
    }
}
