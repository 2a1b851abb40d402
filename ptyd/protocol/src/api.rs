//! What `api.sock` says, as JSON over HTTP/1.1.
//!
//! | method and path | body | answer |
//! |---|---|---|
//! | `GET /v1/status` | | [`Status`] |
//! | `POST /v1/stop` | | the broker ends after all its sessions |
//! | `POST /v1/kill` | [`Kill`] | [`Killed`] |
//! | `POST /v1/lift` | | the kill switch is taken back |
//! | `GET /v1/sessions` | | `[SessionInfo]` |
//! | `POST /v1/sessions` | [`CreateSession`] | [`SessionInfo`] |
//! | `GET /v1/sessions/ID` | | [`SessionInfo`] |
//! | `DELETE /v1/sessions/ID` | | [`SessionInfo`], state `ended` |
//! | `POST /v1/sessions/ID/reload` | | [`SessionInfo`], after the policy's files were read again |
//! | `POST /v1/sessions/ID/acts` | [`crate::act::Act`] | it is in the session's record |
//! | `GET /v1/sessions/ID/proxy` | | [`ProxyInfo`] |
//! | `GET /v1/sessions/ID/commands` | | `[CommandInfo]` |
//! | `GET /v1/sessions/ID/commands/CID` | | [`CommandInfo`] |
//! | `GET /v1/sessions/ID/commands/CID/terminal` | | a WebSocket whose binary messages are the stream of [`crate::terminal`] |
//! | `GET /v1/sessions/ID/commands/CID/watch` | | the same, to look only |
//!
//! Questions to people are in [`crate::approvals`].
//!
//! `ID` and `CID` are whole ids, unique prefixes, or (for sessions) names. From inside a session only
//! `GET /v1/self` ([`SelfInfo`]) and `GET /v1/self/why` ([`crate::api::Why`]) are answered, by the
//! session's own supervisor. A request that says something unknown is refused: it would be answered as if that had not
//! been said. Every error is an [`ApiError`] with a 4xx or 5xx status.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Bytes;

/// Version of all JSON that leaves the product; additive within a major.
pub const SCHEMA_VERSION: u32 = 1;

/// Body of every answer that is not 2xx.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub error: ErrorKind,
    pub message: String,
    /// What to do about it, if there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The kinds of failure that a client may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    NotFound,
    Ambiguous,
    Invalid,
    Refused,
    Denied,
    Failed,
}

/// `GET /v1/status`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub schema_version: u32,
    pub version: String,
    pub commit: String,
    pub uid: u32,
    pub pid: i32,
    /// RFC 3339.
    pub started: String,
    pub sessions: usize,
    pub commands: usize,
    /// Whether the kill switch is on: no new command starts until it is lifted.
    pub killed: bool,
    pub mode: String,
}

/// `POST /v1/sessions`. Paths are resolved by the client's user, absolute.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateSession {
    pub workspace: Option<Bytes>,
    /// A policy's name, or the absolute path of a policy file.
    pub policy: Option<String>,
    pub name: Option<String>,
}

/// What a session is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionInfo {
    pub id: String,
    pub name: Option<String>,
    pub workspace: Option<Bytes>,
    pub policy: String,
    pub mode: String,
    /// The session's folder.
    pub path: String,
    /// RFC 3339.
    pub created: String,
    #[serde(default)]
    pub ended: Option<String>,
    pub state: SessionState,
    pub uid: u32,
    /// Whether the session began by itself for a shim (and ends after the idle time).
    pub automatic: bool,
    #[serde(default)]
    pub supervisor_pid: Option<i32>,
    #[serde(default)]
    pub commands_running: usize,
    /// Each layer with how far it is enforced and why not more.
    #[serde(default)]
    pub layers: Vec<LayerInfo>,
    /// Rules and keys of the policy that this host or build does not hold, one line each.
    #[serde(default)]
    pub not_held: Vec<String>,
    /// What this host or plan cannot observe, one line each.
    #[serde(default)]
    pub not_observed: Vec<String>,
    /// Why the policy's files, as they are now, are not taken: the policy before them holds on.
    #[serde(default)]
    pub policy_refused: Option<String>,
}

/// A session's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    Running,
    Ended,
    /// Its supervisor died; whatever it served was killed.
    Dead,
}

/// One layer of a session's plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LayerInfo {
    pub layer: String,
    pub enforced: Enforced,
    #[serde(default)]
    pub detail: String,
}

/// How far a control is in force (the words of rust-landlock).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforced {
    Fully,
    Partially,
    Not,
}

/// One command of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CommandInfo {
    pub id: String,
    pub session_id: String,
    pub argv: Vec<Bytes>,
    pub cwd: Option<Bytes>,
    pub pid: i32,
    pub state: CommandState,
    /// RFC 3339.
    pub started: String,
    #[serde(default)]
    pub ended: Option<String>,
    #[serde(default)]
    pub exit_code: Option<i32>,
    #[serde(default)]
    pub signal: Option<i32>,
    /// The key of the limit because of which it was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Whether it has a terminal to attach to.
    #[serde(default)]
    pub terminal: bool,
    pub policy: PolicyOutcome,
}

/// Where a command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    Refused,
    Running,
    /// The command itself has ended; descendants of it may live on.
    Finished,
}

/// What policy said.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PolicyOutcome {
    pub decision: String,
    #[serde(default)]
    pub rule: Option<String>,
    #[serde(default)]
    pub message: Option<String>,
}

/// `GET /v1/sessions/ID/proxy`: the session's proxy, and its use of language models.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ProxyInfo {
    pub session_id: String,
    /// Where it listens; absent until a program was led to it.
    #[serde(default)]
    pub address: Option<String>,
    /// Providers of models: name and address.
    #[serde(default)]
    pub providers: BTreeMap<String, String>,
    /// Services of the policy, by name.
    #[serde(default)]
    pub services: Vec<String>,
    /// What happens to findings: redact, block, audit, off; empty of a session that is over.
    pub dlp: String,
    /// Whether TLS is opened, for programs that are told to trust who opens it.
    #[serde(default)]
    pub tls_opened: bool,
    pub limits: ProxyLimits,
    #[serde(default)]
    pub usage: Vec<LlmUse>,
}

/// Limits on the use of models; 0: none.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct ProxyLimits {
    /// Requests a minute.
    pub rpm: u64,
    /// Tokens a minute.
    pub tpm: u64,
    /// Tokens a session.
    pub budget: u64,
}

/// What one model was used in a session.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LlmUse {
    pub provider: String,
    pub model: String,
    /// Requests that left.
    pub requests: u64,
    /// Requests that a limit or a finding kept back.
    pub refused: u64,
    /// Answers that were errors.
    pub errors: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Those of the input that were read from a cache.
    pub cached_tokens: u64,
    /// Whether some are counted by length, because the provider did not say.
    pub estimated: bool,
    /// Of the answers whose price is known.
    #[serde(default)]
    pub cost_usd: Option<f64>,
    /// Answers whose price is not known.
    pub unpriced: u64,
    /// What was found in requests and answers.
    pub found: u64,
}

/// `POST /v1/kill`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Kill {
    /// A command and its descendants.
    Command { session: String, command: String },
    /// A session with all of its commands.
    Session { session: String },
    /// The kill switch: every session, and no new command until it is lifted.
    All,
}

/// How much was ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Killed {
    pub sessions: usize,
    pub processes: usize,
    /// Of how many of those that were to end something may live still.
    #[serde(default)]
    pub left: usize,
}

/// `GET /v1/self`, from inside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SelfInfo {
    pub session_id: String,
    pub command_id: String,
    pub workspace: Option<Bytes>,
    pub policy: String,
    /// The resolved policy, as YAML.
    pub policy_text: String,
}

/// `GET /v1/self/why`: denials of the asker's command, newest first, then those of the session's other commands; each is
/// an event as the record has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Why {
    pub denials: Vec<serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approvals::Reply;

    #[test]
    fn a_request_that_says_something_unknown_is_refused() {
        let refused =
            |error: Option<serde_json::Error>| error.is_some_and(|error| error.to_string().contains("unknown field"));
        for text in [r#"{"workspace": "/x", "policyy": "strict"}"#, r#"{"Policy": "strict"}"#] {
            assert!(refused(serde_json::from_str::<CreateSession>(text).err()), "{text}");
        }
        for text in [
            r#"{"what": "session", "session": "x", "sessions": "y"}"#,
            r#"{"what": "command", "session": "x", "command": "y", "all": true}"#,
        ] {
            assert!(refused(serde_json::from_str::<Kill>(text).err()), "{text}");
        }
        let text = r#"{"answer": "deny", "because": "no"}"#;
        assert!(refused(serde_json::from_str::<Reply>(text).err()), "{text}");
    }
}
