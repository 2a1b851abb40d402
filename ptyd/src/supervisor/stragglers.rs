//! Processes that nobody has seen: their parents were gone before they made a call.
//!
//! A fork is not notified, so that a line of processes each of which starts the next and dies of a fault is known only by
//! what it executes: a fork has the very addresses of its parent's image. Such a line is as fast as fork(2); who would end it
//! must find the youngest process before that has started the next.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agentsh_intercept::{Guard, TaskStat};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How long the youngest are watched, after all processes were looked at once.
const HUNT: Duration = Duration::from_millis(100);

/// How many numbers before the last one are looked at: others on the machine start processes too.
const YOUNGEST: i32 = 3;

/// Kills whoever executes an image of these commands' processes; how many there were.
pub(super) fn end(guards: &[Arc<Guard>]) -> usize {
    let mut ended = crate::process::all_pids().filter(|pid| kill(guards, *pid)).count();
    let Ok(load) = File::open("/proc/loadavg") else {
        return ended;
    };
    let begun = Instant::now();
    while begun.elapsed() < HUNT {
        let Some(last) = last_number(&load) else { break };
        ended += (0..YOUNGEST).filter(|back| kill(guards, last - back)).count();
    }
    ended
}

/// The number that was given last, `proc_loadavg(5)`.
fn last_number(load: &File) -> Option<i32> {
    let mut text = [0; 128];
    let count = load.read_at(&mut text, 0).ok()?;
    let text = std::str::from_utf8(&text[..count]).ok()?;
    text.split_ascii_whitespace().last()?.parse().ok()
}

fn kill(guards: &[Arc<Guard>], pid: i32) -> bool {
    // Held before it is looked at: what is killed is what was seen.
    let Some(pidfd) = open(pid) else { return false };
    let is_ours = |stat: TaskStat| guards.iter().any(|guard| guard.executed(pid, &stat));
    TaskStat::read(pid).is_ok_and(is_ours) && pidfd_send_signal(&pidfd, Signal::KILL).is_ok()
}

fn open(pid: i32) -> Option<OwnedFd> {
    // PIDFD_THREAD has the value of O_EXCL; older kernels know processes only.
    let thread = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);
    let pid = Pid::from_raw(pid)?;
    match pidfd_open(pid, thread) {
        Err(Errno::INVAL) => pidfd_open(pid, PidfdFlags::empty()).ok(),
        pidfd => pidfd.ok(),
    }
}
