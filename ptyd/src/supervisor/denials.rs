//! What was denied to a command or in its session, read back from the record.

use agentsh_audit::read::{Filter, Order, query};
use agentsh_audit::{Event, SessionDir};

/// At most `most` denials in a session as the record has them: those of `command` first, newest first, then those of
/// the other commands. An agent asks with a command of its own why the one before failed.
pub(super) fn newest(dir: &SessionDir, command: &str, most: usize) -> Result<Vec<serde_json::Value>, String> {
    let own = Filter {
        command: Some(command.to_owned()),
        ..Filter::blocked()
    };
    let mut denials = Vec::new();
    for filter in [own, Filter::blocked()] {
        let found = query(std::slice::from_ref(dir), &filter, Order::NewestFirst, most);
        if let Some(problem) = found.problems.first() {
            return Err(problem.to_string());
        }
        let is_new = |event: &Event| !denials.iter().any(|known: &Event| known.id == event.id);
        let new: Vec<Event> = found.events.into_iter().filter(is_new).collect();
        denials.extend(new);
    }
    denials.truncate(most);
    let values = denials.iter().map(serde_json::to_value);
    values.collect::<Result<_, _>>().map_err(|error| error.to_string())
}
