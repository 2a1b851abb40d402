//! Working directory and umask where no thread may have its own: `unshare(2)` is refused by the filters of some containers.
//! Then they are every thread's, and one after the other has them.

use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::Mode;
use rustix::io::Errno;

/// That of all threads of ours that act for nobody.
pub(super) const OWN_UMASK: Mode = Mode::from_raw_mode(0o077);

static TURN: Mutex<()> = Mutex::new(());

/// This thread's turn with what all share; it is as ever afterwards.
#[must_use]
pub struct Place {
    moved: bool,
    _turn: MutexGuard<'static, ()>,
}

impl Place {
    pub(super) fn with_umask(mask: u32) -> Place {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        rustix::process::umask(Mode::from_raw_mode(mask));
        Place {
            moved: false,
            _turn: turn,
        }
    }

    /// With a working directory, and a umask.
    ///
    /// # Errors
    /// Those of `fchdir(2)`.
    pub fn at(folder: impl AsFd, mask: u32) -> Result<Place, Errno> {
        let mut place = Place::with_umask(mask);
        rustix::process::fchdir(folder)?;
        place.moved = true;
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        rustix::process::umask(OWN_UMASK);
        if self.moved {
            // A daemon is there; relative names are nobody's of ours.
            let _ = rustix::process::chdir(c"/");
        }
    }
}
