//! What this host can hold. A capability counts only when it was used here, just now.

mod landlock;
mod mode;
mod notify;

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::MetadataExt as _;

pub use landlock::in_landlock_domain;
pub use mode::{Layer, Mode};

use crate::cgroup::{self, Controllers, Group, Hierarchies, Limits};

/// The outcome of one probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It was used and did what it must.
    Works(String),
    /// It is not there, or not for this user; the reason.
    Missing(String),
}

impl Finding {
    /// Whether it can be built on.
    pub fn works(&self) -> bool {
        matches!(self, Finding::Works(_))
    }

    /// What was found.
    pub fn detail(&self) -> &str {
        match self {
            Finding::Works(detail) | Finding::Missing(detail) => detail,
        }
    }
}

/// What was found on this host, for this user.
#[derive(Debug, Clone)]
pub struct Host {
    pub kernel: String,
    /// The newest Landlock interface, 0 for none.
    pub landlock_abi: u32,
    pub landlock: Finding,
    /// User notification with the filter that is shipped.
    pub notify: Finding,
    /// Whether a process outside of one's own descendants may be read (Yama), and its descriptors be fetched.
    pub reading: Finding,
    pub fuse: Finding,
    pub ebpf: Finding,
    /// Groups below the caller's own, and the limits that they hold.
    pub cgroup: Finding,
    /// The same, limit by limit.
    pub controllers: Controllers,
}

impl Host {
    /// Probes. Takes a few milliseconds; starts and ends threads of its own.
    pub fn probe() -> Host {
        let landlock_abi = crate::sys::landlock_abi();
        let controllers = Controllers::probe();
        Host {
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            landlock_abi,
            landlock: landlock::probe(landlock_abi),
            notify: notify::probe(),
            reading: reading(),
            fuse: fuse(),
            ebpf: ebpf(),
            cgroup: cgroup(&controllers),
            controllers,
        }
    }
}

/// Yama (`Documentation/admin-guide/LSM/Yama.rst`): from scope 1 on only ancestors, or CAP_SYS_PTRACE, may read. The
/// filters of some containers refuse `pidfd_getfd(2)` to everybody without that capability.
fn reading() -> Finding {
    if let Err(error) = fetch_own_descriptor() {
        return Finding::Missing(format!(
            "pidfd_getfd: {error}: no descriptor of a command can be fetched; a container needs CAP_SYS_PTRACE for it"
        ));
    }
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let privileged =
        crate::status::SecurityStatus::own().is_ok_and(|status| status.capabilities[2] >> CAP_SYS_PTRACE & 1 == 1);
    match scope.trim() {
        "" | "0" => Finding::Works("no Yama restriction".into()),
        scope if privileged && scope != "3" => Finding::Works(format!("Yama scope {scope}, with CAP_SYS_PTRACE")),
        scope => Finding::Missing(format!("Yama scope {scope}: only ancestors may read a process")),
    }
}

const CAP_SYS_PTRACE: u32 = 19;

fn fetch_own_descriptor() -> io::Result<()> {
    let own = rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty())?;
    let number = own.as_raw_fd();
    rustix::process::pidfd_getfd(&own, number, rustix::process::PidfdGetfdFlags::empty())?;
    Ok(())
}

fn fuse() -> Finding {
    match fs::OpenOptions::new().read(true).write(true).open("/dev/fuse") {
        Ok(_) => Finding::Works("/dev/fuse opens".into()),
        Err(error) => Finding::Missing(format!("/dev/fuse: {error}")),
    }
}

/// A program is loaded and put around a group that nobody is in.
pub fn ebpf() -> Finding {
    match walled() {
        Ok(()) => Finding::Works("a program was loaded and attached to a control group".into()),
        Err(error) => Finding::Missing(error.to_string()),
    }
}

/// A network of one's own is made, with or without privilege.
pub fn private_network() -> Finding {
    match crate::sys::try_network_namespace() {
        Ok(()) => Finding::Works("a network namespace was made".into()),
        Err(error) => Finding::Missing(format!("no network namespace can be made: {error}")),
    }
}

/// The inode of the first pid namespace (`PROC_PID_INIT_INO`).
const FIRST_PIDS: u64 = 0xefff_fffc;

fn walled() -> io::Result<()> {
    // Programs of the kernel know processes by their numbers there.
    if fs::metadata("/proc/self/ns/pid")?.ino() != FIRST_PIDS {
        return Err(io::Error::other("this process is not in the first pid namespace"));
    }
    let own = std::process::id() as i32;
    let name = cgroup::trial_name();
    let made = Group::make(
        &Hierarchies::mounted()?,
        own,
        cgroup::owner(&name),
        &Limits::default(),
        true,
    )?;
    let Some(group) = made.group else {
        return Err(io::Error::other("no control group was made"));
    };
    let folder = group.unified_folder().ok_or(io::ErrorKind::NotFound)?;
    let tried = fs::File::open(folder).and_then(|folder| crate::sys::attach_trial_program(folder.as_fd()));
    group.remove()?;
    tried
}

/// Every limit that a group below the caller's own can hold.
fn cgroup(controllers: &Controllers) -> Finding {
    match controllers.any() {
        true => Finding::Works(controllers.summary()),
        false => Finding::Missing(controllers.summary()),
    }
}
