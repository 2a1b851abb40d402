//! What was denied to a command, read back from the record.

use agentsh_audit::SessionDir;
use agentsh_audit::read::{Filter, Order, query};

/// At most `most` denials of a command, newest first, as the record has them.
pub(super) fn newest(dir: &SessionDir, command: &str, most: usize) -> Result<Vec<serde_json::Value>, String> {
    let filter = Filter {
        command: Some(command.to_owned()),
        ..Filter::blocked()
    };
    let found = query(std::slice::from_ref(dir), &filter, Order::NewestFirst, most);
    if let Some(problem) = found.problems.first() {
        return Err(problem.to_string());
    }
    found
        .events
        .iter()
        .map(|event| serde_json::to_value(event).map_err(|error| error.to_string()))
        .collect()
}
