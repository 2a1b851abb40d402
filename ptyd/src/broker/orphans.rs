//! What dead supervisors and brokers left behind.

use std::collections::BTreeMap;
use std::time::Duration;

use agentsh_audit::read::{Filter, ReadProblem};
use agentsh_audit::{EventType, RecordError, Recovered, SessionDir, Store, StoreError};
use agentsh_protocol::api::SessionState;
use agentsh_protocol::places::Account;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::process::{self, Identity};
use crate::supervisor::{close_group, recorded_group};
use crate::sys;

/// Why a dead session could not be put in order.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrphanError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Read(#[from] ReadProblem),
}

/// A session whose supervisor lives on without a broker: its commands run to their end.
pub(super) struct Forsaken {
    session: String,
    supervisor: Option<i32>,
}

/// Ends what is left of sessions that have no supervisor any more, and closes their records. Returns those
/// that still have one.
pub(super) fn end(account: &Account) -> Vec<Forsaken> {
    let store = Store::new(&account.state_dir());
    let listing = match store.list() {
        Ok(listing) => listing,
        Err(error) => {
            tracing::error!("looking for dead sessions: {error}");
            return Vec::new();
        }
    };
    let mut forsaken = Vec::new();
    for (dir, info) in listing.sessions {
        if info.state != SessionState::Running {
            continue;
        }
        if dir.is_live() {
            forsaken.push(Forsaken {
                session: dir.id().to_owned(),
                supervisor: info.supervisor_pid,
            });
            continue;
        }
        if let Err(error) = close(&store, dir.id()) {
            tracing::error!(session = dir.id(), "closing the record of a dead session: {error}");
        }
    }
    forsaken
}

/// Waits for the end of a supervisor that is nobody's child any more. If it was no regular one, the session is
/// closed as [`end`] does it.
pub(super) async fn attend(store: Store, forsaken: Forsaken) {
    let Forsaken { session, supervisor } = forsaken;
    let pidfd = supervisor
        .and_then(Pid::from_raw)
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    if let Some(Ok(pidfd)) = pidfd.map(sys::readable) {
        // A number that was given to somebody else meanwhile only makes this wait longer.
        let _ = pidfd.readable().await;
    }
    let Ok(dir) = SessionDir::new(store.path(), &session) else {
        return;
    };
    // The lock goes with the last of its threads.
    while dir.is_live() {
        tokio::time::sleep(LOOK).await;
    }
    let died = dir.info().is_ok_and(|info| info.state == SessionState::Running);
    if died && let Err(error) = close(&store, &session) {
        tracing::error!(session, "closing the record of a dead session: {error}");
    }
}

/// How often it is looked whether a dying supervisor is gone.
const LOOK: Duration = Duration::from_millis(20);

/// Kills the processes that the record of a dead session names and that still live, completes the
/// record, and marks the session dead.
pub(super) fn close(store: &Store, id: &str) -> Result<(), OrphanError> {
    let dir = SessionDir::new(store.path(), id)?;
    let completed = agentsh_audit::recover(&dir, "its supervisor died")? == Recovered::Completed;
    let killed = process::end_trees(recorded_processes(&dir)?);
    if !close_group(&recorded_group(recorded_folders(&dir)?)) {
        tracing::error!(session = id, "a control group of it is still in use");
    }
    tracing::info!(session = id, completed, killed, "dead session closed");
    let mut info = dir.info()?;
    info.state = SessionState::Dead;
    info.ended = Some(agentsh_audit::time::now_rfc3339());
    info.commands_running = 0;
    Ok(dir.write_info(&info)?)
}

/// The folders of the control groups of its commands.
fn recorded_folders(dir: &SessionDir) -> Result<Vec<String>, ReadProblem> {
    let filter = Filter {
        kinds: vec![EventType::CommandStarted],
        ..Filter::default()
    };
    let mut folders = Vec::new();
    agentsh_audit::read::for_each(dir, &filter, |event| {
        match event {
            Ok(event) => {
                let named = event.fields.get("groups").and_then(serde_json::Value::as_array);
                folders.extend(
                    named
                        .into_iter()
                        .flatten()
                        .filter_map(|folder| folder.as_str().map(str::to_owned)),
                );
            }
            Err(problem) => tracing::error!("{problem}"),
        }
        true
    })?;
    Ok(folders)
}

/// The processes that the record saw start and did not see end. Their start times keep a later process
/// of the same pid safe.
fn recorded_processes(dir: &SessionDir) -> Result<Vec<Identity>, ReadProblem> {
    let kinds = vec![
        EventType::CommandStarted,
        EventType::ProcessFork,
        EventType::ProcessExit,
    ];
    let filter = Filter {
        kinds,
        ..Filter::default()
    };
    let mut alive = BTreeMap::new();
    agentsh_audit::read::for_each(dir, &filter, |event| {
        match event {
            Ok(event) if event.kind == EventType::ProcessExit => {
                event.pid.map(|pid| alive.remove(&pid));
            }
            Ok(event) => {
                let start = event.fields.get("start_time").and_then(serde_json::Value::as_u64);
                if let (Some(pid), Some(start)) = (event.pid, start) {
                    alive.insert(pid, start);
                }
            }
            Err(problem) => tracing::error!("{problem}"),
        }
        true
    })?;
    Ok(alive.into_iter().map(|(pid, start)| Identity { pid, start }).collect())
}
