//! A command's group, what stands in where there is none, and its place behind the wall.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use agentsh_audit::{EventDraft, EventType, Value};
use agentsh_sandbox::cgroup::{Enclosure, Group, Hierarchies, Made, Owner, Price, Resource};
use agentsh_sandbox::wall::Wall;

use super::super::rules::Rules;
use super::super::session::Session;
use crate::sys;

/// What a command has to do to be within its limits, and behind the wall.
#[derive(Default)]
pub(crate) struct Confined {
    pub group: Option<Arc<Group>>,
    /// The group that it shares with others behind the wall.
    pub enclosure: Option<Arc<Enclosure>>,
    /// Where it goes in, beside that.
    pub entrances: Vec<OwnedFd>,
    pub rlimits: Vec<(u32, u64)>,
    /// Whether the wall is around it.
    pub walled: bool,
}

impl Confined {
    /// Whether the process is where it has to be.
    pub(crate) fn holds(&self, pid: i32, pidfd: impl AsFd) -> bool {
        let enclosed = |enclosure: &Arc<Enclosure>| match sys::group_of(pidfd) {
            Some(number) => number == enclosure.number(),
            None => enclosure.group().contains(pid),
        };
        self.group.as_ref().is_none_or(|group| group.contains(pid)) && self.enclosure.as_ref().is_none_or(enclosed)
    }

    /// The folders of its own group, and that of the one behind the wall, for the record.
    pub(crate) fn places(&self) -> Places {
        let own = self.group.iter().flat_map(|group| group.folders());
        let shared = self.enclosure.as_ref().map(|enclosure| enclosure.folder());
        Places {
            groups: own.map(|folder| folder.display().to_string()).collect(),
            wall: shared.map(|folder| folder.display().to_string()),
        }
    }
}

/// Where a command was put.
#[derive(Default)]
pub(crate) struct Places {
    pub groups: Vec<String>,
    pub wall: Option<String>,
}

/// Who starts a command.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub pid: i32,
    pub pidfd: BorrowedFd<'a>,
}

/// Makes the group of a command below the one that its caller is in, where it needs one, and finds its place behind the
/// wall. What a group cannot hold is held for each process or user, as far as the kernel can, and what is less than was
/// said at the session's creation is put on record.
pub(crate) fn confine(session: &Session, rules: &Rules, caller: Caller<'_>, command: &str) -> Result<Confined, String> {
    let Some(hierarchies) = &rules.limited.hierarchies else {
        return Ok(Confined::default());
    };
    let mut confined = match rules.limited.resources.set().next() {
        Some(_) => limit(session, rules, (hierarchies, caller.pid), command)?,
        None => Confined::default(),
    };
    let folder = confined.group.as_ref().and_then(|group| group.unified_folder());
    let enclose = |folder: &Path| session.shared.engine.enclose(folder).map_err(|error| error.to_string());
    let outcome = match (rules.wall, folder) {
        (Wall::None, _) => return Ok(confined),
        // Its own group is in the hierarchy of the wall: it cannot be in two.
        (_, Some(own)) => enclose(own).map(|()| None),
        (wall, None) => {
            let price = if wall == Wall::Required { Price::Any } else { Price::Low };
            let tell = |folder: &Path| note(session, folder);
            let owner = Owner {
                name: &session.id,
                tell: &tell,
            };
            session
                .enclosures
                .below(hierarchies, (caller.pid, caller.pidfd), (owner, price), |made| {
                    enclose(made.folder())
                })
                .map(Some)
        }
    };
    match outcome {
        Ok(enclosure) => {
            confined.enclosure = enclosure;
            confined.walled = true;
        }
        Err(why) => unwalled(session, rules, command, &why)?,
    }
    Ok(confined)
}

/// No wall can be around this command. Where policy leaves the engine to the host every call is judged all the same.
fn unwalled(session: &Session, rules: &Rules, command: &str, why: &str) -> Result<(), String> {
    if rules.wall == Wall::Required || session.config.security.strict {
        return Err(format!("its control group, which the wall is put around: {why}"));
    }
    let lost = format!("the wall in the kernel (network.engine): {why}");
    degraded(session, command, &[&lost])
}

/// The group of a command that has limits, with what stands in where there is none.
fn limit(
    session: &Session,
    rules: &Rules,
    (hierarchies, pid): (&Hierarchies, i32),
    command: &str,
) -> Result<Confined, String> {
    let resources = &rules.limited.resources;
    let owner = Owner {
        name: command,
        tell: &|folder| note(session, folder),
    };
    let made = Group::make(hierarchies, pid, owner, resources, false)
        .map_err(|error| format!("its control group: {error}"))?;
    lessened(session, rules, command, &made)?;
    let Made { group, refused, .. } = made;
    let mut confined = Confined::default();
    for (resource, _) in refused {
        match resource {
            Resource::Memory => confined.rlimits.push((libc::RLIMIT_DATA, resources.get(resource))),
            // The superuser's processes are not counted.
            Resource::Pids if session.account.uid != 0 => {
                let more = resources.get(resource);
                let now = tasks_of(session.account.uid);
                confined.rlimits.push((libc::RLIMIT_NPROC, now.saturating_add(more)));
            }
            _ => {}
        }
    }
    if let Some(group) = group {
        let group = session.groups.add(command, group);
        let entrances = group
            .entrances()
            .map_err(|error| format!("its control group: {error}"))?;
        confined.entrances = entrances.into_iter().map(OwnedFd::from).collect();
        confined.group = Some(group);
    }
    Ok(confined)
}

/// The next broker knows of a group whatever happens to this process.
fn note(session: &Session, folder: &Path) -> io::Result<()> {
    let line = [folder.as_os_str().as_encoded_bytes(), b"\n"].concat();
    let path = session.dir.groups_path();
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(&line)
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
    degraded(session, command, &lost)
}

/// Puts on record what is not held for one command.
fn degraded(session: &Session, command: &str, lost: &[&str]) -> Result<(), String> {
    let draft = EventDraft {
        command: Some(command),
        fields: &[("not_held", Value::List(lost))],
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
