//! A granted path, as decisions look it up.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rustix::time::ClockId;

use super::{Grant, Object, Rights, Stamp};

/// How long, in seconds, a folder is believed to be where it was, if nobody of the session moved one.
const TRUST: i64 = 1;

/// A grant by its path.
#[derive(Debug)]
pub(super) struct Spot {
    pub rights: Rights,
    /// Whether all below is granted too.
    pub is_folder: bool,
    object: Object,
    /// When it was seen there last, in seconds of the monotonic clock; 0: never.
    seen: AtomicI64,
    /// The count of moves then.
    moves: AtomicU64,
}

impl Spot {
    pub(super) fn new(grant: &Grant) -> Spot {
        Spot {
            rights: grant.rights,
            is_folder: grant.is_folder,
            object: grant.object,
            seen: AtomicI64::new(0),
            moves: AtomicU64::new(0),
        }
    }

    /// Whether the granted object still is at `path`; `moves`: how often the session moved names. A folder that
    /// somebody else exchanged a moment ago costs a call that is continued an errno; it never lets one pass.
    pub(super) fn is_there(&self, path: &[u8], moves: u64) -> bool {
        let now = rustix::time::clock_gettime(ClockId::MonotonicCoarse).tv_sec;
        // Files are exchanged all the time, by whoever writes a new version; folders hardly ever.
        let believed = self.is_folder && self.moves.load(Ordering::Acquire) == moves;
        if believed && now.saturating_sub(self.seen.load(Ordering::Acquire)) < TRUST {
            return true;
        }
        let there = Stamp::of(Path::new(OsStr::from_bytes(path)));
        let same = there.is_some_and(|there| (there.device, there.inode) == self.object);
        // Whoever reads the count reads at least this time.
        self.seen.store(if same { now } else { 0 }, Ordering::Release);
        self.moves.store(moves, Ordering::Release);
        same
    }
}

impl Clone for Spot {
    fn clone(&self) -> Spot {
        Spot {
            rights: self.rights,
            is_folder: self.is_folder,
            object: self.object,
            seen: AtomicI64::new(0),
            moves: AtomicU64::new(0),
        }
    }
}
