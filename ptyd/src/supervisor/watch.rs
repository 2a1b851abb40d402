//! Notices that a policy file of the session has changed.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use crate::sys;

/// How often is looked at most: a build in the same folder makes thousands of names.
const PACE: Duration = Duration::from_millis(20);

/// The files that a session's policy is resolved from. Their folders are watched for names, since editors replace
/// files, and some of them do not exist yet; what is written into a file is told by the file alone.
pub(super) struct PolicyWatch {
    inotify: Inotify,
    /// Tells of events until it has been asked, and then again when it is armed again: nobody is woken for each
    /// of them.
    gate: Epoll,
    /// It has told and is not armed.
    told: Cell<bool>,
    ready: AsyncFd<OwnedFd>,
    names: HashMap<WatchDescriptor, Vec<OsString>>,
    next: Cell<Instant>,
}

impl PolicyWatch {
    /// Watches `files`. Folders that do not exist are looked for through the folders above them.
    pub(super) fn new(files: &[PathBuf]) -> std::io::Result<PolicyWatch> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let gate = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        gate.add(&inotify, armed())?;
        let ready = sys::readable(gate.0.as_fd().try_clone_to_owned()?)?;
        let mut watch = PolicyWatch {
            inotify,
            gate,
            told: Cell::new(false),
            ready,
            names: HashMap::new(),
            next: Cell::new(Instant::now()),
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
        if file.is_file() {
            self.inotify.add_watch(file, AddWatchFlags::IN_CLOSE_WRITE)?;
        }
        let what = AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE;
        let descriptor = self.inotify.add_watch(folder, what)?;
        self.names.entry(descriptor).or_default().push(name.to_owned());
        Ok(())
    }

    /// Waits until one of the files may have changed; may be given up at any time. Make the watch anew
    /// afterwards: folders may have come.
    pub(super) async fn changed(&self) -> std::io::Result<()> {
        loop {
            if !self.told.get() {
                let mut guard = self.ready.readable().await?;
                // At once: as long as it has not been asked it tells of every event.
                self.gate.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO)?;
                guard.clear_ready();
                self.told.set(true);
            }
            tokio::time::sleep_until(self.next.get()).await;
            self.next.set(Instant::now() + PACE);
            self.told.set(false);
            let events = self.inotify.read_events();
            self.gate.modify(&self.inotify, &mut armed())?;
            let events = match events {
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

fn armed() -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT, 0)
}
