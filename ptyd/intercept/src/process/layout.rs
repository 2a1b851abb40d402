//! Whether where an image lies tells it from others.

use std::sync::atomic::{AtomicU8, Ordering};

use super::procfs;

/// A personality that is only asked for (`personality(2)`).
const ASKED: u32 = u32::MAX;

/// Addresses of images are random for every process.
const DIFFER: u8 = 1;
/// For some process they may not be.
const REPEAT: u8 = 2;

/// Whether no two images of a command lie at the same addresses.
#[derive(Debug, Default)]
pub(crate) struct Layouts(AtomicU8);

impl Layouts {
    /// A process is about to call `personality(2)`, which its children inherit. Who has random addresses from then on
    /// says nothing of the others.
    pub fn pretends(&self, personality: u32) {
        if personality != ASKED {
            self.0.store(REPEAT, Ordering::Release);
        }
    }

    /// As far as task `tid` of the command tells ([`layouts_differ`]), which is asked once: all others have
    /// inherited it.
    pub fn differ(&self, tid: i32) -> bool {
        match self.0.load(Ordering::Acquire) {
            DIFFER => true,
            REPEAT => false,
            _ => {
                let found = if layouts_differ(tid) { DIFFER } else { REPEAT };
                let before = self.0.compare_exchange(0, found, Ordering::AcqRel, Ordering::Acquire);
                before.map_or_else(|now| now, |_| found) == DIFFER
            }
        }
    }
}

/// Whether the addresses of a new image differ from those of the one before it: they are random unless a process
/// (`personality(2)`) or the whole machine was told otherwise. Where they are not, an image that wrote over its own
/// arguments could have been made to look like the one that follows it.
pub(crate) fn layouts_differ(tid: i32) -> bool {
    let personality = procfs::read(tid, "personality").ok();
    let personality =
        personality.and_then(|text| u32::from_str_radix(std::str::from_utf8(&text).ok()?.trim(), 16).ok());
    let everywhere = std::fs::read("/proc/sys/kernel/randomize_va_space");
    everywhere.is_ok_and(|text| text.trim_ascii() != b"0")
        && personality.is_some_and(|bits| bits & libc::ADDR_NO_RANDOMIZE as u32 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_changes_its_personality_says_nothing_of_the_others() {
        let own = std::process::id() as i32;
        let layouts = Layouts::default();
        assert_eq!(layouts.differ(own), layouts_differ(own));
        layouts.pretends(ASKED);
        assert_eq!(layouts.differ(own), layouts_differ(own));
        // Its addresses are random from then on; a parent's may not be.
        layouts.pretends(0);
        assert!(!layouts.differ(own));
        let other = Layouts::default();
        other.pretends(libc::ADDR_NO_RANDOMIZE as u32);
        assert!(!other.differ(own), "before anybody asked");
    }

    #[test]
    fn who_cannot_be_asked_does_not_differ() {
        assert!(!Layouts::default().differ(i32::MAX));
    }
}
