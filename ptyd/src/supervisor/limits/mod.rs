//! Limits: what a command may use, how long it may run, and how long its session.

mod confine;
mod enclosures;
mod groups;
mod time;
mod watch;

use std::time::Duration;

use agentsh_policy::Policy;
use agentsh_sandbox::cgroup::{Hierarchies, Limits, Resource};

pub(crate) use confine::{Caller, Places, confine};
pub(crate) use enclosures::Enclosures;
pub(crate) use groups::{Groups, close, recorded};
pub(crate) use time::{Clock, ask_to_end, run_out};
pub(crate) use watch::{tell, watch};

const MEGABYTE: u64 = 1 << 20;

/// What the policy in force limits.
#[derive(Debug, Default)]
pub(crate) struct Limited {
    pub resources: Limits,
    pub command: Option<Duration>,
    pub session: Option<Duration>,
    pub idle: Option<Duration>,
    /// Where groups are made, for limits or for the wall; none if none are.
    pub hierarchies: Option<Hierarchies>,
}

impl Limited {
    /// `grouped`: whether groups are needed for more than limits.
    pub(super) fn by(policy: &Policy, grouped: bool) -> std::io::Result<Limited> {
        let Some(settings) = policy.settings() else {
            return Ok(Limited::default());
        };
        let limits = &settings.file.resource_limits;
        let resources = Limits::default()
            .with(Resource::Memory, limits.max_memory_mb.saturating_mul(MEGABYTE))
            .with(Resource::Swap, limits.memory_swap_max_mb.saturating_mul(MEGABYTE))
            .with(Resource::Cpu, limits.cpu_quota_percent)
            .with(Resource::DiskRead, limits.disk_read_bps_max)
            .with(Resource::DiskWrite, limits.disk_write_bps_max)
            .with(Resource::Pids, limits.pids_max);
        let grouped = grouped || resources.set().next().is_some();
        let hierarchies = grouped.then(Hierarchies::mounted).transpose()?;
        Ok(Limited {
            resources,
            command: settings.command_timeout,
            session: settings.session_timeout,
            idle: settings.idle_timeout,
            hierarchies,
        })
    }
}
