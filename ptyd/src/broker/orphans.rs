//! What dead supervisors and brokers left behind.

use std::io;

use agentsh_audit::{RecordError, Recovered, SessionDir, Store, StoreError};
use agentsh_protocol::api::SessionState;
use agentsh_protocol::places::Account;

use crate::process::{self, Identity};

/// Why a dead session could not be put in order.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrphanError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("reading the processes of the record: {0}")]
    Read(#[from] io::Error),
}

/// Ends what is left of sessions that have no supervisor any more, and closes their records.
pub(super) fn end(account: &Account) {
    let store = Store::new(&account.state_dir());
    let listing = match store.list() {
        Ok(listing) => listing,
        Err(error) => {
            tracing::error!("looking for dead sessions: {error}");
            return;
        }
    };
    for (dir, info) in listing.sessions {
        if info.state != SessionState::Running || dir.is_live() {
            continue;
        }
        if let Err(error) = close(&store, dir.id()) {
            tracing::error!(session = dir.id(), "closing the record of a dead session: {error}");
        }
    }
}

/// Kills the processes that the record of a dead session names and that still live, completes the
/// record, and marks the session dead.
pub(super) fn close(store: &Store, id: &str) -> Result<(), OrphanError> {
    let dir = SessionDir::new(store.path(), id)?;
    let completed = agentsh_audit::recover(&dir, "its supervisor died")? == Recovered::Completed;
    let killed = process::end_trees(recorded_processes(&dir)?);
    tracing::info!(session = id, completed, killed, "dead session closed");
    let mut info = dir.info()?;
    info.state = SessionState::Dead;
    info.ended = Some(agentsh_audit::time::now_rfc3339());
    info.commands_running = 0;
    Ok(dir.write_info(&info)?)
}
