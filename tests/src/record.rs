//! The record as it lies on the disk: `sessions/ID/events.jsonl` in the state folder of the world's user.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use agentsh_protocol::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::world::World;
use crate::world::processes::wait_until;
use crate::{Result, fail};

/// One line of the record. A member that this suite does not know is an error: the shape is a promise.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub schema_version: u32,
    pub seq: u64,
    pub prev: String,
    pub hash: String,
    pub id: String,
    pub ts: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub session_id: String,
    pub command_id: Option<String>,
    pub pid: Option<i32>,
    pub ppid: Option<i32>,
    pub exe: Option<Bytes>,
    pub argv: Option<Vec<Bytes>>,
    pub operation: Option<String>,
    pub path: Option<Bytes>,
    pub path2: Option<Bytes>,
    pub domain: Option<String>,
    pub remote: Option<String>,
    pub signal: Option<i32>,
    pub policy: Option<Policy>,
    pub layer: Option<String>,
    pub result: Option<String>,
    #[serde(default)]
    pub count: u64,
    #[serde(default)]
    pub fields: BTreeMap<String, Value>,
}

/// What policy said and what became of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub decision: String,
    pub effective: Option<String>,
    pub rule: Option<String>,
    pub message: Option<String>,
    pub approval: Option<Value>,
    pub redirect: Option<Value>,
}

impl Event {
    /// Whether this is of the type, was decided so, and is about the path or program.
    pub fn is(&self, kind: &str, decision: &str, path: &str) -> bool {
        let about = |bytes: &Option<Bytes>| bytes.as_ref().is_some_and(|bytes| bytes.0 == path.as_bytes());
        self.kind == kind
            && self.policy.as_ref().is_some_and(|policy| policy.decision == decision)
            && (about(&self.path) || about(&self.exe))
    }

    /// Whether this is a connect to `remote`, whatever came of it.
    pub fn is_connect(&self, remote: &str) -> bool {
        self.kind == "net_connect" && self.remote.as_deref() == Some(remote)
    }

    /// The arguments as one text.
    pub fn line(&self) -> String {
        self.argv
            .iter()
            .flatten()
            .map(Bytes::lossy)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The folders of all sessions of the world's user, oldest first.
pub fn sessions(world: &World) -> Result<Vec<PathBuf>> {
    let folder = world.state_dir().join("sessions");
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.sort();
    Ok(found)
}

/// All events that have reached the files so far, in the order of each file. An unfinished last line is left out.
pub fn events(world: &World) -> Result<Vec<Event>> {
    let mut found = Vec::new();
    for session in sessions(world)? {
        let Ok(bytes) = fs::read(session.join("events.jsonl")) else {
            continue;
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in bytes[..whole]
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let event = serde_json::from_slice(line);
            found.push(event.map_err(|error| fail(format!("{error} in {}", String::from_utf8_lossy(line))))?);
        }
    }
    Ok(found)
}

/// Waits until an event that `is_it` accepts is on the record, and returns it.
pub fn await_event(world: &World, what: &str, is_it: impl Fn(&Event) -> bool) -> Result<Event> {
    let mut found = None;
    wait_until(Duration::from_secs(15), || {
        found = events(world)
            .ok()
            .and_then(|events| events.into_iter().find(|event| is_it(event)));
        found.is_some()
    });
    match found {
        Some(event) => Ok(event),
        None => {
            let all = events(world)?;
            let lines: Vec<String> = all
                .iter()
                .map(|event| format!("{} {} {:?}", event.kind, event.line(), event.policy))
                .collect();
            Err(fail(format!(
                "no event: {what}; there are {}:\n{}",
                lines.len(),
                lines.join("\n")
            )))
        }
    }
}
