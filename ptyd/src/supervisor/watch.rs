//! Notices that a policy file of the session has changed.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::io::unix::AsyncFd;

use crate::sys;

/// The files that a session's policy is resolved from, watched through their folders: editors replace
/// files, and some of them do not exist yet.
pub(super) struct PolicyWatch {
    inotify: Inotify,
    ready: AsyncFd<OwnedFd>,
    names: HashMap<WatchDescriptor, Vec<OsString>>,
}

impl PolicyWatch {
    /// Watches `files`. Folders that do not exist are looked for through the folders above them.
    pub(super) fn new(files: &[PathBuf]) -> std::io::Result<PolicyWatch> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let ready = sys::readable(inotify.as_fd().try_clone_to_owned()?)?;
        let mut watch = PolicyWatch {
            inotify,
            ready,
            names: HashMap::new(),
        };
        for file in files {
            watch.add(file)?;
        }
        Ok(watch)
    }

    fn add(&mut self, file: &Path) -> std::io::Result<()> {
        let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
            return Ok(());
        };
        if !folder.is_dir() {
            return self.add(folder);
        }
        let what = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE;
        let descriptor = self.inotify.add_watch(folder, what)?;
        self.names.entry(descriptor).or_default().push(name.to_owned());
        Ok(())
    }

    /// Waits until one of the files may have changed. Make the watch anew afterwards: folders may have come.
    pub(super) async fn changed(&self) -> std::io::Result<()> {
        loop {
            let mut guard = self.ready.readable().await?;
            guard.clear_ready();
            let events = match self.inotify.read_events() {
                Err(nix::errno::Errno::EAGAIN) => continue,
                other => other?,
            };
            let ours =
                |name: &OsString, descriptor| self.names.get(&descriptor).is_some_and(|names| names.contains(name));
            if events
                .iter()
                .any(|event| event.name.as_ref().is_none_or(|name| ours(name, event.wd)))
            {
                return Ok(());
            }
        }
    }
}
