//! `/proc/TID/status`, `proc_pid_status(5)`.

use rustix::io::Errno;

use crate::process::procfs;

/// A capability set as a bit mask, `capabilities(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// Whether capability number `index` (`CAP_*`) is in the set.
    pub fn has(self, index: u32) -> bool {
        1u64.checked_shl(index).is_some_and(|bit| self.0 & bit != 0)
    }
}

/// The credentials and signal state of a task at one moment. Ids are in our user namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// The process (thread group).
    pub tgid: i32,
    /// Its parent, 0 if that is outside our pid namespace.
    pub ppid: i32,
    /// Number of threads.
    pub threads: u32,
    /// File mode creation mask; none once it has ended (a zombie, or a first thread that others outlive).
    pub umask: Option<u32>,
    /// Real, effective, saved and file-system user id.
    pub uid: [u32; 4],
    /// Real, effective, saved and file-system group id.
    pub gid: [u32; 4],
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Permitted capabilities.
    pub permitted: Capabilities,
    /// Effective capabilities.
    pub effective: Capabilities,
    /// Signals pending for this thread, bit 0 is signal 1.
    pub pending: u64,
    /// Signals pending for its process.
    pub shared_pending: u64,
    /// Signals that this thread blocks.
    pub blocked: u64,
    /// Signals that are ignored.
    pub ignored: u64,
    /// Signals that have a handler.
    pub caught: u64,
    /// Seccomp filters on this thread.
    pub filters: u32,
    /// Whether `no_new_privs` is set.
    pub no_new_privs: bool,
}

impl Status {
    /// The user id by which file access is checked.
    pub fn fsuid(&self) -> u32 {
        self.uid[3]
    }

    /// The group id by which file access is checked.
    pub fn fsgid(&self) -> u32 {
        self.gid[3]
    }

    /// Reads the status of task `tid`.
    ///
    /// # Errors
    /// `ESRCH` if there is none, `EACCES` if the file lacks what it must have.
    pub fn read(tid: i32) -> Result<Status, Errno> {
        let gone = |error: std::io::Error| match Errno::from_io_error(&error) {
            None | Some(Errno::NOENT) => Errno::SRCH,
            Some(errno) => errno,
        };
        let text = procfs::read(tid, "status").map_err(gone)?;
        Status::parse(&text).ok_or(Errno::ACCESS)
    }

    /// Understands the file's text; `None` if a field that decisions rest on is missing or malformed.
    pub fn parse(text: &[u8]) -> Option<Status> {
        let mut status = Status::default();
        let mut seen = 0u32;
        for line in text.split(|byte| *byte == b'\n') {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                continue;
            };
            // The name comes first and is the program's to choose; the kernel escapes newlines in it.
            let Ok(value) = std::str::from_utf8(&line[colon + 1..]) else {
                continue;
            };
            let value = value.trim();
            let field = match &line[..colon] {
                b"Umask" => (0, octal(value).map(|mask| status.umask = Some(mask))),
                b"Tgid" => (1, value.parse().ok().map(|tgid| status.tgid = tgid)),
                b"PPid" => (2, value.parse().ok().map(|ppid| status.ppid = ppid)),
                b"Uid" => (3, four(value).map(|uid| status.uid = uid)),
                b"Gid" => (4, four(value).map(|gid| status.gid = gid)),
                b"Groups" => (5, many(value).map(|groups| status.groups = groups)),
                b"Threads" => (6, value.parse().ok().map(|threads| status.threads = threads)),
                b"SigPnd" => (7, hex(value).map(|mask| status.pending = mask)),
                b"ShdPnd" => (8, hex(value).map(|mask| status.shared_pending = mask)),
                b"SigBlk" => (9, hex(value).map(|mask| status.blocked = mask)),
                b"SigIgn" => (10, hex(value).map(|mask| status.ignored = mask)),
                b"SigCgt" => (11, hex(value).map(|mask| status.caught = mask)),
                b"CapPrm" => (12, hex(value).map(|mask| status.permitted = Capabilities(mask))),
                b"CapEff" => (13, hex(value).map(|mask| status.effective = Capabilities(mask))),
                b"NoNewPrivs" => (14, value.parse().ok().map(|set: u8| status.no_new_privs = set != 0)),
                // Since Linux 5.10; its lack is no reason to refuse.
                b"Seccomp_filters" => (15, value.parse().ok().map(|filters| status.filters = filters)),
                _ => continue,
            };
            field.1?;
            seen |= 1 << field.0;
        }
        (seen | 1 << 15 | 1 == (1 << 16) - 1).then_some(status)
    }
}

fn hex(value: &str) -> Option<u64> {
    u64::from_str_radix(value, 16).ok()
}

fn octal(value: &str) -> Option<u32> {
    u32::from_str_radix(value, 8).ok()
}

fn many(value: &str) -> Option<Vec<u32>> {
    value.split_ascii_whitespace().map(|id| id.parse().ok()).collect()
}

fn four(value: &str) -> Option<[u32; 4]> {
    many(value)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_status_is_understood() {
        let status = Status::read(std::process::id() as i32);
        assert!(matches!(&status, Ok(status) if status.tgid == std::process::id() as i32 && status.threads >= 1));
        assert_eq!(
            status.map(|status| status.uid[0]),
            Ok(rustix::process::getuid().as_raw())
        );
    }

    #[test]
    fn a_task_that_is_not_there_is_no_such_process() {
        assert_eq!(Status::read(i32::MAX), Err(Errno::SRCH));
    }

    #[test]
    fn who_has_ended_and_waits_for_its_parent_has_a_status() -> Result<(), Box<dyn std::error::Error>> {
        let mut child = std::process::Command::new("true").spawn()?;
        let tid = child.id() as i32;
        let ended = || procfs::read(tid, "stat").is_ok_and(|text| text.windows(4).any(|part| part == b") Z "));
        while !ended() {
            std::thread::yield_now();
        }
        let status = Status::read(tid);
        child.wait()?;
        let status = status?;
        assert_eq!((status.tgid, status.umask), (tid, None));
        assert_eq!(status.uid[0], rustix::process::getuid().as_raw());
        Ok(())
    }

    #[test]
    fn a_missing_or_malformed_field_is_refused() {
        let Ok(text) = std::fs::read_to_string("/proc/self/status") else {
            return;
        };
        assert!(Status::parse(text.as_bytes()).is_some());
        assert_eq!(Status::parse(text.replace("CapEff", "CapXxx").as_bytes()), None);
        assert_eq!(Status::parse(text.replace("Uid:\t", "Uid:\tx").as_bytes()), None);
        assert_eq!(Status::parse(b""), None);
    }

    #[test]
    fn a_program_name_that_looks_like_a_field_changes_nothing() {
        let Ok(text) = std::fs::read_to_string("/proc/self/status") else {
            return;
        };
        let forged = text.replacen("Name:\t", "Name:\tx\\nUid:\t0\t0\t0\t0", 1);
        assert_eq!(Status::parse(forged.as_bytes()), Status::parse(text.as_bytes()));
    }
}
