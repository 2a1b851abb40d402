//! What is done when somebody removes the trash under a running session: a person, or a cleaner of `/tmp`.

use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;

use super::locate::{home, remember};
use super::{Trash, TrashError};

impl Trash {
    /// Does something that needs the places, and once more if it failed as it does where one is gone. Looking before
    /// would cost every deletion a call. That the trash is missing is never said as if the caller's file were.
    pub(super) fn in_lasting_places<T>(
        &self,
        original: &Path,
        attempt: impl Fn() -> Result<T, TrashError>,
    ) -> Result<T, TrashError> {
        match attempt() {
            Err(error) if is_missing(&error) => self.make_anew(),
            done => return done,
        }
        // Also where all are there: another thread may have made them meanwhile.
        match attempt() {
            Err(error) if is_missing(&error) && self.all().iter().any(|place| place.is_gone()) => {
                Err(TrashError::Gone {
                    path: original.to_owned(),
                })
            }
            done => done,
        }
    }

    /// Makes the home place again if it is gone, and lets go of others that are: they are made where they are needed.
    pub(super) fn make_anew(&self) {
        let mut places = self.lock_places();
        places.others.retain(|place| !place.is_gone());
        if !places.home.is_gone() {
            return;
        }
        // If it cannot be made, what needs it is refused.
        if let Ok(made) = home(&self.state, self.owner, self.reading) {
            places.home = Arc::clone(&made);
            for place in &places.others {
                let _ = remember(&made, &place.path); // at worst only this process knows it
            }
        }
    }
}

fn is_missing(error: &TrashError) -> bool {
    let errno = error.errno();
    [Errno::NOENT, Errno::NOTDIR, Errno::STALE]
        .iter()
        .any(|missing| missing.raw_os_error() == errno)
}
