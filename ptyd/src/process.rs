//! Processes as `/proc` shows them, and the end of whole trees.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use agentsh_sandbox::status::SecurityStatus;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How often a tree is looked through for processes that were born meanwhile.
const PASSES: usize = 100;

/// A process that cannot be confused with a later one of the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub pid: i32,
    /// Start time in clock ticks since boot (`proc_pid_stat(5)`, field 22).
    pub start: u64,
}

#[derive(Debug, Clone, Copy)]
struct Stat {
    parent: i32,
    start: u64,
    zombie: bool,
    stopped: bool,
}

fn stat(pid: i32) -> io::Result<Stat> {
    // One read: the file is made anew for each, and is far shorter than this. That of the task alone: in the one of the
    // process the kernel adds up all threads.
    let mut buffer = [0; 1024];
    let length = fs::File::open(format!("/proc/{pid}/task/{pid}/stat"))?.read(&mut buffer)?;
    let text = &buffer[..length];
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    // The name, in parentheses, may hold anything: fields are counted after the last one.
    let end = text.iter().rposition(|byte| *byte == b')').ok_or_else(malformed)?;
    let rest = std::str::from_utf8(&text[end + 1..]).map_err(|_| malformed())?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| {
        fields
            .get(index)
            .and_then(|text| text.parse::<u64>().ok())
            .ok_or_else(malformed)
    };
    Ok(Stat {
        zombie: matches!(fields.first(), Some(&"Z" | &"X")),
        stopped: matches!(fields.first(), Some(&"T" | &"t")),
        parent: number(1)? as i32,
        start: number(19)?,
    })
}

/// Whether the process behind a pidfd has not ended: until then nobody else gets its number.
pub(crate) fn is_alive(pidfd: &OwnedFd) -> io::Result<bool> {
    Ok(poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&Timespec::default()))? == 0)
}

/// The parent of a process; `None` if it is gone.
pub(crate) fn parent(pid: i32) -> Option<i32> {
    stat(pid).ok().map(|stat| stat.parent)
}

impl Identity {
    /// The process that has this pid now.
    pub(crate) fn of(pid: i32) -> io::Result<Identity> {
        Ok(Identity {
            pid,
            start: stat(pid)?.start,
        })
    }

    /// A pidfd, if it still is this process.
    fn open(self) -> Option<OwnedFd> {
        let pidfd = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()?;
        (stat(self.pid).ok()?.start == self.start).then_some(pidfd)
    }

    /// Whether it is stopped (`SIGSTOP`, `signal(7)`), or held by a tracer.
    pub(crate) fn is_stopped(self) -> bool {
        stat(self.pid).is_ok_and(|stat| stat.start == self.start && stat.stopped)
    }

    /// Whether this process still is there (a zombie is not).
    pub(crate) fn lives(self) -> bool {
        stat(self.pid).is_ok_and(|stat| stat.start == self.start && !stat.zombie)
    }

    /// Whether it lives under a filter more than we do, or has started others: one that has neither only waits to be let in.
    pub(crate) fn has_begun(self) -> bool {
        let (own, filters) = (filters_of(std::process::id() as i32), filters_of(self.pid));
        filters > own || children(self.pid).into_iter().any(is_commands)
    }

    /// Whether the signal was sent.
    pub(crate) fn signal(self, signal: Signal) -> bool {
        self.open()
            .is_some_and(|pidfd| pidfd_send_signal(&pidfd, signal).is_ok())
    }
}

/// How often it is looked whether a process is stopped, and how often in a row it has to be.
const STOP_LOOK: Duration = Duration::from_millis(250);
const STOP_LOOKS: u32 = 4;

impl Identity {
    /// Returns once this process is stopped and stays so.
    pub(crate) async fn stays_stopped(self) {
        let mut looks = 0;
        while looks < STOP_LOOKS {
            tokio::time::sleep(STOP_LOOK).await;
            looks = if self.is_stopped() { looks + 1 } else { 0 };
        }
    }

    /// Kills the process group that this process leads, if it still is there.
    pub(crate) fn kill_group(self) {
        if let Some(pidfd) = self.open() {
            // The leader lives as long as its pidfd says so, so the group's number is its own.
            let group = Pid::from_raw(self.pid).filter(|_| pidfd_send_signal(&pidfd, Signal::KILL).is_ok());
            if let Some(group) = group {
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
            }
        }
    }
}

fn filters_of(pid: i32) -> u32 {
    SecurityStatus::of(pid).map_or(0, |status| status.seccomp_filters)
}

/// Whether a descendant of a command is the command's: not a daemon of ours. The broker is orphaned to its first caller
/// where that adopts orphans or is the first process of its namespace. Who runs our program from inside has a filter more.
/// A supervisor shows nobody what it executes.
fn is_commands(process: Identity) -> bool {
    let image = |pid: i32| fs::metadata(format!("/proc/{pid}/exe")).map(|file| (file.dev(), file.ino()));
    let own = std::process::id() as i32;
    let is_other = || matches!((image(process.pid), image(own)), (Ok(one), Ok(other)) if one != other);
    filters_of(process.pid) > filters_of(own) || is_other()
}

/// Ends the given processes and all of their descendants but daemons of ours. They are stopped first, until a pass finds
/// nobody new, so that none escapes by being born while its parent dies. Returns how many there were.
pub(crate) fn end_trees(roots: impl IntoIterator<Item = Identity>) -> usize {
    let mut known = HashSet::new();
    for root in roots {
        stop(root, &mut known);
    }
    for _ in 0..PASSES {
        let found = descendants(&known);
        if found.is_empty() {
            break;
        }
        for process in found {
            stop(process, &mut known);
        }
    }
    let mut ended = 0;
    for process in &known {
        ended += usize::from(process.signal(Signal::KILL));
    }
    ended
}

/// Stops a process and at once the children that it has by then, and theirs: a tree that grows at speed is caught at
/// its tip.
fn stop(process: Identity, known: &mut HashSet<Identity>) {
    let mut open = vec![process];
    while let Some(process) = open.pop() {
        if process.signal(Signal::STOP) && known.insert(process) {
            open.extend(children(process.pid).into_iter().filter(|child| is_commands(*child)));
        }
    }
}

/// The children of a process (`/proc/PID/task/TID/children`, `proc(5)`); none where the kernel does not list them.
fn children(pid: i32) -> Vec<Identity> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let texts = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let listed: Vec<i32> = texts
        .flat_map(|text| {
            text.split_ascii_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect();
    listed.into_iter().filter_map(|pid| Identity::of(pid).ok()).collect()
}

/// Sends a signal to the given processes and all of their descendants but daemons of ours; stopped ones are continued for it.
pub(crate) fn signal_trees(roots: impl IntoIterator<Item = Identity>, signal: Signal) {
    let mut known: HashSet<Identity> = roots.into_iter().collect();
    let found = descendants(&known);
    known.extend(found);
    for process in &known {
        process.signal(signal);
        process.signal(Signal::CONT);
    }
}

fn descendants(known: &HashSet<Identity>) -> Vec<Identity> {
    let mut children: BTreeMap<i32, Vec<Identity>> = BTreeMap::new();
    let mut starts: HashMap<i32, u64> = HashMap::new();
    for pid in all_pids() {
        if let Ok(stat) = stat(pid)
            && !stat.zombie
        {
            starts.insert(pid, stat.start);
            children
                .entry(stat.parent)
                .or_default()
                .push(Identity { pid, start: stat.start });
        }
    }
    let mut found = Vec::new();
    let mut open: Vec<Identity> = known.iter().copied().collect();
    while let Some(parent) = open.pop() {
        if starts.get(&parent.pid) != Some(&parent.start) {
            continue;
        }
        for child in children.remove(&parent.pid).unwrap_or_default() {
            let is_known = known.contains(&child);
            if !is_known && !is_commands(child) {
                continue;
            }
            if !is_known {
                found.push(child);
            }
            open.push(child);
        }
    }
    found
}

pub(crate) fn all_pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn a_tree_is_ended_with_its_grandchildren() -> Result<(), Box<dyn std::error::Error>> {
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 300 & echo $!; (sleep 300 & echo $!; wait) & wait"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(shell.stdout.take().ok_or("no stdout")?).lines();
        let mut sleepers = Vec::new();
        for _ in 0..2 {
            sleepers.push(lines.next().ok_or("too few lines")??.parse::<i32>()?);
        }
        assert!(end_trees([Identity::of(shell.id() as i32)?]) >= 4);
        assert!(!shell.wait()?.success());
        // SIGKILL was sent; the kernel ends each in its own time.
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(30);
        for sleeper in sleepers {
            while stat(sleeper).is_ok_and(|stat| !stat.zombie) {
                assert!(std::time::Instant::now() < limit, "{sleeper} lives");
                std::thread::yield_now();
            }
        }
        Ok(())
    }

    #[test]
    fn a_reused_pid_is_left_alone() -> io::Result<()> {
        let own = Identity::of(std::process::id() as i32)?;
        assert_eq!(
            end_trees([Identity {
                start: own.start + 1,
                ..own
            }]),
            0
        );
        Ok(())
    }
}
