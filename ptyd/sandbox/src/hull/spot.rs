//! A granted path, as decisions look it up.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use rustix::time::ClockId;

use super::{Grant, Object, Rights, Stamp};

/// How long, in seconds, a folder of the system is believed to be where it was.
const TRUST: i64 = 1;

/// Where programs and libraries lie: what is opened most, and never exchanged as a whole.
const SYSTEM: [&[u8]; 2] = [b"/", b"/usr"];

/// A grant by its path.
#[derive(Debug)]
pub(super) struct Spot {
    pub rights: Rights,
    /// Whether all below is granted too.
    pub is_folder: bool,
    object: Object,
    /// When it was seen there last, in seconds of the monotonic clock; 0: never.
    seen: AtomicI64,
}

impl Spot {
    pub(super) fn new(grant: &Grant) -> Spot {
        Spot {
            rights: grant.rights,
            is_folder: grant.is_folder,
            object: grant.object,
            seen: AtomicI64::new(0),
        }
    }

    /// Whether the granted object still is at `path`. One that was exchanged a moment ago costs a call that
    /// is continued an errno; it never lets one pass.
    pub(super) fn is_there(&self, path: &[u8]) -> bool {
        let now = rustix::time::clock_gettime(ClockId::MonotonicCoarse).tv_sec;
        let believed = SYSTEM.contains(&path);
        if believed && now.saturating_sub(self.seen.load(Ordering::Relaxed)) < TRUST {
            return true;
        }
        let there = Stamp::of(Path::new(OsStr::from_bytes(path)));
        let same = there.is_some_and(|there| (there.device, there.inode) == self.object);
        self.seen.store(if same { now } else { 0 }, Ordering::Relaxed);
        same
    }
}

impl Clone for Spot {
    fn clone(&self) -> Spot {
        Spot {
            rights: self.rights,
            is_folder: self.is_folder,
            object: self.object,
            seen: AtomicI64::new(self.seen.load(Ordering::Relaxed)),
        }
    }
}
