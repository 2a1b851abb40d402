//! The JSON shapes as a reader has them: a member that is not listed here is an error.

use std::collections::BTreeMap;

use crate::record::Event;
use agentsh_protocol::Bytes;
use serde::Deserialize;

/// `agentsh session create`, `session info --json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    pub id: String,
    pub name: Option<String>,
    pub workspace: Option<Bytes>,
    pub policy: String,
    pub mode: String,
    pub path: String,
    pub created: String,
    pub ended: Option<String>,
    pub state: String,
    pub uid: u32,
    pub automatic: bool,
    pub supervisor_pid: Option<i32>,
    pub commands_running: usize,
    pub layers: Vec<Layer>,
    pub not_held: Vec<String>,
    pub not_observed: Vec<String>,
    pub policy_refused: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    pub layer: String,
    pub enforced: String,
    pub detail: String,
}

/// `agentsh exec --output json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub schema_version: u32,
    pub session_id: String,
    pub command_id: String,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: Bytes,
    pub stderr: Bytes,
    pub stdout_bytes: u64,
    pub stderr_bytes: u64,
    pub truncated: bool,
    pub duration_ms: u64,
    pub resources: Resources,
    pub policy: Policy,
    pub events: Vec<Event>,
    pub events_summary: BTreeMap<String, BTreeMap<String, u64>>,
    pub guidance: Guidance,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    pub user_ms: u64,
    pub system_ms: u64,
    pub max_rss_kb: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub decision: String,
    pub rule: Option<String>,
    pub message: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guidance {
    pub status: String,
    pub reason: Option<String>,
    pub rule: Option<String>,
    pub operation: Option<String>,
    pub target: Option<String>,
    #[serde(default)]
    pub suggestions: Vec<String>,
}
