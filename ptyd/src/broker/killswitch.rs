//! The kill switch: on until a person lifts it, also across restarts.

use std::cell::Cell;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A file in the state folder, which no session can write.
pub(super) struct KillSwitch {
    path: PathBuf,
    /// It was switched on, and the file could not be made: on as long as this broker lives.
    here: Cell<bool>,
}

impl KillSwitch {
    pub(super) fn of(state_dir: &Path) -> KillSwitch {
        KillSwitch {
            path: state_dir.join("killed"),
            here: Cell::new(false),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether new commands are refused. What cannot be read counts as on.
    pub(super) fn is_on(&self) -> bool {
        self.here.get() || self.is_kept()
    }

    fn is_kept(&self) -> bool {
        !matches!(fs::symlink_metadata(&self.path), Err(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// Why nobody can tell whether it is on.
    pub(super) fn unreadable(&self) -> Option<io::Error> {
        let error = fs::symlink_metadata(&self.path).err()?;
        (error.kind() != io::ErrorKind::NotFound && !self.here.get()).then_some(error)
    }

    /// Switches on, durably. On an error it is on all the same, and ends with this broker.
    pub(super) fn set(&self) -> io::Result<()> {
        let kept = self.keep();
        self.here.set(kept.is_err());
        kept
    }

    fn keep(&self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        File::create(&self.path)?.sync_all()
    }

    /// Switches off.
    pub(super) fn lift(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            // A read-only folder says so before it says that there is nothing.
            Err(error) if self.is_kept() => Err(error),
            _ => {
                self.here.set(false);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_that_cannot_be_kept_is_on_until_it_is_lifted() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let state = folder.path().join("state");
        // A file where the folder should be, which stops root as well.
        File::create(&state)?;
        let switch = KillSwitch::of(&state);
        assert!(switch.set().is_err() && switch.is_on() && switch.unreadable().is_none());
        let other = KillSwitch::of(&state);
        assert!(other.is_on() && other.unreadable().is_some());
        fs::remove_file(&state)?;
        assert!(!other.is_on() && other.unreadable().is_none());
        assert!(switch.is_on() && !KillSwitch::of(&state).is_on());
        switch.lift()?;
        assert!(!switch.is_on());
        switch.set()?;
        assert!(switch.is_on() && KillSwitch::of(&state).is_on());
        switch.lift()?;
        assert!(!switch.is_on() && !KillSwitch::of(&state).is_on());
        Ok(())
    }
}
