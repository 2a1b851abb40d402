//! What a broker must be like before it serves anybody.

use std::fs;
use std::io;

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
    #[error("{0}")]
    Io(#[from] io::Error),
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
    for resource in [
        Resource::Nofile,
        Resource::Nproc,
        Resource::As,
        Resource::Fsize,
        Resource::Data,
        Resource::Cpu,
    ] {
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
