//! A command's group, and what stands in where there is none.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use agentsh_audit::{EventDraft, EventType, Value};
use agentsh_sandbox::cgroup::{Group, Made, Resource};

use super::super::rules::Rules;
use super::super::session::Session;

/// What a command has to do to be within its limits.
#[derive(Default)]
pub(crate) struct Confined {
    pub group: Option<Arc<Group>>,
    /// Where it goes in.
    pub entrances: Vec<OwnedFd>,
    pub rlimits: Vec<(u32, u64)>,
}

/// Makes the group of a command below the one that its caller `pid` is in. What a group cannot hold is
/// held for each process or user, as far as the kernel can, and what is less than was said at the
/// session's creation is put on record.
pub(crate) fn confine(session: &Session, rules: &Rules, pid: i32, command: &str) -> Result<Confined, String> {
    let limited = &rules.limited;
    let Some(hierarchies) = &limited.hierarchies else {
        return Ok(Confined::default());
    };
    let made = Group::make(hierarchies, pid, command, &limited.resources, rules.walled)
        .map_err(|error| format!("its control group: {error}"))?;
    lessened(session, rules, command, &made)?;
    let Made { group, refused, .. } = made;
    let mut confined = Confined::default();
    for (resource, _) in refused {
        match resource {
            Resource::Memory => confined
                .rlimits
                .push((libc::RLIMIT_DATA, limited.resources.get(resource))),
            // The superuser's processes are not counted.
            Resource::Pids if session.account.uid != 0 => {
                let more = limited.resources.get(resource);
                let now = tasks_of(session.account.uid);
                confined.rlimits.push((libc::RLIMIT_NPROC, now.saturating_add(more)));
            }
            _ => {}
        }
    }
    if let Some(group) = group {
        let group = session.groups.add(command, group);
        if rules.walled {
            let folder = group.unified_folder().ok_or("its control group has no wall")?;
            session
                .shared
                .engine
                .enclose(folder)
                .map_err(|error| error.to_string())?;
        }
        let entrances = group
            .entrances()
            .map_err(|error| format!("its control group: {error}"))?;
        confined.entrances = entrances.into_iter().map(OwnedFd::from).collect();
        confined.group = Some(group);
    }
    Ok(confined)
}

/// A caller may stand in a group below which less can be held than below the supervisor's.
fn lessened(session: &Session, rules: &Rules, command: &str, made: &Made) -> Result<(), String> {
    let lost: Vec<String> = made
        .refused
        .iter()
        .filter(|(resource, _)| rules.held_by_groups.contains(resource))
        .map(|(resource, why)| format!("resource_limits.{}: {why}", resource.key()))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    if session.config.security.strict {
        return Err(format!(
            "security.strict is on and this caller's limits cannot be held: {}",
            lost.join("; ")
        ));
    }
    let lost: Vec<&str> = lost.iter().map(String::as_str).collect();
    let draft = EventDraft {
        command: Some(command),
        fields: &[("not_held", Value::List(&lost))],
        ..EventDraft::new(EventType::SandboxDegraded)
    };
    session.recorder.emit(draft).map_err(|error| error.to_string())
}

/// How many processes and threads a user has.
fn tasks_of(uid: u32) -> u64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = processes.filter(|entry| {
        let numbered = entry.file_name().to_string_lossy().parse::<u32>().is_ok();
        numbered && entry.metadata().is_ok_and(|meta| meta.uid() == uid)
    });
    own.map(|entry| fs::read_dir(entry.path().join("task")).map_or(1, |tasks| tasks.count() as u64))
        .sum()
}
