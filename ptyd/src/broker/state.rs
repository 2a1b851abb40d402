//! The state folder, before anything in it is believed.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Why the state folder is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum StateError {
    #[error(
        "{}: it belongs to uid {owner}, who could change what is recorded and kept there: give it to uid {uid} (chown)", path.display()
    )]
    Foreign { path: PathBuf, owner: u32, uid: u32 },
    #[error("{}: it is open to other users and cannot be closed: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
}

/// Makes sure that nobody but its user changes what is in the state folder: one that is open to others, as a volume of a
/// container is, is closed to them; one of somebody else is refused. Whether it was closed. One that is missing is made later.
pub(super) fn close_to_others(path: &Path, uid: u32) -> Result<bool, StateError> {
    let Ok(found) = fs::metadata(path) else {
        return Ok(false);
    };
    if found.uid() != uid {
        return Err(StateError::Foreign {
            path: path.to_owned(),
            owner: found.uid(),
            uid,
        });
    }
    if found.mode() & 0o022 == 0 {
        return Ok(false);
    }
    let closed = Permissions::from_mode(found.mode() & 0o7755);
    fs::set_permissions(path, closed).map_err(|source| StateError::Open {
        path: path.to_owned(),
        source,
    })?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_folder_is_its_user_s_alone() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let state = folder.path().join("state");
        let uid = rustix::process::geteuid().as_raw();
        assert!(!close_to_others(&state, uid)?);
        fs::create_dir(&state)?;
        fs::set_permissions(&state, Permissions::from_mode(0o1777))?;
        assert!(close_to_others(&state, uid)?);
        assert_eq!(fs::metadata(&state)?.mode() & 0o7777, 0o1755);
        assert!(!close_to_others(&state, uid)?);
        let refused = close_to_others(&state, uid + 1);
        assert!(matches!(refused, Err(StateError::Foreign { .. })), "{refused:?}");
        Ok(())
    }
}
