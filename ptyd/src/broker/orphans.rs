//! What dead supervisors and brokers left behind.

use std::collections::{BTreeMap, BTreeSet};

use agentsh_audit::read::{Filter, ReadProblem};
use agentsh_audit::{EventType, RecordError, Recovered, SessionDir, Store, StoreError};
use agentsh_protocol::api::SessionState;
use agentsh_protocol::places::Account;

use super::forsaken::Forsaken;
use crate::process::{self, Identity};
use crate::supervisor::{close_group, recorded_group};

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

/// Ends what is left of sessions that have no supervisor any more, and closes their records. Returns those
/// that still have one.
pub(super) fn end(account: &Account) -> Forsaken {
    let store = Store::new(&account.state_dir());
    match agentsh_audit::gc::discard_unbegun(&store) {
        Ok(gone) if gone.is_empty() => {}
        Ok(gone) => tracing::info!("sessions that never came to stand are removed: {}", gone.join(", ")),
        Err(error) => tracing::error!("removing sessions that never came to stand: {error}"),
    }
    let listing = match store.list() {
        Ok(listing) => listing,
        Err(error) => {
            tracing::error!("looking for dead sessions: {error}");
            return Forsaken::default();
        }
    };
    let mut forsaken = Forsaken::default();
    for (dir, info) in listing.sessions {
        if info.state != SessionState::Running {
            continue;
        }
        if dir.is_live() {
            forsaken.add(dir.id(), info.supervisor_pid);
            continue;
        }
        if let Err(error) = close(&store, dir.id()) {
            tracing::error!(session = dir.id(), "closing the record of a dead session: {error}");
        }
    }
    forsaken
}

/// Kills the processes that the record of a dead session names and that still live, completes the
/// record, and marks the session dead.
pub(super) fn close(store: &Store, id: &str) -> Result<(), OrphanError> {
    let dir = SessionDir::new(store.path(), id)?;
    let completed = agentsh_audit::recover(&dir, "its supervisor died")? == Recovered::Completed;
    let recorded = recorded_processes(&dir)?;
    // Nobody of them can start another: such calls fail now.
    let killed = process::end_trees(recorded);
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

/// The folders of the control groups of its commands, and of those that they share.
fn recorded_folders(dir: &SessionDir) -> Result<Vec<String>, ReadProblem> {
    let filter = Filter {
        kinds: vec![EventType::CommandStarted],
        ..Filter::default()
    };
    // Written before they were made. Older sessions have it in their records alone.
    let noted = agentsh_audit::open_plain(&dir.groups_path()).and_then(std::io::read_to_string);
    let noted = noted.unwrap_or_default();
    let mut folders: BTreeSet<String> = noted.lines().map(str::to_owned).collect();
    agentsh_audit::read::for_each(dir, &filter, |event| {
        match event {
            Ok(event) => {
                let named = event.fields.get("groups").and_then(serde_json::Value::as_array);
                let named = named.into_iter().flatten();
                folders.extend(named.filter_map(|folder| folder.as_str().map(str::to_owned)));
            }
            Err(problem) => tracing::error!("{problem}"),
        }
        true
    })?;
    Ok(folders.into_iter().collect())
}

/// The processes that the record saw start and did not see end. Their start times keep a later process of the same pid safe.
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
