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

    /// Whether new commands are refused; an error: nobody can tell, and they are.
    pub(super) fn state(&self) -> io::Result<bool> {
        if self.here.get() {
            return Ok(true);
        }
        match fs::symlink_metadata(&self.path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The same. What cannot be read counts as on.
    pub(super) fn is_on(&self) -> bool {
        self.state().unwrap_or(true)
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
        let here = self.here.replace(false);
        match fs::remove_file(&self.path) {
            // A read-only folder says so before it says that there is nothing.
            Err(error) if self.is_on() => {
                self.here.set(here);
                Err(error)
            }
            _ => Ok(()),
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
        assert!(switch.set().is_err() && matches!(switch.state(), Ok(true)));
        let other = KillSwitch::of(&state);
        assert!(other.is_on() && other.state().is_err());
        fs::remove_file(&state)?;
        assert!(matches!(other.state(), Ok(false)));
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
