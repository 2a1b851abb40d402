//! Who runs in a world: the processes whose mount namespace is the world's.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A process seen in a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    pub exe: PathBuf,
    /// The arguments, joined by spaces.
    pub line: String,
    namespace: u64,
}

impl Process {
    /// What the daemon was started as: nothing for a broker, `supervise` for a session's supervisor, or a helper of one.
    pub fn role(&self) -> &str {
        let words = self
            .line
            .split(' ')
            .skip(1)
            .filter(|word| !word.starts_with("--") && word.parse::<u32>().is_err());
        words.last().unwrap_or_default()
    }

    /// Sends a signal, if the process is still the one that was seen.
    pub fn signal(&self, signal: i32) -> bool {
        read(self.pid, self.namespace)
            .is_some_and(|now| now.exe == self.exe && crate::sys::kill(self.pid, signal).is_ok())
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        read(self.pid, self.namespace).is_some_and(|now| now.exe == self.exe)
    }

    /// Whether its group is the one in the foreground of its terminal, and it is not stopped (`proc_pid_stat(5)`).
    pub fn is_in_front(&self) -> bool {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let is_front = matches!((fields.get(2), fields.get(5)), (Some(group), Some(front)) if group == front);
        is_front && fields[0] != "T"
    }

    /// A line of `/proc/PID/status` (see `proc(5)`), such as `Seccomp`.
    pub fn status(&self, key: &str) -> Option<String> {
        status(self.pid, key)
    }

    /// The most memory that it ever had, in KiB.
    pub fn most_memory(&self) -> u64 {
        let text = self.status("VmHWM").unwrap_or_default();
        text.split_whitespace()
            .next()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    }
}

/// A line of `/proc/PID/status`.
pub fn status(pid: i32, key: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| {
        line.strip_prefix(key)?
            .strip_prefix(':')
            .map(|value| value.trim().to_owned())
    })
}

/// All processes of a mount namespace but those of the caller's own; zombies are not counted.
pub(crate) fn in_namespace(namespace: u64) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| *pid != std::process::id() as i32)
        .filter_map(|pid| read(pid, namespace))
        .collect()
}

/// Kills until a pass finds nobody.
pub(super) fn kill_all(namespace: u64) {
    wait_until(Duration::from_secs(20), || {
        let left = in_namespace(namespace);
        for process in &left {
            process.signal(libc::SIGKILL);
        }
        left.is_empty()
    });
}

/// The mount namespaces in which `/run` is the one of the calling thread's: its own, and those that were made in it.
pub(super) fn namespaces_of_run() -> Vec<u64> {
    let run = |process: &str| {
        fs::metadata(format!("/proc/{process}/root/run/."))
            .map(|run| run.dev())
            .ok()
    };
    let own = run("thread-self");
    // Not the machine's.
    if own.is_none() || own == run("1") {
        return Vec::new();
    }
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().into_string().ok());
    let theirs = pids.filter(|pid| pid.parse::<i32>().is_ok() && run(pid) == own);
    let namespaces = theirs.filter_map(|pid| Some(fs::metadata(format!("/proc/{pid}/ns/mnt")).ok()?.ino()));
    namespaces
        .collect::<std::collections::BTreeSet<u64>>()
        .into_iter()
        .collect()
}

/// Sends a signal to each of them that still runs.
pub fn signal_all(processes: &[Process], signal: i32) {
    for process in processes {
        process.signal(signal);
    }
}

/// Asks until the answer is yes or the patience is over; the answer.
pub fn wait_until(patience: Duration, mut ask: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if ask() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn read(pid: i32, namespace: u64) -> Option<Process> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    if state == "Z" || fs::metadata(folder.join("ns/mnt")).ok()?.ino() != namespace {
        return None;
    }
    let exe = fs::read_link(folder.join("exe")).ok()?;
    let line = fs::read(folder.join("cmdline")).ok()?;
    let line = String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ");
    Some(Process {
        pid,
        parent,
        exe,
        line,
        namespace,
    })
}
