//! Notices that something is mounted or taken away, `proc_pid_mountinfo(5)`: names may fold elsewhere then.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::sys;

/// The mounts that this process sees.
pub(super) struct Mounts(AsyncFd<OwnedFd>);

impl Mounts {
    pub(super) fn new() -> io::Result<Mounts> {
        // Readable the file is always.
        let file = File::open("/proc/self/mountinfo")?;
        sys::exceptional(file.into()).map(Mounts)
    }

    /// Waits until they are others than when this was made, or was waited for last; may be given up at any time.
    pub(super) async fn changed(&self) -> io::Result<()> {
        self.0.ready(Interest::PRIORITY).await?.clear_ready();
        Ok(())
    }
}
