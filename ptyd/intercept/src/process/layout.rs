//! Whether where an image lies tells it from others.

use super::procfs;

/// A personality that is only asked for (`personality(2)`).
const ASKED: u32 = u32::MAX;

/// Whether a personality keeps addresses from being random.
pub fn repeats(personality: u32) -> bool {
    personality != ASKED && personality & libc::ADDR_NO_RANDOMIZE as u32 != 0
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
        && personality.is_some_and(|personality| !repeats(personality))
}
