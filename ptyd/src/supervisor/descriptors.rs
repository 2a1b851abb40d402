//! What a command inherits: open descriptors, as the kernel shows them.

use std::fs;

/// Numbers of ours in a shim that is about to start stay above this; they are closed at execve.
const OURS: i32 = 200;

/// The sockets among the descriptors of `pid`, as `N=socket:[INODE]`. They are inherited untouched, and
/// whoever reads the record must be able to know of them.
pub(crate) fn inherited_sockets(pid: i32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut found: Vec<(i32, String)> = entries
        .filter_map(|entry| {
            let number: i32 = entry.file_name().to_str()?.parse().ok()?;
            let target = fs::read_link(entry.path()).ok()?.into_os_string().into_string().ok()?;
            (number < OURS && target.starts_with("socket:")).then_some((number, target))
        })
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .map(|(number, target)| format!("{number}={target}"))
        .collect()
}
