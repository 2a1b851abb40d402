use agentsh_protocol::Bytes;
use serde::{Deserialize, Serialize};

use super::{EventType, Layer, PolicyRecord};

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub schema_version: u32,
    /// Position in the session's record, from 1, without gaps.
    pub seq: u64,
    /// The `hash` of the line before, in hexadecimal.
    pub prev: String,
    /// UUIDv7.
    pub id: String,
    /// RFC 3339, UTC, nanoseconds; the wall clock may be set back, `seq` and `fields.boottime_ns` are not.
    pub ts: String,
    #[serde(rename = "type")]
    pub kind: EventType,
    pub session_id: String,
    /// How many identical operations this stands for.
    pub count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ppid: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<Bytes>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path2: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layer>,
    /// `0` or the name of an errno.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    #[serde(default)]
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// BLAKE3 of the line up to this member, in hexadecimal.
    pub hash: String,
}

impl Event {
    /// What became of the operation, as a word for tables: the effective decision, `none` without a policy's word.
    pub fn effective(&self) -> &'static str {
        self.policy.as_ref().map_or("none", |policy| policy.effective.word())
    }
}
