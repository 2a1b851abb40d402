//! Tells when a command's limits are reached.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agentsh_audit::{EventDraft, EventType, Value};
use agentsh_sandbox::cgroup::{Group, Resource};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;

use super::super::session::Session;
use crate::sys;

/// The kernel says that memory ran out before it has killed somebody for it.
const KILLED_WITHIN: Duration = Duration::from_millis(20);

/// Watches the limits of a command until it is dropped.
pub(crate) async fn watch(session: Arc<Session>, command: String) {
    let Some(group) = session.groups.of(&command) else {
        return;
    };
    if let Err(error) = wait(&session, &command, &group).await {
        tracing::error!(
            command,
            "watching its limits: {error}; what was reached is told at its end"
        );
    }
}

async fn wait(session: &Session, command: &str, group: &Group) -> io::Result<()> {
    let changes = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    for file in [Resource::Memory, Resource::Pids]
        .into_iter()
        .filter_map(|limit| group.notices(limit))
    {
        changes.add_watch(&file, AddWatchFlags::IN_MODIFY)?;
    }
    let changed = sys::readable(changes.as_fd().try_clone_to_owned()?)?;
    let ran_out = out_of_memory(group)?;
    loop {
        tokio::select! {
            ready = changed.readable() => {
                ready?.clear_ready();
                // What changed is read from the counters; the notices only have to be taken away.
                while changes.read_events().is_ok() {}
            }
            ready = wake(ran_out.as_ref()) => ready?,
        }
        tell(session, command, false);
        tokio::time::sleep(KILLED_WITHIN).await;
        tell(session, command, false);
    }
}

async fn wake(event: Option<&AsyncFd<OwnedFd>>) -> io::Result<()> {
    let Some(event) = event else {
        return std::future::pending().await;
    };
    event.readable().await?.clear_ready();
    let _ = rustix::io::read(event.get_ref(), &mut [0; 8]);
    Ok(())
}

/// A v1 memory group tells by an event descriptor (`Documentation/admin-guide/cgroup-v1/memory.rst`).
fn out_of_memory(group: &Group) -> io::Result<Option<AsyncFd<OwnedFd>>> {
    let control = |folder: &Path| folder.join("memory.oom_control").exists();
    let Some(folder) = group.folders().find(|folder| control(folder)) else {
        return Ok(None);
    };
    let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    let file = File::open(folder.join("memory.oom_control"))?;
    fs::write(
        folder.join("cgroup.event_control"),
        format!("{} {}", event.as_fd().as_raw_fd(), file.as_raw_fd()),
    )?;
    sys::readable(OwnedFd::from(event)).map(Some)
}

/// Puts on record which limits a command has reached.
pub(crate) fn tell(session: &Session, command: &str, end: bool) {
    for (resource, count) in session.groups.news(command, end) {
        let what = match resource {
            Resource::Memory => "a process was killed: its memory was used up",
            Resource::Pids => "no more processes were started",
            _ => "its processes were held back",
        };
        reached(
            session,
            Some(command),
            resource.key(),
            session.rules().limited.resources.get(resource),
            count,
            what,
        );
    }
}

/// One limit that was reached.
pub(super) fn reached(session: &Session, command: Option<&str>, limit: &str, value: u64, count: u64, what: &str) {
    let key = format!("resource_limits.{limit}");
    let draft = EventDraft {
        command,
        count: count.max(1),
        fields: &[
            ("limit", Value::Text(&key)),
            ("value", Value::Unsigned(value)),
            ("what", Value::Text(what)),
        ],
        ..EventDraft::new(EventType::LimitReached)
    };
    if let Err(error) = session.recorder.emit(draft) {
        tracing::error!("recording that {key} was reached: {error}");
    }
}
