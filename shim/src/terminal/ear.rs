//! A process in the command's process group that only hears which keys signalled that. The group is the command's alone; as
//! the job of a shell it would have shared one with the rest of that job, which then is to have these signals too.

use std::os::fd::OwnedFd;

use super::job::Report;
use super::sys::{self, Signal};

/// The keys' signals. What stops is dealt with where the command's stop is seen.
const HEARD: [i32; 2] = [libc::SIGINT, libc::SIGQUIT];

/// The monitor's side.
pub(super) struct Ear {
    /// Closed, it ends the other.
    leash: OwnedFd,
    pid: i32,
}

impl Ear {
    /// Puts one into the group that this child of ours leads; all signals are held back here, and so there.
    pub(super) fn in_group_of(command: i32, relay: &OwnedFd) -> Option<Ear> {
        let (leash, monitor) = sys::pair().ok()?;
        match sys::fork() {
            Err(_) => None,
            Ok(0) => {
                drop(leash);
                if sys::join_group(command) {
                    hear(relay, &monitor);
                }
                sys::end(0)
            }
            Ok(pid) => Some(Ear { leash, pid }),
        }
    }

    /// It has told everything that came before.
    pub(super) fn end(self) {
        drop(self.leash);
        // Who stopped the group stopped it too.
        sys::signal_process(self.pid, libc::SIGCONT);
        sys::reap(self.pid);
    }
}

/// For as long as there is a monitor.
fn hear(relay: &OwnedFd, monitor: &OwnedFd) {
    sys::keep_only(&[relay, monitor]);
    let Ok(signals) = sys::signal_reader(&HEARD) else {
        return;
    };
    while !sys::is_readable(monitor) {
        tell(&signals, relay);
        sys::wait_readable(&signals, Some(monitor), (None, -1));
    }
    sys::await_group();
    tell(&signals, relay);
}

/// Tells of the keys' signals among those that have come.
pub(super) fn tell(signals: &OwnedFd, relay: &OwnedFd) {
    while let Some(Signal { number, by_kernel }) = sys::next_signal(signals) {
        if by_kernel && number != libc::SIGCHLD {
            Report::Key(number).send(relay);
        }
    }
}
