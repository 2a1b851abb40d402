//! What the suites share. Each uses a part of it.
#![allow(dead_code)]

pub mod snapshot;

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use agentsh_keep::checkpoint::{CheckpointError, Checkpoints};
use agentsh_keep::trash::{Kept, Limits, Meta, Removal, Trash, TrashError, Version};

pub type Tested<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// A workspace and a state folder that end with the test.
pub struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    pub fn new() -> std::io::Result<Ground> {
        Ground::within(&std::env::temp_dir())
    }

    pub fn within(base: &Path) -> std::io::Result<Ground> {
        let folder = tempfile::Builder::new().prefix("keep-").tempdir_in(base)?;
        let ground = Ground { folder };
        std::fs::create_dir(ground.work())?;
        Ok(ground)
    }

    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn trash(&self) -> Result<Trash, TrashError> {
        self.trash_with(Limits::default())
    }

    pub fn trash_with(&self, limits: Limits) -> Result<Trash, TrashError> {
        Trash::open(&self.state(), Some(&self.work()), limits)
    }

    pub fn store(&self) -> PathBuf {
        self.state().join("checkpoints")
    }

    pub fn checkpoints(&self) -> Result<Checkpoints, CheckpointError> {
        let trash = self.trash().unwrap_or_else(|error| panic!("{error}"));
        Checkpoints::open(&self.store(), &self.work(), Arc::new(trash))
    }

    /// A file system beside the workspace, on which no trash can be made.
    pub fn without_trash(&self) -> std::io::Result<PathBuf> {
        let other = self.state().join("other");
        std::fs::create_dir_all(&other)?;
        tmpfs(&other, "size=2m");
        std::fs::write(other.join(folder_name()), "in the way")?;
        Ok(other)
    }

    pub fn file(&self, name: &str, contents: &str) -> std::io::Result<PathBuf> {
        let path = self.work().join(name);
        std::fs::write(&path, contents)?;
        Ok(path)
    }
}

pub fn split(path: &Path) -> std::io::Result<(File, CString)> {
    let parent = File::open(path.parent().ok_or(std::io::ErrorKind::InvalidInput)?)?;
    let name = path.file_name().ok_or(std::io::ErrorKind::InvalidInput)?;
    Ok((parent, CString::new(name.as_bytes())?))
}

pub fn discard(trash: &Trash, path: &Path, removal: Removal) -> Result<Kept, TrashError> {
    let (parent, name) = split(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    trash.discard(parent.as_fd(), &name, removal, path, &Meta::default())
}

/// Keeps what is at `path`, as if something were about to be renamed over it.
pub fn replaced(trash: &Trash, path: &Path) -> Result<Kept, TrashError> {
    let (parent, name) = split(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    trash.keep_replaced(parent.as_fd(), &name, path, &Meta::default())
}

/// Keeps what is in the file at `path`, as if it were about to be cut.
pub fn cut(trash: &Trash, path: &Path) -> Result<Version, TrashError> {
    let open = File::open(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    trash.keep_version(open.as_fd(), path, &Meta::default())
}

/// The number with which a refused operation is answered.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, TrashError>) -> i32 {
    match result {
        Ok(done) => panic!("was done: {done:?}"),
        Err(error) => error.errno(),
    }
}

/// The name of a trash at the top of a mount.
pub fn folder_name() -> String {
    Trash::folder_name(rustix::process::geteuid().as_raw())
}

pub fn tmpfs(at: &Path, options: &str) {
    assert!(run(
        "mount",
        &["-t", "tmpfs", "-o", options, "tmpfs", &at.to_string_lossy()]
    ));
}

pub fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

/// Runs `program` and says whether it succeeded.
pub fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .status()
        .is_ok_and(|status| status.success())
}

/// Whether the test of this name runs in a mount namespace of its own. If not, it is run in one
/// here, as a child; where that cannot be, the reason is printed.
pub fn in_own_mounts(name: &str) -> Result<bool, Box<dyn std::error::Error>> {
    const INSIDE: &str = "KEEP_TEST_IN_OWN_MOUNTS";
    if std::env::var_os(INSIDE).is_some() {
        return Ok(true);
    }
    if !run("unshare", &["-m", "true"]) {
        eprintln!("SKIPPED {name}: no right to make a mount namespace");
        return Ok(false);
    }
    let program = std::env::current_exe()?;
    let status = Command::new("unshare")
        .args(["-m", "--propagation", "private"])
        .arg(program)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .status()?;
    assert!(status.success(), "{name} failed in its own mount namespace");
    Ok(false)
}

/// Whether the test of this name runs as a user from whom modes keep something. Root's is run as such a user here, as
/// a child.
pub fn as_nobody(name: &str) -> Result<bool, Box<dyn std::error::Error>> {
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        return Ok(true);
    }
    // Where the tests are built is not open to all.
    let folder = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()?;
    let program = folder.path().join("test");
    std::fs::copy(std::env::current_exe()?, &program)?;
    let status = Command::new(program)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .status()?;
    assert!(status.success(), "{name} failed as nobody");
    Ok(false)
}

pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
