use std::os::fd::OwnedFd;

use super::sys;

/// While much is printed the terminal is looked at no more often, in milliseconds.
const REST: i64 = 10;

/// Tells when the caller's terminal may have been set by somebody else.
pub(super) struct Watch {
    changes: Option<OwnedFd>,
    /// Not before this moment.
    rests: Option<i64>,
}

impl Watch {
    pub(super) fn new(tty: &OwnedFd) -> Watch {
        Watch {
            changes: sys::changes_of(tty),
            rests: None,
        }
    }

    /// What to wait for, and how long at most.
    pub(super) fn due(&mut self, wanted: bool) -> (Option<&OwnedFd>, i32) {
        if !wanted {
            return (None, -1);
        }
        let left = self.rests.map_or(0, |until| until - sys::now());
        if left > 0 {
            return (None, i32::try_from(left).unwrap_or(i32::MAX));
        }
        self.rests = None;
        (self.changes.as_ref(), -1)
    }

    /// It may have been set.
    pub(super) fn take(&mut self) {
        self.changes.iter().for_each(sys::take_change);
        self.rests = Some(sys::now() + REST);
    }
}
