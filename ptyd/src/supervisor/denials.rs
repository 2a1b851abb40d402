//! What was denied to a command or in its session, read back from the record.

use agentsh_audit::SessionDir;
use agentsh_audit::read::{Filter, Order, query};

/// At most `most` denials of a command, newest first, as the record has them. An agent asks with a command of its
/// own why the one before failed: a command to which nothing was denied is told of the session's.
pub(super) fn newest(dir: &SessionDir, command: &str, most: usize) -> Result<Vec<serde_json::Value>, String> {
    let own = Filter {
        command: Some(command.to_owned()),
        ..Filter::blocked()
    };
    let ask = |filter: &Filter| query(std::slice::from_ref(dir), filter, Order::NewestFirst, most);
    let mut found = ask(&own);
    if found.events.is_empty() {
        found = ask(&Filter::blocked());
    }
    if let Some(problem) = found.problems.first() {
        return Err(problem.to_string());
    }
    found
        .events
        .iter()
        .map(|event| serde_json::to_value(event).map_err(|error| error.to_string()))
        .collect()
}
