use agentsh_keep::Kind;
use agentsh_keep::trash::{Cause, Entry, How, Id, Record};
use agentsh_protocol::Bytes;
use serde::Serialize;

use crate::render;

/// The JSON of an entry.
#[derive(Debug, Serialize)]
pub struct Shown {
    id: Id,
    /// RFC 3339.
    time: String,
    /// Where it was; null if its record was lost.
    original: Option<Bytes>,
    session_id: Option<String>,
    command_id: Option<String>,
    rule: Option<String>,
    cause: Cause,
    how: How,
    kind: Kind,
    /// Bytes of the object, and those that count against the limit.
    size: u64,
    charge: u64,
    /// Octal.
    mode: String,
    uid: u32,
    gid: u32,
    mtime: String,
    links: u32,
    /// The kept object itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<Bytes>,
}

impl Shown {
    /// An entry that is there.
    pub fn entry(entry: &Entry) -> Shown {
        Shown {
            file: Some(Bytes::from(entry.file.as_path())),
            ..Shown::record(&entry.record)
        }
    }

    /// An entry that may be gone.
    pub fn record(record: &Record) -> Shown {
        Shown {
            id: record.id,
            time: record.time.rfc3339(),
            original: record.original.clone(),
            session_id: record.meta.session.clone(),
            command_id: record.meta.command.clone(),
            rule: record.meta.rule.clone(),
            cause: record.cause,
            how: record.how,
            kind: record.kind,
            size: record.size,
            charge: record.charge,
            mode: format!("{:04o}", record.mode),
            uid: record.uid,
            gid: record.gid,
            mtime: record.mtime.rfc3339(),
            links: record.links,
            file: None,
        }
    }
}

/// Where an entry was, for people.
pub fn original(record: &Record) -> String {
    record
        .original
        .as_ref()
        .map_or_else(|| "(not known)".to_owned(), |path| render::visible(&path.lossy()))
}

/// What would have lost it, in a word.
pub fn cause(record: &Record) -> &'static str {
    match record.cause {
        Cause::Removed => "removed",
        Cause::Replaced => "replaced",
        Cause::Truncated => "truncated",
        Cause::Recovered => "recovered",
    }
}
