//! What the host has to say: links at well-known places.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

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

/// The most links without an end that are followed, as in path_resolution(7).
const MAX_LINKS: u32 = 40;

/// Where an absolute path leads through links, if that is another place; of what is missing the part that is there
/// counts. What leads to or through `/proc` is another place for each process, which no rule can mean.
pub(crate) fn led_to(path: &[u8]) -> Option<Vec<u8>> {
    let path = Path::new(OsStr::from_bytes(path));
    if !path.is_absolute() || path.starts_with("/proc") {
        return None;
    }
    let place = resolved(path, MAX_LINKS)?;
    (place != path && !place.starts_with("/proc")).then(|| place.into_os_string().into_vec())
}

fn resolved(path: &Path, left: u32) -> Option<PathBuf> {
    if let Ok(object) = path.canonicalize() {
        return Some(object);
    }
    let folder = resolved(path.parent()?, left)?;
    let place = folder.join(path.file_name()?);
    match place.read_link() {
        Ok(target) if left > 0 => resolved(&folder.join(target), left - 1),
        _ => Some(place),
    }
}
