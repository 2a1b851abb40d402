//! `/proc/PID/status`, as far as sandboxes show in it (`proc_pid_status(5)`).

use std::io::{self, Read as _};

/// The security state of one task, read from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityStatus {
    /// Real, effective, saved and file system uid.
    pub uids: [u32; 4],
    pub no_new_privs: bool,
    /// 0 none, 1 strict, 2 filter.
    pub seccomp_mode: u32,
    /// How many filters are attached (Linux 5.9+; 0 where the kernel does not say).
    pub seccomp_filters: u32,
    /// Inheritable, permitted, effective, bounding, ambient.
    pub capabilities: [u64; 5],
    pub umask: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// More than the file has, unless its process is in very many groups.
const ENOUGH: usize = 8 << 10;

/// A file of procfs, which is made anew for each read: one that leaves room has read all.
fn read(path: &str) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut bytes = vec![0; ENOUGH];
    let mut length = 0;
    loop {
        length += file.read(&mut bytes[length..])?;
        if length < bytes.len() {
            bytes.truncate(length);
            return String::from_utf8(bytes).map_err(io::Error::other);
        }
        bytes.resize(2 * length, 0);
    }
}

impl SecurityStatus {
    /// Reads the state of a process or thread of this pid namespace.
    pub fn of(pid: i32) -> io::Result<SecurityStatus> {
        read(&format!("/proc/{pid}/status")).map(|text| Self::parse(&text))
    }

    /// The caller's own state.
    pub fn own() -> io::Result<SecurityStatus> {
        read("/proc/self/status").map(|text| Self::parse(&text))
    }

    fn parse(text: &str) -> SecurityStatus {
        let mut status = SecurityStatus::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            let hex = || u64::from_str_radix(value, 16).unwrap_or(u64::MAX);
            match key {
                "Uid" => {
                    for (slot, word) in status.uids.iter_mut().zip(value.split_whitespace()) {
                        *slot = word.parse().unwrap_or(u32::MAX);
                    }
                }
                "Groups" => status.groups = value.split_whitespace().filter_map(|word| word.parse().ok()).collect(),
                "Umask" => status.umask = u32::from_str_radix(value, 8).unwrap_or(0o077),
                "NoNewPrivs" => status.no_new_privs = value == "1",
                "Seccomp" => status.seccomp_mode = value.parse().unwrap_or(0),
                "Seccomp_filters" => status.seccomp_filters = value.parse().unwrap_or(0),
                "CapInh" => status.capabilities[0] = hex(),
                "CapPrm" => status.capabilities[1] = hex(),
                "CapEff" => status.capabilities[2] = hex(),
                "CapBnd" => status.capabilities[3] = hex(),
                "CapAmb" => status.capabilities[4] = hex(),
                _ => {}
            }
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_state_is_read() -> io::Result<()> {
        let status = SecurityStatus::own()?;
        assert_eq!(status.uids[0], rustix::process::getuid().as_raw());
        assert_eq!(status, SecurityStatus::of(std::process::id() as i32)?);
        Ok(())
    }
}
