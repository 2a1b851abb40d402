//! The one object that `exec --output json` prints.

use agentsh_audit::read::Summary;
use agentsh_audit::{Event, EventType};
use agentsh_protocol::Bytes;
use agentsh_protocol::api::{CommandInfo, PolicyOutcome, SCHEMA_VERSION};
use serde::Serialize;

use super::capture::Kept;
use super::guidance::{self, Guidance, is_blocked};
use super::watch::Outcome;
use crate::exit;
use crate::verbs::exec::Events;

/// What a command did and how it ended. Additive within a major `schema_version`.
#[derive(Debug, Serialize)]
pub struct Report {
    schema_version: u32,
    session_id: String,
    command_id: String,
    /// Absent (`null`) after a death by signal; 124 if the time was up.
    exit_code: Option<i32>,
    signal: Option<i32>,
    stdout: Bytes,
    stderr: Bytes,
    stdout_bytes: u64,
    stderr_bytes: u64,
    /// Whether a stream is longer than what stands here; `agentsh output` has all of it.
    truncated: bool,
    duration_ms: u64,
    resources: Resources,
    policy: PolicyOutcome,
    events: Vec<Event>,
    /// All events, counted by type and decision.
    events_summary: Summary,
    guidance: Guidance,
}

/// What the command and its waited-for descendants used (getrusage(2)).
#[derive(Debug, Serialize)]
struct Resources {
    user_ms: u64,
    system_ms: u64,
    max_rss_kb: u64,
}

impl Report {
    /// The report of `command` with its `events`, of which `which` are shown.
    pub fn new(command: &CommandInfo, outcome: Outcome, events: Vec<Event>, which: Events) -> Report {
        let guidance = guidance::of(command, &outcome, &events);
        let Outcome {
            end,
            timed_out,
            duration,
            stdout,
            stderr,
        } = outcome;
        let (stdout, stdout_bytes, stdout_cut) = text(stdout);
        let (stderr, stderr_bytes, stderr_cut) = text(stderr);
        Report {
            schema_version: SCHEMA_VERSION,
            session_id: command.session_id.clone(),
            command_id: command.id.clone(),
            exit_code: if timed_out {
                Some(exit::TIMEOUT.into())
            } else {
                end.exit_code
            },
            signal: if timed_out { None } else { end.signal },
            stdout,
            stderr,
            stdout_bytes,
            stderr_bytes,
            truncated: stdout_cut || stderr_cut,
            duration_ms: millis(duration),
            resources: Resources {
                user_ms: millis(end.user),
                system_ms: millis(end.system),
                max_rss_kb: end.max_rss_kb,
            },
            policy: command.policy.clone(),
            events_summary: events.iter().collect(),
            events: events.into_iter().filter(|event| wanted(event, which)).collect(),
            guidance,
        }
    }
}

fn text(kept: Option<Kept>) -> (Bytes, u64, bool) {
    match kept {
        Some(kept) => (Bytes(kept.shown().to_vec()), kept.bytes, kept.truncated()),
        None => (Bytes::default(), 0, false),
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn wanted(event: &Event, which: Events) -> bool {
    match which {
        Events::All => true,
        Events::Summary => is_blocked(event) || !is_look(event.kind),
        Events::Blocked => is_blocked(event),
        Events::None => false,
    }
}

/// What only looks, and the book-keeping of processes.
fn is_look(kind: EventType) -> bool {
    matches!(
        kind,
        EventType::FileOpen
            | EventType::FileRead
            | EventType::FileList
            | EventType::FileReadlink
            | EventType::FileStat
            | EventType::FileAccess
            | EventType::ProcessFork
            | EventType::ProcessExit
    )
}
