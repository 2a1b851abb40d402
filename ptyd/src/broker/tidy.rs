//! The trash, put in order when a broker starts.

use agentsh_keep::trash::{Trash, TrashError};
use agentsh_policy::config::Config;
use agentsh_protocol::places::Account;

use crate::supervisor::{Choice, trash_limits};

/// Puts right what killed processes left in the user's trash, and removes what is older than the default policy keeps
/// it, on a thread of its own: the first command does not wait for it.
pub(super) fn begin(account: Account, config: Config) {
    let work = move || {
        if let Err(error) = trash(&account, &config) {
            tracing::error!("the trash: {error}");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("tidy".into()).spawn(work) {
        tracing::error!("the trash is not put in order: {error}");
    }
}

fn trash(account: &Account, config: &Config) -> Result<(), TrashError> {
    let state = account.state_dir();
    if !state.join("trash").is_dir() {
        return Ok(());
    }
    let policy = Choice::new(None, None, config).and_then(|choice| choice.resolve(account, config, None));
    let limits = match policy {
        Ok(policy) => trash_limits(&policy),
        // How long things are kept is not known then: nothing expires.
        Err(error) => {
            tracing::warn!(
                "the trash: nothing expires while the default policy cannot be read: {}",
                error.message
            );
            agentsh_keep::trash::Limits {
                max_age: None,
                ..Default::default()
            }
        }
    };
    let trash = Trash::open(&state, None, limits)?;
    let repaired = trash.repair()?;
    if repaired != Default::default() {
        tracing::info!("the trash: put right after a kill: {repaired:?}");
    }
    let expired = trash.purge_expired()?;
    if !expired.is_empty() {
        tracing::info!(
            "the trash: {} entries were older than max_age and are gone",
            expired.len()
        );
    }
    Ok(())
}
