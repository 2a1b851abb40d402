//! `/dev/tty` as the caller's terminal, `tty(4)`.

use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode};
use rustix::io::Errno;

use super::PIN;

const UNIX98_SLAVE: u32 = 136;

/// Pins the controlling terminal of process `tgid` (the one that an open of `/dev/tty` by it would open).
///
/// # Errors
/// `ENXIO` if it has none.
pub fn controlling_terminal(tgid: i32) -> Result<OwnedFd, Errno> {
    let text = std::fs::read(format!("/proc/{tgid}/stat")).map_err(|_| Errno::NXIO)?;
    let device = terminal_number(&text).ok_or(Errno::NXIO)?;
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xf_ff00));
    let path = if major == UNIX98_SLAVE {
        format!("/dev/pts/{minor}")
    } else {
        let link = std::fs::read_link(format!("/sys/dev/char/{major}:{minor}")).map_err(|_| Errno::NXIO)?;
        format!(
            "/dev/{}",
            link.file_name().and_then(|name| name.to_str()).ok_or(Errno::NXIO)?
        )
    };
    let terminal = rustix::fs::openat(CWD, path, PIN, Mode::empty()).map_err(|_| Errno::NXIO)?;
    let stat = rustix::fs::fstat(&terminal)?;
    if stat.st_mode & libc::S_IFMT == libc::S_IFCHR && stat.st_rdev == libc::makedev(major, minor) {
        Ok(terminal)
    } else {
        Err(Errno::NXIO)
    }
}

/// Field 7 of `/proc/PID/stat`; the name before it may hold anything, parentheses included.
fn terminal_number(stat: &[u8]) -> Option<u32> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let number: i32 = std::str::from_utf8(&stat[end + 1..])
        .ok()?
        .split_ascii_whitespace()
        .nth(4)?
        .parse()
        .ok()?;
    (number != 0).then_some(number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_is_found_behind_any_program_name() {
        assert_eq!(terminal_number(b"7 (a) b 0 (x)) S 1 2 3 34816 5 6"), Some(34816));
        assert_eq!(terminal_number(b"7 (sh) S 1 2 3 0 -1 6"), None);
        assert_eq!(terminal_number(b"7 sh"), None);
    }
}
