//! Notices that a policy file of the session has changed.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::way;
use crate::sys;

/// How often is looked at most: a build in the same folder makes thousands of names.
const PACE: Duration = Duration::from_millis(20);

/// What tells that a name leads elsewhere, or who may go there.
const NAMES: AddWatchFlags = AddWatchFlags::IN_MOVED_TO
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_ATTRIB)
    .union(AddWatchFlags::IN_ONLYDIR);

/// The files that a session's policy is resolved from. All folders in which a name is looked up on the way to them are
/// watched for that name, those to which links lead among them: editors replace files, some do not exist yet, and a folder
/// above them or a link may be exchanged. What is written into a file is told by the file alone.
pub(super) struct PolicyWatch {
    inotify: Inotify,
    /// Tells of events until it has been asked, and then again when it is armed again: nobody is woken for each
    /// of them.
    gate: Epoll,
    /// It has told and is not armed.
    told: Cell<bool>,
    ready: AsyncFd<OwnedFd>,
    names: HashMap<WatchDescriptor, Vec<OsString>>,
    sees_all: bool,
    next: Cell<Instant>,
}

impl PolicyWatch {
    /// Watches `files`, whether they exist or not.
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
            sees_all: true,
            next: Cell::new(Instant::now()),
        };
        for file in files {
            watch.add(file);
        }
        Ok(watch)
    }

    /// Whether no change goes unnoticed: a folder that its user may not list tells nothing, and watches may run out.
    pub(super) fn sees_all(&self) -> bool {
        self.sees_all
    }

    /// Each folder is watched before a name in it is looked at.
    fn add(&mut self, file: &Path) {
        let end = way::walk(file, |folder, name| self.add_name(folder, name));
        if let Some(file) = end.filter(|place| place.is_file()) {
            self.add_file(&file);
        }
    }

    fn add_name(&mut self, folder: &Path, name: &OsStr) {
        if let Some(descriptor) = self.add_watch(folder, NAMES) {
            self.names.entry(descriptor).or_default().push(name.to_owned());
        }
    }

    fn add_file(&mut self, file: &Path) {
        self.add_watch(file, AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_ATTRIB);
    }

    fn add_watch(&mut self, place: &Path, what: AddWatchFlags) -> Option<WatchDescriptor> {
        let added = self.inotify.add_watch(place, what | AddWatchFlags::IN_DONT_FOLLOW);
        self.sees_all &= added.is_ok();
        added.ok()
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
            let ours = self.read();
            self.gate.modify(&self.inotify, &mut armed())?;
            if ours? {
                return Ok(());
            }
        }
    }

    /// Takes what has come, and tells whether something of it is about one of the files.
    fn read(&self) -> std::io::Result<bool> {
        let watched =
            |name: &OsString, descriptor| self.names.get(&descriptor).is_some_and(|names| names.contains(name));
        loop {
            let events = match self.inotify.read_events() {
                Err(nix::errno::Errno::EAGAIN) => return Ok(false),
                other => other?,
            };
            let mut events = events.iter();
            if events.any(|event| event.name.as_ref().is_none_or(|name| watched(name, event.wd))) {
                return Ok(true);
            }
        }
    }
}

fn armed() -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT, 0)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    /// What is done to the files in a home.
    type Act = dyn Fn(&Path) -> std::io::Result<()>;

    /// Whether the watch tells of what is done, within a moment; and that it tells of nothing before.
    fn tells(file: &Path, act: impl FnOnce() -> std::io::Result<()>) -> Result<bool, Box<dyn std::error::Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let watch = PolicyWatch::new(&[file.to_owned()])?;
            assert!(watch.sees_all());
            act()?;
            let told = tokio::time::timeout(Duration::from_millis(300), watch.changed()).await;
            Ok(told.is_ok_and(|told| told.is_ok()))
        })
    }

    /// `home/link` leads to `home/dots/one`, which holds the file; `home/dots/two` holds another.
    fn home() -> std::io::Result<tempfile::TempDir> {
        let home = tempfile::tempdir()?;
        for set in ["one", "two"] {
            fs::create_dir_all(home.path().join("dots").join(set).join("policies"))?;
            fs::write(home.path().join("dots").join(set).join("policies/p.yaml"), set)?;
        }
        symlink("dots/../dots/one", home.path().join("link"))?;
        Ok(home)
    }

    #[test]
    fn a_link_that_is_turned_and_folders_that_are_exchanged_are_noticed() -> Outcome {
        let acts: [&Act; 8] = [
            &|home| {
                symlink("dots/two", home.join("new"))?;
                fs::rename(home.join("new"), home.join("link"))
            },
            &|home| fs::remove_file(home.join("link")),
            &|home| fs::rename(home.join("dots"), home.join("away")),
            &|home| fs::rename(home.join("dots/one"), home.join("dots/away")),
            &|home| fs::rename(home.join("dots/one/policies"), home.join("dots/one/away")),
            &|home| {
                fs::rename(
                    home.join("dots/two/policies/p.yaml"),
                    home.join("dots/one/policies/p.yaml"),
                )
            },
            &|home| fs::write(home.join("dots/one/policies/p.yaml"), "other"),
            &|home| {
                let file = fs::File::open(home.join("dots/one/policies/p.yaml"))?;
                let then = std::time::SystemTime::UNIX_EPOCH;
                file.set_times(fs::FileTimes::new().set_accessed(then).set_modified(then))
            },
        ];
        for (number, act) in acts.iter().enumerate() {
            let home = home()?;
            let file = home.path().join("link/policies/p.yaml");
            assert!(tells(&file, || act(home.path()))?, "act {number}");
        }
        Ok(())
    }

    #[test]
    fn what_is_missing_is_noticed_when_it_comes_and_what_is_beside_it_is_not() -> Outcome {
        let home = home()?;
        let file = home.path().join("later/policies/p.yaml");
        assert!(tells(&file, || fs::create_dir(home.path().join("later")))?);
        assert!(!tells(&file, || fs::write(home.path().join("later/other"), ""))?);
        assert!(tells(&file, || fs::create_dir(home.path().join("later/policies")))?);
        assert!(tells(&file, || fs::write(&file, ""))?);
        Ok(())
    }

    #[test]
    fn links_in_a_circle_are_followed_to_no_end() -> Outcome {
        let home = home()?;
        symlink("b", home.path().join("a"))?;
        symlink("a", home.path().join("b"))?;
        assert!(tells(&home.path().join("a/p.yaml"), || fs::remove_file(
            home.path().join("b")
        ))?);
        Ok(())
    }
}
