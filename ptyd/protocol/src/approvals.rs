//! Questions to people and their answers, as `api.sock` carries them.
//!
//! | method and path | body | answer |
//! |---|---|---|
//! | `GET /v1/approvals` | | `[Approval]`, what waits, oldest first |
//! | `GET /v1/approvals/watch` | | server-sent events, each a [`Change`]; while one is open somebody can be asked |
//! | `GET /v1/sessions/SESSION/approvals/watch` | | the same of one session, which alone then can ask |
//! | `GET /v1/approvals/ID` | | [`Approval`] |
//! | `POST /v1/approvals/ID` | [`Reply`] | [`Approval`] as it was when it was answered |
//! | `GET /v1/grants` | | `[Grant]` |
//! | `DELETE /v1/grants/ID` | | [`Grant`] as it was |
//!
//! `ID` is a whole id or a unique beginning of one.

use serde::{Deserialize, Serialize};

use crate::Bytes;

/// Something that a person is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Approval {
    pub id: String,
    pub session_id: String,
    pub command_id: Option<String>,
    /// `exec`, or the file operation in the policy's words.
    pub operation: String,
    /// The resolved program, or the object's canonical path.
    pub path: Bytes,
    /// What would run: the arguments as they are, `argv[0]` first. Empty for files.
    #[serde(default)]
    pub argv: Vec<Bytes>,
    #[serde(default)]
    pub cwd: Option<Bytes>,
    /// Variables that would steer what runs (`PATH`, `HOME`, `GIT_DIR` …), without passwords.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<Bytes>,
    pub pid: i32,
    /// The programs above the asker, the nearest first.
    #[serde(default)]
    pub parents: Vec<Bytes>,
    pub rule: Option<String>,
    pub message: Option<String>,
    /// RFC 3339.
    pub created: String,
    /// When it is a no; RFC 3339.
    pub expires: String,
    /// How many identical calls wait in the kernel; 0: the asker is gone, a yes covers its retry.
    pub waiting: usize,
    /// How often it was asked.
    pub asked: u64,
    /// In an answer: the file to which an always was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Bytes>,
}

/// `POST /v1/approvals/ID`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    pub answer: Answer,
    #[serde(default)]
    pub scope: Scope,
    #[serde(default)]
    pub reason: Option<String>,
}

/// A person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Allow,
    Deny,
}

/// What a yes covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The calls that wait; if none does any more, one identical retry within the policy's retry window.
    #[default]
    Once,
    /// Every identical call until the session ends.
    Session,
    /// Every identical call in every session of the policy, from now on.
    Always,
}

/// A yes that covers calls to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Grant {
    /// The id of the approval that it comes from.
    pub id: String,
    pub session_id: String,
    pub scope: Scope,
    pub operation: String,
    pub path: Bytes,
    #[serde(default)]
    pub argv: Vec<Bytes>,
    #[serde(default)]
    pub cwd: Option<Bytes>,
    pub rule: Option<String>,
    /// RFC 3339.
    pub created: String,
    /// RFC 3339; none: the session's end.
    #[serde(default)]
    pub expires: Option<String>,
}

/// What watchers are told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    Asked {
        approval: Box<Approval>,
    },
    /// It needs no answer any more.
    Resolved {
        id: String,
        answer: Answer,
        /// `person`, `timeout`, `session_end`.
        by: String,
    },
}
