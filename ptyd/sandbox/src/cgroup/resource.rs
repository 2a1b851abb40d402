//! What can be limited, and how either interface writes it.

use std::fs;
use std::path::Path;

use super::Version;

/// A limited resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Bytes of memory.
    Memory,
    /// Bytes of swap, beside the memory.
    Swap,
    /// Percent of one processor.
    Cpu,
    /// Bytes a second that are read from each disk.
    DiskRead,
    /// Bytes a second that are written to each disk.
    DiskWrite,
    /// Processes and threads.
    Pids,
}

/// Period of the processor's quota, in microseconds.
const PERIOD: u64 = 100_000;

impl Resource {
    /// All, those first on which others build.
    pub const ALL: [Resource; 6] = [
        Resource::Memory,
        Resource::Swap,
        Resource::Cpu,
        Resource::DiskRead,
        Resource::DiskWrite,
        Resource::Pids,
    ];

    /// The key of the policy that sets it.
    pub fn key(self) -> &'static str {
        match self {
            Resource::Memory => "max_memory_mb",
            Resource::Swap => "memory_swap_max_mb",
            Resource::Cpu => "cpu_quota_percent",
            Resource::DiskRead => "disk_read_bps_max",
            Resource::DiskWrite => "disk_write_bps_max",
            Resource::Pids => "pids_max",
        }
    }

    /// The controller that holds it.
    pub(super) fn controller(self, version: Version) -> &'static str {
        match (self, version) {
            (Resource::Memory | Resource::Swap, _) => "memory",
            (Resource::Cpu, _) => "cpu",
            (Resource::DiskRead | Resource::DiskWrite, Version::V1) => "blkio",
            (Resource::DiskRead | Resource::DiskWrite, Version::V2) => "io",
            (Resource::Pids, _) => "pids",
        }
    }

    /// Whether its controller works on threads: such a v2 group may be a threaded one.
    pub(super) fn is_threaded(self) -> bool {
        matches!(self, Resource::Cpu | Resource::Pids)
    }

    /// File and lines to be written, one write for each line.
    pub(super) fn writes(self, version: Version, limits: &Limits) -> Result<(&'static str, Vec<String>), String> {
        let limit = limits.get(self);
        let one = |file, line: u64| Ok((file, vec![line.to_string()]));
        match (self, version) {
            (Resource::Memory, Version::V1) => one("memory.limit_in_bytes", limit),
            (Resource::Memory, Version::V2) => one("memory.max", limit),
            // v1 counts memory and swap together.
            (Resource::Swap, Version::V1) => match limits.get(Resource::Memory) {
                0 => Err("the v1 controller limits swap only together with memory".into()),
                memory => one("memory.memsw.limit_in_bytes", memory.saturating_add(limit)),
            },
            (Resource::Swap, Version::V2) => one("memory.swap.max", limit),
            (Resource::Cpu, Version::V1) => one("cpu.cfs_quota_us", quota(limit)),
            (Resource::Cpu, Version::V2) => Ok(("cpu.max", vec![format!("{} {PERIOD}", quota(limit))])),
            (Resource::DiskRead, Version::V1) => Ok(("blkio.throttle.read_bps_device", for_each_disk("", limit)?)),
            (Resource::DiskWrite, Version::V1) => Ok(("blkio.throttle.write_bps_device", for_each_disk("", limit)?)),
            (Resource::DiskRead, Version::V2) => Ok(("io.max", for_each_disk("rbps=", limit)?)),
            (Resource::DiskWrite, Version::V2) => Ok(("io.max", for_each_disk("wbps=", limit)?)),
            (Resource::Pids, _) => one("pids.max", limit),
        }
    }
}

fn quota(percent: u64) -> u64 {
    // The kernel takes no quota below a millisecond.
    percent.saturating_mul(PERIOD / 100).max(1_000)
}

/// `MAJOR:MINOR KEYLIMIT` for every whole disk that has room.
fn for_each_disk(key: &str, limit: u64) -> Result<Vec<String>, String> {
    let disks = fs::read_dir("/sys/block").map_err(|error| format!("/sys/block: {error}"))?;
    let lines: Vec<String> = disks
        .flatten()
        .filter_map(|disk| {
            let text = |name: &str| fs::read_to_string(disk.path().join(name)).ok();
            let sectors: u64 = text("size")?.trim().parse().ok()?;
            let number = text("dev")?;
            (sectors > 0).then(|| format!("{} {key}{limit}", number.trim()))
        })
        .collect();
    match lines.is_empty() {
        true => Err("no disk is known".into()),
        false => Ok(lines),
    }
}

/// Limits of one group; 0 is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits([u64; 6]);

impl Limits {
    /// Sets one, in the unit of [`Resource`].
    #[must_use]
    pub fn with(mut self, resource: Resource, limit: u64) -> Limits {
        self.0[resource as usize] = limit;
        self
    }

    /// One of them.
    pub fn get(&self, resource: Resource) -> u64 {
        self.0[resource as usize]
    }

    /// Those that are set.
    pub fn set(&self) -> impl Iterator<Item = Resource> {
        Resource::ALL.into_iter().filter(|resource| self.get(*resource) > 0)
    }
}

/// How often a group's limit was reached, as its counters say; `None` if they cannot be read.
pub(super) fn reached(folder: &Path, version: Version, resource: Resource) -> Option<u64> {
    let (file, key) = match (resource, version) {
        (Resource::Memory, Version::V1) => ("memory.oom_control", "oom_kill"),
        (Resource::Memory, Version::V2) => ("memory.events", "oom_kill"),
        (Resource::Pids, _) => ("pids.events", "max"),
        (Resource::Cpu, _) => ("cpu.stat", "nr_throttled"),
        _ => return None,
    };
    let text = fs::read_to_string(folder.join(file)).ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(' ')?;
        (name == key).then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_has_its_own_words() {
        let limits = Limits::default()
            .with(Resource::Memory, 64 << 20)
            .with(Resource::Swap, 1 << 20)
            .with(Resource::Cpu, 50);
        let line = |resource: Resource, version| resource.writes(version, &limits);
        let one = |file, line: &str| Ok((file, vec![line.to_owned()]));
        assert_eq!(
            line(Resource::Memory, Version::V1),
            one("memory.limit_in_bytes", "67108864")
        );
        assert_eq!(
            line(Resource::Swap, Version::V1),
            one("memory.memsw.limit_in_bytes", "68157440")
        );
        assert_eq!(line(Resource::Swap, Version::V2), one("memory.swap.max", "1048576"));
        assert_eq!(line(Resource::Cpu, Version::V1), one("cpu.cfs_quota_us", "50000"));
        assert_eq!(line(Resource::Cpu, Version::V2), one("cpu.max", "50000 100000"));
        assert_eq!(limits.set().count(), 3);
    }
}
