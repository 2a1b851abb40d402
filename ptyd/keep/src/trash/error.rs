use std::path::PathBuf;

use rustix::io::Errno;

use super::Id;

/// The step without which there are no others.
pub(super) const OPENING: &str = "open the trash";

/// Why something was not kept, found, restored or removed. Nothing has been done then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrashError {
    /// The kernel refused a step.
    #[error("{path}: {step}: {}", std::io::Error::from(*errno))]
    Refused {
        path: PathBuf,
        step: &'static str,
        errno: Errno,
    },
    /// The trash has no room left under `max_size`.
    #[error("{place}: the trash is full ({used} of {limit} bytes); `agentsh trash purge` makes room")]
    Full { place: PathBuf, used: u64, limit: u64 },
    /// Somebody removed the trash, and it cannot be made again.
    #[error("{path}: the trash was removed, and cannot be made again")]
    Gone { path: PathBuf },
    /// No place can be made on the file's mount, and the file cannot be copied to another.
    #[error("{path}: no trash on this mount, and too large or not fit to be copied to another")]
    NoPlace { path: PathBuf },
    /// No entry has this id.
    #[error("no entry {0} in the trash")]
    Unknown(String),
    /// Several entries have ids that begin or end so.
    #[error("{0} stands for more than one entry")]
    Ambiguous(String),
    /// The place to restore to is taken.
    #[error("{0} exists: name another place to restore to")]
    Exists(PathBuf),
    /// The entry's record was lost, and with it the place that it came from.
    #[error("where {0} came from is not known: name a place to restore it to")]
    NoOrigin(Id),
    /// Only a move within the mount keeps this kind of entry whole.
    #[error("{0} can only be restored on the mount it came from")]
    OtherMount(PathBuf),
}

impl TrashError {
    pub(crate) fn refused(path: impl Into<PathBuf>, step: &'static str) -> impl FnOnce(Errno) -> TrashError {
        let path = path.into();
        move |errno| TrashError::Refused { path, step, errno }
    }

    /// Whether the trash itself could not be opened, and not what is in it or where that belongs.
    pub fn is_closed(&self) -> bool {
        matches!(self, TrashError::Refused { step, .. } if *step == OPENING)
    }

    /// Whether it could not be copied and can be kept by its name: what we may not read or make, and what policy has too
    /// large for a copy.
    pub(super) fn is_beyond_copies(&self) -> bool {
        let forbidden = |errno: &Errno| [Errno::ACCESS, Errno::PERM].contains(errno);
        match self {
            TrashError::Refused { errno, .. } => forbidden(errno),
            TrashError::NoPlace { .. } => true,
            _ => false,
        }
    }

    /// The error number with which the refused operation is to be answered.
    pub fn errno(&self) -> i32 {
        let errno = match self {
            TrashError::Refused { errno, .. } => *errno,
            TrashError::Full { .. } => Errno::DQUOT,
            TrashError::Gone { .. } => Errno::IO,
            // Not EXDEV, which programs take for advice to copy and delete.
            TrashError::NoPlace { .. } => Errno::FBIG,
            TrashError::OtherMount(_) => Errno::XDEV,
            TrashError::Unknown(_) | TrashError::NoOrigin(_) => Errno::NOENT,
            TrashError::Ambiguous(_) => Errno::INVAL,
            TrashError::Exists(_) => Errno::EXIST,
        };
        errno.raw_os_error()
    }
}
