//! Devices that reach around rules on paths: disks and the machine's memory hold every file, keys and screens of the
//! machine are its person's, what is typed at somebody else's terminal is not for the session, and by its own files the
//! kernel is told what to do.

use std::collections::HashSet;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::LazyLock;

use agentsh_intercept::files::Tasks as _;
use agentsh_policy::{FileOp, Policy};

use super::members::Members;

/// `proc_pid_stat(5)`, behind the program's name.
const TERMINAL_FIELD: usize = 4;

/// What a device is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    /// Its bytes are those of other files, of the machine's memory, or of what its person types and sees.
    Bare,
    /// A terminal of this number.
    Terminal(u64),
    Other,
}

/// Drivers of such devices that get their number when they start: keyboards and the like as they are, disks by
/// commands of their own, memory that is one.
const DRIVERS: [&str; 6] = ["hidraw", "bsg", "nvme", "nvme-generic", "dax", "ubi"];

/// Their numbers (`proc_devices(5)`).
static NUMBERED: LazyLock<HashSet<u32>> = LazyLock::new(|| {
    let text = std::fs::read_to_string("/proc/devices").unwrap_or_default();
    numbered(&text)
});

fn numbered(text: &str) -> HashSet<u32> {
    let characters = text.lines().take_while(|line| !line.starts_with("Block"));
    let of_line = |line: &str| {
        let (number, name) = line.trim_start().split_once(' ')?;
        let name = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        DRIVERS.contains(&name).then(|| number.parse().ok())?
    };
    characters.filter_map(of_line).collect()
}

impl Device {
    /// By the file's mode and device number (`admin-guide/devices.rst`).
    pub(super) fn of(mode: u32, number: u64) -> Device {
        let (major, minor) = (libc::major(number), libc::minor(number));
        match (mode & libc::S_IFMT, major) {
            (libc::S_IFBLK, _) => Device::Bare,
            // mem, kmem, port, oldmem
            (libc::S_IFCHR, 1) if matches!(minor, 1 | 2 | 4 | 12) => Device::Bare,
            // Screens of the virtual consoles, input events, SCSI generic, frame buffers, flash memory, disks unbuffered,
            // devices on the USB, the processors' registers
            (libc::S_IFCHR, 7 | 13 | 21 | 29 | 90 | 162 | 189 | 202) => Device::Bare,
            // tun, uinput, the image of the sleeping machine, vhost-net, uhid, vhost-vsock: what leaves by the first is no socket's
            (libc::S_IFCHR, 10) if matches!(minor, 200 | 223 | 231 | 238 | 239 | 241) => Device::Bare,
            // Virtual consoles and serial lines, the console itself, those of machines without either, and pseudo
            // terminals. `/dev/tty` and `/dev/ptmx` are the caller's own.
            (libc::S_IFCHR, 4 | 136..=143 | 188 | 204 | 229) => Device::Terminal(number),
            (libc::S_IFCHR, 5) if minor == 1 => Device::Terminal(number),
            (libc::S_IFCHR, _) if NUMBERED.contains(&major) => Device::Bare,
            _ => Device::Other,
        }
    }

    fn at(path: &Path) -> Device {
        match std::fs::symlink_metadata(path) {
            Ok(file) if file.file_type().is_block_device() || file.file_type().is_char_device() => {
                Device::of(file.mode(), file.rdev())
            }
            _ => Device::Other,
        }
    }
}

/// Whether a plain read of the object at `path` must be looked at: another one's could be turned there.
pub(super) fn is_looked_at(policy: &Policy, path: &Path) -> bool {
    match Device::at(path) {
        Device::Terminal(_) => true,
        Device::Bare => !is_named(policy, FileOp::Read, path.as_os_str().as_encoded_bytes()),
        Device::Other => false,
    }
}

/// Whether who writes at this path steers the kernel, and with it what is outside of the session: its settings, the
/// programs that it starts by itself, the groups of all processes.
pub(super) fn steers_kernel(path: &Path) -> bool {
    let mut parts = path.iter().skip(1);
    match parts.next() {
        Some(folder) if folder == "sys" => true,
        // What has a number is a process, but for the network that it shows, which is everybody's on it.
        Some(folder) if folder == "proc" => parts.next().is_some_and(|name| {
            let is_process = name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
            !is_process || parts.any(|part| part == "net")
        }),
        _ => false,
    }
}

/// Whether policy speaks of this path otherwise than of any other: a rule for everything is none for these.
pub(super) fn is_named(policy: &Policy, op: FileOp, path: &[u8]) -> bool {
    let decides = |path: &[u8]| policy.file(op, path).place;
    decides(path).is_some_and(|rule| Some(rule) != decides(ANY))
}

/// A path that no rule names.
const ANY: &[u8] = b"/\x01agentsh\x01";

/// Whether somebody outside of the session lives on this terminal and nobody of it does; one that task `tid` has as
/// a standard descriptor is its own.
pub(super) fn is_somebody_elses(members: &Members, tid: i32, terminal: u64) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return true;
    };
    let numbers = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let on_it: Vec<i32> = numbers.filter(|pid| terminal_of(*pid) == Some(terminal)).collect();
    // Which line the console is, processes do not say.
    let is_console = libc::major(terminal) == 5;
    (is_console || !on_it.is_empty())
        && !on_it.iter().any(|pid| members.contains(*pid))
        && !(0..3).any(|number| holds(tid, number, terminal))
}

fn holds(tid: i32, number: i32, terminal: u64) -> bool {
    let file = std::fs::metadata(format!("/proc/{tid}/fd/{number}"));
    file.is_ok_and(|file| file.file_type().is_char_device() && file.rdev() == terminal)
}

/// The controlling terminal of a process.
fn terminal_of(pid: i32) -> Option<u64> {
    let text = std::fs::read(format!("/proc/{pid}/task/{pid}/stat")).ok()?;
    let after = text.iter().rposition(|byte| *byte == b')')? + 1;
    let number: i32 = std::str::from_utf8(text.get(after..)?)
        .ok()?
        .split_ascii_whitespace()
        .nth(TERMINAL_FIELD)?
        .parse()
        .ok()?;
    let number = number.cast_unsigned();
    let minor = (number & 0xff) | ((number >> 12) & 0xf_ff00);
    (number != 0).then(|| libc::makedev((number >> 8) & 0xfff, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_their_own_and_their_network_is_not() {
        for own in ["/proc/7/oom_score_adj", "/proc/7/task/7/comm", "/etc/net", "/proc"] {
            assert!(!steers_kernel(Path::new(own)), "{own}");
        }
        for steering in [
            "/proc/sys/net",
            "/sys/x",
            "/proc/7/net/xt_recent/x",
            "/proc/7/task/8/net/rpc/x/channel",
        ] {
            assert!(steers_kernel(Path::new(steering)), "{steering}");
        }
    }

    #[test]
    fn drivers_are_found_by_their_names() {
        let text = "Character devices:\n  1 mem\n245 hidraw\n248 bsg\n240 ubi0\n250 ptp\n\nBlock devices:\n  7 loop\n259 nvme\n";
        assert_eq!(numbered(text), HashSet::from([245, 248, 240]));
    }
}
