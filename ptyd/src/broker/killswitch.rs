//! The kill switch: on until a person lifts it, also across restarts.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A file in the state folder, which no session can write.
pub(super) struct KillSwitch {
    path: PathBuf,
}

impl KillSwitch {
    pub(super) fn of(state_dir: &Path) -> KillSwitch {
        KillSwitch {
            path: state_dir.join("killed"),
        }
    }

    /// Whether new commands are refused. What cannot be read counts as on.
    pub(super) fn is_on(&self) -> bool {
        !matches!(fs::symlink_metadata(&self.path), Err(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// Switches on, durably.
    pub(super) fn set(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        File::create(&self.path)?.sync_all()
    }

    /// Switches off.
    pub(super) fn lift(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
