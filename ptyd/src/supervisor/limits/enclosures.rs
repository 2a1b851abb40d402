//! The groups behind the session's wall: one below each group that commands come from.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use agentsh_sandbox::cgroup::{Enclosure, Hierarchies, Owner, Price, number_of};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::sys;

/// All that are there.
#[derive(Default)]
pub(crate) struct Enclosures(Arc<Inner>);

#[derive(Default)]
struct Inner {
    made: Mutex<Vec<Arc<Enclosure>>>,
    /// Tells when nobody is left in a group above.
    notices: Mutex<Option<Inotify>>,
}

impl Enclosures {
    /// The one below the group in which the process behind `pidfd` is; where there is none yet it is made, and taken in
    /// by `enclose` before anybody is in it.
    pub(crate) fn below(
        &self,
        hierarchies: &Hierarchies,
        (pid, pidfd): (i32, impl AsFd),
        (owner, price): (Owner<'_>, Price),
        enclose: impl FnOnce(&Enclosure) -> Result<(), String>,
    ) -> Result<Arc<Enclosure>, String> {
        let above = match sys::group_of(pidfd) {
            Some(number) => number,
            None => number_of(hierarchies, pid).map_err(|error| error.to_string())?,
        };
        let mut made = self.0.lock();
        if let Some(found) = made.iter().find(|one| one.serves(above)) {
            return Ok(Arc::clone(found));
        }
        made.retain(|one| one.is_there());
        let new = Enclosure::make(hierarchies, pid, owner, price).map_err(|error| error.to_string())?;
        let taken = enclose(&new).and_then(|()| self.watch(&new).map_err(|error| error.to_string()));
        if let Err(why) = taken {
            let _ = new.group().remove();
            return Err(why);
        }
        let new = Arc::new(new);
        made.push(Arc::clone(&new));
        Ok(new)
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Enclosure>> {
        self.0.lock().clone()
    }

    /// Who brings a group away once it is empty must not find ours in it.
    fn watch(&self, enclosure: &Enclosure) -> std::io::Result<()> {
        let Some(file) = enclosure.notices() else { return Ok(()) };
        let mut notices = self.0.notices.lock().unwrap_or_else(PoisonError::into_inner);
        let notices = match notices.take() {
            Some(known) => notices.insert(known),
            None => {
                let new = Inotify::init(InitFlags::IN_CLOEXEC)?;
                let (waits, inner) = (new.as_fd().try_clone_to_owned()?, Arc::downgrade(&self.0));
                let thread = std::thread::Builder::new().name("groups".into()).stack_size(128 << 10);
                thread.spawn(move || follow(&waits, &inner))?;
                notices.insert(new)
            }
        };
        notices.add_watch(&file, AddWatchFlags::IN_MODIFY)?;
        Ok(())
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Enclosure>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes those that nobody can come to any more.
    fn sweep(&self) {
        self.lock()
            .retain(|one| one.is_in_use() || one.group().remove().is_err());
    }
}

fn follow(notices: &OwnedFd, inner: &Weak<Inner>) {
    let mut buffer = [0; 4096];
    loop {
        match rustix::io::read(notices, &mut buffer) {
            Ok(0) => return,
            Ok(_) => match inner.upgrade() {
                Some(inner) => inner.sweep(),
                None => return,
            },
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => {
                tracing::error!("ends of groups are not told any more ({errno}): ours stay until the session's end");
                return;
            }
        }
    }
}
