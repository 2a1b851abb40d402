//! What a broker must be like before it serves anybody.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use agentsh_sandbox::probe;
use agentsh_sandbox::status::SecurityStatus;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::sys;

/// Open descriptors of root's broker and supervisors (below the kernel's default `fs.nr_open`).
const ROOT_DESCRIPTORS: u64 = 524_288;

/// Why this process must not be a broker.
#[derive(Debug, thiserror::Error)]
pub(super) enum HostError {
    #[error(
        "started inside a sandbox ({own} seccomp filters, pid 1 has {init}): a broker there would be a way out or a cage"
    )]
    Filtered { own: u32, init: u32 },
    #[error("started inside a Landlock domain: a broker there could not serve commands outside of it")]
    Landlocked,
    #[error(
        "started inside a sandbox (another {0} namespace) that shares /run with the machine: a broker there would lock its user out"
    )]
    Shared(&'static str),
    #[error(
        "started inside a user namespace in which root's files belong to nobody: a broker there would lock its user out"
    )]
    Unmapped,
    #[error(
        "started with a limit of {limit} on {what} that it may not raise, and {needed} are needed for all who come later: \
         start it elsewhere (`agentsh broker start`)"
    )]
    Cramped {
        what: &'static str,
        limit: u64,
        needed: u64,
    },
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What a broker and the supervisors that it starts need whoever comes first, `getrlimit(2)`: the limits of that caller
/// would be those of all sessions to come.
const NEEDED: [(Resource, &str, u64); 6] = [
    (Resource::Nofile, "open files", 256),
    (Resource::Nproc, "processes", 128),
    (Resource::As, "address space", 2 << 30),
    (Resource::Data, "data", 512 << 20),
    (Resource::Fsize, "the size of files", 1 << 30),
    (Resource::Cpu, "seconds of the processor", 3600),
];

/// No limit that was inherited, and could not be raised, makes it useless.
pub(super) fn refuse_if_cramped() -> Result<(), HostError> {
    for (resource, what, needed) in NEEDED {
        // The kernel counts no processes of root.
        if resource == Resource::Nproc && rustix::process::geteuid().is_root() {
            continue;
        }
        if let Some(limit) = getrlimit(resource).current.filter(|limit| *limit < needed) {
            return Err(HostError::Cramped { what, limit, needed });
        }
    }
    Ok(())
}

/// A broker has no more seccomp filters than pid 1 of its pid namespace, and is in no Landlock domain.
pub(super) fn refuse_if_sandboxed() -> Result<(), HostError> {
    let own = SecurityStatus::own()?.seccomp_filters;
    // Where pid 1 cannot be looked at, a filter of ours counts as somebody's sandbox.
    let init = SecurityStatus::of(1).map(|status| status.seccomp_filters).unwrap_or(0);
    if own > init {
        return Err(HostError::Filtered { own, init });
    }
    if probe::in_landlock_domain()? {
        return Err(HostError::Landlocked);
    }
    refuse_if_sharing()
}

/// The runtime folder belongs to the machine: whoever lives in other namespaces and sees the same one
/// must not become the broker for those outside, who would all be foreign to it.
fn refuse_if_sharing() -> Result<(), HostError> {
    let run = fs::metadata("/run")?;
    if run.uid() != 0 {
        return Err(HostError::Unmapped);
    }
    // Who may not look at pid 1 cannot tell; a container with a /run of its own is a machine of its own.
    let Ok(theirs) = fs::metadata("/proc/1/root/run") else {
        return Ok(());
    };
    if (theirs.dev(), theirs.ino()) != (run.dev(), run.ino()) {
        return Ok(());
    }
    for name in ["mnt", "user", "net", "pid"] {
        let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/{name}"));
        if of("1")? != of("self")? {
            return Err(HostError::Shared(name));
        }
    }
    Ok(())
}

/// Undoes what was inherited from whichever caller happened to start the broker.
pub(super) fn settle() -> Result<(), HostError> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    std::env::set_current_dir("/")?;
    sys::default_signals();
    nix::sys::signal::SigSet::empty()
        .thread_set_mask()
        .map_err(io::Error::from)?;
    // Neither an agent's niceness nor its place in the queue of the out-of-memory killer.
    let _ = fs::write("/proc/self/oom_score_adj", "0");
    sys::usual_place();
    for (resource, ..) in NEEDED {
        raise(resource);
    }
    Ok(())
}

/// Raises the soft limit to the hard one; root takes both to what a daemon needs.
fn raise(resource: Resource) {
    let hard = getrlimit(resource).maximum;
    let wanted = match resource {
        Resource::Nofile => Some(ROOT_DESCRIPTORS),
        _ => None,
    };
    if setrlimit(
        resource,
        Rlimit {
            current: wanted,
            maximum: wanted,
        },
    )
    .is_err()
    {
        let _ = setrlimit(
            resource,
            Rlimit {
                current: hard,
                maximum: hard,
            },
        );
    }
}
