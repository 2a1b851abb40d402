use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use agentsh_audit::{Event, SessionDir, Store};
use agentsh_protocol::Bytes;
use agentsh_protocol::api::{CommandInfo, SessionInfo};
use serde::Deserialize;

use super::aftermath::Aftermath;
use super::guidance::{self, Fared};
use super::history::Mark;
use super::report::Report;
use super::watch::Outcome;
use crate::client::fake::Fake;
use crate::render::Style;
use crate::sys::End;
use crate::verbs::exec::Events;

/// The object as its readers know it: a field that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what counts is that each field is there")]
struct Mirror {
    schema_version: u32,
    session_id: String,
    command_id: String,
    exit_code: Option<i32>,
    signal: Option<i32>,
    stdout: Bytes,
    stderr: Bytes,
    stdout_bytes: u64,
    stderr_bytes: u64,
    truncated: bool,
    duration_ms: u64,
    resources: MirrorResources,
    policy: MirrorPolicy,
    events: Vec<serde_json::Value>,
    /// By type, then by decision.
    events_summary: BTreeMap<String, BTreeMap<String, u64>>,
    guidance: MirrorGuidance,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what counts is that each field is there")]
struct MirrorResources {
    user_ms: u64,
    system_ms: u64,
    max_rss_kb: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what counts is that each field is there")]
struct MirrorPolicy {
    decision: String,
    rule: Option<String>,
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what counts is that each field is there")]
struct MirrorGuidance {
    status: String,
    reason: Option<String>,
    rule: Option<String>,
    operation: Option<String>,
    target: Option<String>,
    suggestions: Vec<String>,
}

fn outcome(exit_code: Option<i32>, signal: Option<i32>) -> Outcome {
    let (user, system) = (Duration::from_millis(3), Duration::from_millis(4));
    let end = End {
        exit_code,
        signal,
        user,
        system,
        max_rss_kb: 5,
    };
    Outcome {
        end,
        timed_out: false,
        duration: Duration::from_millis(12),
        stdout: None,
        stderr: None,
    }
}

fn command(state: &str) -> Result<CommandInfo, serde_json::Error> {
    let policy = r#"{"decision": "deny", "rule": "publish", "message": "ask the user first"}"#;
    serde_json::from_str(&format!(
        r#"{{"id": "c1", "session_id": "s1", "argv": ["npm", "publish"], "cwd": "/w", "pid": 7, "state": "{state}",
            "started": "2026-11-24T16:26:00Z", "policy": {policy}}}"#
    ))
}

fn event(kind: &str, rest: &str) -> Result<Event, serde_json::Error> {
    serde_json::from_str(&format!(
        r#"{{"schema_version": 1, "seq": 1, "prev": "", "id": "e1", "ts": "2026-11-24T16:26:00Z", "type": "{kind}",
            "session_id": "s1", "command_id": "c1", "hash": "" {rest}}}"#
    ))
}

fn events() -> Result<Vec<Event>, serde_json::Error> {
    let denied = r#", "count": 1, "exe": "/usr/bin/curl", "policy": {"decision": "deny", "effective": "deny", "rule": "no-net"}"#;
    let allowed = r#", "count": 3, "path": "/w/a", "policy": {"decision": "allow", "effective": "allow"}"#;
    Ok(vec![
        event("file_read", allowed)?,
        event("file_write", allowed)?,
        event("process_exec", denied)?,
        event("command_finished", r#", "count": 1"#)?,
    ])
}

fn mirror(which: Events, outcome: Outcome) -> Result<Mirror, Box<dyn Error>> {
    let report = Report::new(&command("finished")?, outcome, events()?, which);
    Ok(serde_json::from_str(&serde_json::to_string(&report)?)?)
}

#[test]
fn the_object_has_the_fields_of_the_format_and_no_other() -> Result<(), Box<dyn Error>> {
    let report = mirror(Events::None, outcome(None, Some(15)))?;
    assert_eq!(
        (report.exit_code, report.signal, report.resources.system_ms),
        (None, Some(15), 4)
    );
    assert_eq!((report.duration_ms, report.guidance.status.as_str()), (12, "blocked"));
    Ok(())
}

#[test]
fn the_choice_of_events_leaves_the_counts_complete() -> Result<(), Box<dyn Error>> {
    for (which, shown) in [
        (Events::All, 4),
        (Events::Summary, 3),
        (Events::Blocked, 1),
        (Events::None, 0),
    ] {
        let report = mirror(which, outcome(Some(0), None))?;
        assert_eq!(report.events.len(), shown, "{which:?}");
        let count = |kind: &str, decision: &str| report.events_summary.get(kind)?.get(decision).copied();
        assert_eq!(
            (count("file_read", "allow"), count("process_exec", "deny")),
            (Some(3), Some(1))
        );
        assert_eq!(count("command_finished", "none"), Some(1));
    }
    Ok(())
}

#[test]
fn the_end_says_how_a_command_fared() -> Result<(), Box<dyn Error>> {
    let (denied, none) = (events()?, Vec::new());
    let fared = |state, code, events: &[Event]| -> Result<Fared, serde_json::Error> {
        Ok(guidance::of(&command(state)?, &outcome(Some(code), None), events).status)
    };
    assert_eq!(fared("finished", 0, &denied)?, Fared::Ok);
    assert_eq!(fared("finished", 1, &denied)?, Fared::Blocked);
    assert_eq!(fared("finished", 1, &none)?, Fared::Failed);
    assert_eq!(fared("refused", 126, &none)?, Fared::Blocked);
    Ok(())
}

#[test]
fn a_refusal_says_rule_and_reason_and_what_to_do_instead() -> Result<(), Box<dyn Error>> {
    let guidance = guidance::of(&command("refused")?, &outcome(Some(126), None), &[]);
    insta::assert_snapshot!(guidance.text(Style::new(false)), @r"
    agentsh: denied: command npm publish
      rule     publish
      reason   ask the user first
      instead  do it with a command that policy allows: `agentsh policy show --session s1` lists its command_rules
               `agentsh why c1` explains the decision
    ");
    Ok(())
}

#[test]
fn a_nested_denial_names_what_was_asked_for() -> Result<(), Box<dyn Error>> {
    let guidance = guidance::of(&command("finished")?, &outcome(Some(6), None), &events()?);
    insta::assert_snapshot!(guidance.text(Style::new(false)), @r"
    agentsh: denied: process_exec /usr/bin/curl
      rule     no-net
      reason   policy does not allow this operation
      instead  use a program that policy allows: `agentsh policy show --session s1` lists its command_rules
               `agentsh why e1` explains the decision
    ");
    Ok(())
}

#[test]
fn a_time_that_was_up_is_status_124_and_no_signal() -> Result<(), Box<dyn Error>> {
    let timed_out = Outcome {
        timed_out: true,
        ..outcome(None, Some(9))
    };
    let report = mirror(Events::None, timed_out)?;
    assert_eq!((report.exit_code, report.signal), (Some(124), None));
    assert_eq!(report.guidance.reason.as_deref(), Some("the time was up (--timeout)"));
    Ok(())
}

#[test]
fn the_object_waits_until_the_supervisor_knows_the_end() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let dir = session(&Store::new(folder.path()))?;
    let mark = Mark::set(&dir);
    std::fs::write(dir.events_path(), serde_json::to_string(&events()?[3])? + "\n")?;
    let answers =
        ["running", "running", "finished"].map(|state| command(state).and_then(|c| serde_json::to_string(&c)));
    let answers = answers
        .into_iter()
        .map(|answer| Ok((200, answer?)))
        .collect::<Result<_, serde_json::Error>>()?;
    let fake = Fake::serve(answers)?;
    let known = Aftermath::of(&fake.client(), &dir, "c1", &mark)?;
    assert_eq!(known.map(|known| known.events.len()), Some(1));
    let asked = format!("GET /v1/sessions/{}/commands/c1", dir.id());
    assert_eq!(fake.requests()?, vec![asked; 3]);
    Ok(())
}

#[test]
fn the_record_knows_the_command_where_the_supervisor_is_gone() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let dir = session(&Store::new(folder.path()))?;
    let mark = Mark::set(&dir);
    let allowed =
        r#", "count": 1, "argv": ["make"], "policy": {"decision": "allow", "effective": "allow", "rule": "all"}"#;
    let lines = [
        event("command_started", allowed)?,
        event("command_finished", r#", "count": 1"#)?,
    ];
    let lines: Vec<String> = lines.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    std::fs::write(dir.events_path(), lines.join("\n") + "\n")?;
    let ended = r#"{"error": "failed", "message": "the session's supervisor ended"}"#;
    let fake = Fake::serve(vec![(500, ended.to_owned())])?;
    let known = Aftermath::of(&fake.client(), &dir, "c1", &mark)?.ok_or("not known")?;
    assert_eq!(
        (known.command.policy.rule.as_deref(), known.events.len()),
        (Some("all"), 2)
    );
    Ok(())
}

#[test]
fn a_command_that_nobody_tells_of_is_reported_with_what_it_printed() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let dir = session(&Store::new(folder.path()))?;
    let Aftermath { command, events } = Aftermath::unknown(&dir, "c1", &["make".into()]);
    let report = Report::new(&command, outcome(Some(3), None), events, Events::All);
    let report: Mirror = serde_json::from_str(&serde_json::to_string(&report)?)?;
    assert_eq!((report.exit_code, report.policy.decision.as_str()), (Some(3), ""));
    Ok(())
}

#[test]
fn a_command_that_never_entered_is_unknown() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let dir = session(&Store::new(folder.path()))?;
    let mark = Mark::set(&dir);
    let fake = Fake::serve(vec![(
        404,
        r#"{"error": "not_found", "message": "no such command"}"#.to_owned(),
    )])?;
    assert!(Aftermath::of(&fake.client(), &dir, "c1", &mark)?.is_none());
    Ok(())
}

fn session(store: &Store) -> Result<SessionDir, Box<dyn Error>> {
    let info: SessionInfo = serde_json::from_str(&format!(
        r#"{{"id": "{}", "name": null, "workspace": null, "policy": "p", "mode": "m", "path": "/x", "created": "",
            "state": "running", "uid": 0, "automatic": false}}"#,
        agentsh_protocol::new_id()
    ))?;
    Ok(store.create(&info, "")?)
}
