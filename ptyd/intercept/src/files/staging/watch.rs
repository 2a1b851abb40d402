//! Who says that a writer has closed its file.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use crate::caller::held;
use crate::files::calls::path_to;
use crate::files::engine::FileEngine;

/// A thread that waits for files to be closed.
#[derive(Debug)]
pub struct Watch(Arc<OwnedFd>);

/// Stack of the thread: it judges and places.
const STACK: usize = 512 << 10;

impl Watch {
    /// Starts the thread, which lives as long as the engine.
    pub fn start(engine: Weak<FileEngine>) -> Result<Watch, Errno> {
        let notices = Arc::new(inotify::init(CreateFlags::CLOEXEC)?);
        let own = Arc::clone(&notices);
        let run = move || {
            let mut room = [0; 4096];
            while own_read(&own, &mut room).is_ok() {
                let Some(engine) = engine.upgrade() else { return };
                engine.settle();
            }
        };
        let started = held::thread("staging").stack_size(STACK).spawn(run);
        started.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))?;
        Ok(Watch(notices))
    }

    /// Waits for writers of `file` too. The watch ends with the file, or with the next file that gets its inode.
    pub fn add(&self, file: impl AsFd) -> Result<(), Errno> {
        inotify::add_watch(&*self.0, path_to(file), WatchFlags::CLOSE_WRITE).map(|_| ())
    }
}

/// What the notices say does not matter: whoever waits is looked at.
fn own_read(notices: &OwnedFd, room: &mut [u8]) -> Result<usize, Errno> {
    rustix::io::retry_on_intr(|| rustix::io::read(notices, &mut *room))
}
