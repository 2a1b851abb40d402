//! `/dev/tty` as the caller's terminal, `tty(4)`.

use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode};
use rustix::io::Errno;

use super::PIN;
use crate::process::Session;

const UNIX98_SLAVE: u32 = 136;

/// Pins the controlling terminal of process `tgid` (the one that an open of `/dev/tty` by it would open).
///
/// # Errors
/// `ENXIO` if it has none.
pub fn controlling_terminal(tgid: i32) -> Result<OwnedFd, Errno> {
    let session = Session::of(tgid).map_err(|_| Errno::NXIO)?;
    let device = session.terminal.ok_or(Errno::NXIO)?;
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
