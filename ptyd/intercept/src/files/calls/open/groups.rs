//! `/proc/PID/cgroup` (`cgroups(7)`): the group that a session shares is not in what its programs read. Runtimes look up
//! their limits by that path, and ours has none of the files that they would find at their own.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};

use super::{Flags, existing};
use crate::files::calls::call::Call;
use crate::files::resolve::{Pin, is_procfs};
use crate::outcome::Outcome;

/// More lines than there can be hierarchies.
const MOST: u64 = 64 << 10;

/// What the caller gets in the place of the file behind `pin`, if that is such a one and shows the group.
pub(super) fn shown(call: &Call<'_, '_>, flags: Flags, pin: &Pin, path: &Path) -> Result<Option<OwnedFd>, Outcome> {
    if !pin.procfs || path.file_name().is_none_or(|name| name != "cgroup") || !is_procfs(&pin.fd)? {
        return Ok(None);
    }
    let Some(hidden) = call.engine.parts.judge.hidden_group() else {
        return Ok(None);
    };
    let mut text = Vec::new();
    let opened = existing::open_again(call, pin, OFlags::RDONLY | OFlags::CLOEXEC)?;
    let read = File::from(opened).take(MOST).read_to_end(&mut text);
    // Whose process is gone by now has nothing to be read, as the kernel will say itself.
    let Some(text) = read.ok().and_then(|_| without(&text, hidden.as_bytes())) else {
        return Ok(None);
    };
    file_of(call, flags, &text).map(Some)
}

/// A file that can only be read, and holds this.
fn file_of(call: &Call<'_, '_>, flags: Flags, text: &[u8]) -> Result<OwnedFd, Outcome> {
    let memory = rustix::fs::memfd_create("cgroup", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut memory = File::from(memory);
    memory.write_all(text).map_err(|_| rustix::io::Errno::NOMEM)?;
    rustix::fs::fchmod(&memory, Mode::RUSR | Mode::RGRP | Mode::ROTH)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&memory, seals)?;
    let number = rustix::path::DecInt::from_fd(memory.as_fd());
    let flags = flags.without(libc::O_NOFOLLOW);
    Ok(rustix::fs::openat(call.descriptors(), number, flags, Mode::empty())?)
}

/// The text without this component in the path of the v2 hierarchy; `None` if it is not there.
fn without(text: &[u8], hidden: &[u8]) -> Option<Vec<u8>> {
    let mut found = false;
    let mut shown = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
        let parts: Vec<&[u8]> = line[..end].split(|byte| *byte == b'/').collect();
        if !line.starts_with(b"0::/") || !parts.contains(&hidden) {
            shown.extend_from_slice(line);
            continue;
        }
        found = true;
        let mut left = parts.into_iter().filter(|part| *part != hidden).collect::<Vec<_>>();
        if let [_] = left.as_slice() {
            left.push(b"");
        }
        shown.extend_from_slice(&left.join(&b'/'));
        shown.extend_from_slice(&line[end..]);
    }
    found.then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_of_the_v2_path_is_left_out_and_nothing_else() {
        let without =
            |text: &str| without(text.as_bytes(), b"ours").map(|text| String::from_utf8_lossy(&text).into_owned());
        assert_eq!(without("0::/ours\n").as_deref(), Some("0::/\n"));
        assert_eq!(
            without("4:pids:/ours\n0::/a.slice/ours\n").as_deref(),
            Some("4:pids:/ours\n0::/a.slice\n")
        );
        assert_eq!(
            without("0::/a/ours/b (deleted)\n").as_deref(),
            Some("0::/a/b (deleted)\n")
        );
        assert_eq!(without("4:pids:/ours\n0::/oursel\n"), None);
        assert_eq!(without(""), None);
    }
}
