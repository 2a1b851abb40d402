use agentsh_keep::checkpoint::{Change, Header, Problem, What};
use agentsh_keep::{Id, Kind};
use agentsh_protocol::Bytes;
use serde::Serialize;

use crate::render::{self, Table};

/// The JSON of a checkpoint.
#[derive(Debug, Serialize)]
pub struct Shown<'a> {
    id: Id,
    label: Option<&'a str>,
    workspace: &'a Bytes,
    /// RFC 3339.
    started: String,
    finished: String,
    /// Names in it, the workspace itself included, and the bytes of all regular files.
    entries: u64,
    bytes: u64,
    /// What changed while it was read, what could not be read, and what was left out.
    unstable: &'a [Bytes],
    problems: &'a [Problem],
    excluded: &'a [Bytes],
}

impl Shown<'_> {
    pub fn of(header: &Header) -> Shown<'_> {
        Shown {
            id: header.id,
            label: header.label.as_deref(),
            workspace: &header.workspace,
            started: header.started.rfc3339(),
            finished: header.finished.rfc3339(),
            entries: header.entries,
            bytes: header.bytes,
            unstable: &header.unstable,
            problems: &header.problems,
            excluded: &header.excluded,
        }
    }
}

/// The JSON of a difference between two states.
#[derive(Debug, Serialize)]
pub struct Changed<'a> {
    path: &'a Bytes,
    what: &'static str,
    before: Option<Kind>,
    after: Option<Kind>,
    size_before: Option<u64>,
    size_after: Option<u64>,
}

impl Changed<'_> {
    pub fn of(change: &Change) -> Changed<'_> {
        Changed {
            path: &change.path,
            what: what(change),
            before: change.before,
            after: change.after,
            size_before: change.sizes.0,
            size_after: change.sizes.1,
        }
    }
}

fn what(change: &Change) -> &'static str {
    match change.what {
        What::Created => "created",
        What::Removed => "removed",
        What::Contents => "contents",
        What::Attributes => "attributes",
    }
}

/// Differences for people.
pub fn table(changes: &[Change]) -> Table {
    let mut table = Table::new(&["CHANGE", "KIND", "SIZE", "PATH"]);
    for change in changes {
        let size = |size: Option<u64>| size.map_or_else(|| "-".to_owned(), render::bytes);
        table.row(vec![
            what(change).to_owned(),
            change.after.or(change.before).map_or("-", render::kind).to_owned(),
            format!("{} → {}", size(change.sizes.0), size(change.sizes.1)),
            match change.path.lossy() {
                path if path.is_empty() => ".".to_owned(),
                path => path,
            },
        ]);
    }
    table
}

/// Says what could not be done like the rest.
pub fn say_problems(problems: &[Problem]) {
    for problem in problems {
        let (path, reason) = (render::visible(&problem.path.lossy()), render::visible(&problem.reason));
        render::say(&format!("agentsh: {path}: {reason}"));
    }
}
