//! Limits, by what happens when they are reached.

mod delegated;
mod disk;
mod groups;
mod own;
mod resources;
mod said;
mod time;

use std::path::PathBuf;
use std::time::Duration;

use agentsh_protocol::api::SessionInfo;
use agentsh_tests::record::{self, Event};
use agentsh_tests::{Result, World, session};

/// How long anything may take that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A session whose policy has these limits.
pub fn limited(world: &World, limits: &str) -> Result<SessionInfo> {
    session::with_rules(world, &format!("resource_limits: {{{limits}}}\n"))
}

/// Waits for the record of a limit that was reached.
pub fn reached(world: &World, key: &str) -> Result<Event> {
    record::await_event(world, &format!("{key} was reached"), |event| {
        let limit = event.fields.get("limit").and_then(|limit| limit.as_str());
        event.kind == "limit_reached" && limit == Some(&format!("resource_limits.{key}"))
    })
}

/// The folders of the groups of all commands, as the record names them.
pub fn recorded_groups(world: &World) -> Result<Vec<PathBuf>> {
    let events = record::events(world)?;
    let groups = events.iter().filter_map(|event| event.fields.get("groups")?.as_array());
    Ok(groups
        .flatten()
        .filter_map(|folder| folder.as_str().map(PathBuf::from))
        .collect())
}
