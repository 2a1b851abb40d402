//! What the host has to say: links at well-known places.

use std::os::unix::ffi::OsStringExt;

/// Paths that are links on some hosts and that policies name.
const PLACES: [&str; 10] = [
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/var/run",
    "/var/lock",
    "/tmp",
    "/home",
];

/// The links of this host at well-known places, with their resolved targets, for
/// [`crate::Variables::links`]. What is judged is resolved, so a rule about `/bin/x` has to be one about
/// `/usr/bin/x` too.
pub fn host_links() -> Vec<(Vec<u8>, Vec<u8>)> {
    PLACES
        .iter()
        .filter(|place| std::fs::symlink_metadata(place).is_ok_and(|meta| meta.is_symlink()))
        .filter_map(|place| {
            let target = std::fs::canonicalize(place).ok()?;
            Some((place.as_bytes().to_vec(), target.into_os_string().into_vec()))
        })
        .collect()
}
