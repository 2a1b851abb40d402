//! What a result means and what to do next, for an agent that reads it and for a person.

use agentsh_audit::{Decision, Event, EventType};
use agentsh_protocol::Bytes;
use agentsh_protocol::api::{CommandInfo, CommandState};
use serde::Serialize;

use super::watch::Outcome;
use crate::label;
use crate::render::{self, Style};

/// How a command fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fared {
    /// It ended with status 0.
    Ok,
    /// It ended otherwise, and policy had no part in it.
    Failed,
    /// It was refused, or it failed and policy had denied something to it.
    Blocked,
}

/// The advice. All but `status` and `suggestions` is about the first denial, if there was one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guidance {
    pub status: Fared,
    pub reason: Option<String>,
    pub rule: Option<String>,
    /// What was asked for, as the record's type or `command` for the command itself.
    pub operation: Option<String>,
    pub target: Option<String>,
    pub suggestions: Vec<String>,
}

/// The advice about a command that ended as `outcome` says.
pub fn of(command: &CommandInfo, outcome: &Outcome, events: &[Event]) -> Guidance {
    if command.state == CommandState::Refused {
        return refused(command);
    }
    let ok = !outcome.timed_out && outcome.end.exit_code == Some(0);
    let mut guidance = match events.iter().find(|event| is_blocked(event)) {
        Some(event) => denied(event),
        None => plain(),
    };
    guidance.status = match (ok, guidance.operation.is_some()) {
        (true, _) => Fared::Ok,
        (false, true) => Fared::Blocked,
        (false, false) => Fared::Failed,
    };
    if outcome.timed_out {
        let (reason, suggestion) = match &command.limit {
            Some(limit) => (
                format!("the time was up (resource_limits.{limit} of the policy)"),
                "do less at once; the limit is the policy's",
            ),
            None => (
                "the time was up (--timeout)".to_owned(),
                "allow more time with --timeout, or do less at once",
            ),
        };
        guidance.reason = Some(reason);
        guidance.suggestions.push(suggestion.to_owned());
    }
    guidance
}

/// Whether the operation was not done.
pub fn is_blocked(event: &Event) -> bool {
    event
        .policy
        .as_ref()
        .is_some_and(|policy| policy.effective == Decision::Deny)
        || event.kind == EventType::SyscallBlocked
}

fn plain() -> Guidance {
    Guidance {
        status: Fared::Ok,
        reason: None,
        rule: None,
        operation: None,
        target: None,
        suggestions: Vec::new(),
    }
}

fn refused(command: &CommandInfo) -> Guidance {
    let policy = &command.policy;
    Guidance {
        status: Fared::Blocked,
        reason: policy
            .message
            .clone()
            .or_else(|| Some("policy does not allow this command".to_owned())),
        rule: policy.rule.clone(),
        operation: Some("command".to_owned()),
        target: Some(render::argv(&command.argv)),
        suggestions: vec![
            format!(
                "do it with a command that policy allows: {} lists its command_rules",
                show(&command.session_id)
            ),
            format!(
                "`agentsh why {}` explains the decision{}",
                command.id,
                of_text(&command.argv)
            ),
        ],
    }
}

/// What more is explained of a text for a shell.
fn of_text(argv: &[Bytes]) -> String {
    match label::of(argv).map(|label| label.lines()).unwrap_or_default() {
        lines if lines.is_empty() => String::new(),
        lines => format!(", and those about what its text seems to do ({})", lines.join("; ")),
    }
}

fn denied(event: &Event) -> Guidance {
    let policy = event.policy.as_ref();
    let mut suggestions = Vec::from_iter(instead(event, &show(&event.session_id)));
    let more = of_text(event.argv.as_deref().unwrap_or_default());
    suggestions.push(format!("`agentsh why {}` explains the decision{more}", event.id));
    Guidance {
        reason: policy
            .and_then(|policy| policy.message.clone())
            .or_else(|| Some(default_reason(event))),
        rule: policy.and_then(|policy| policy.rule.clone()),
        operation: Some(event.kind.to_string()),
        target: target(event),
        suggestions,
        ..plain()
    }
}

fn default_reason(event: &Event) -> String {
    match event.kind {
        EventType::SyscallBlocked => "no session may make this system call".to_owned(),
        _ => "policy does not allow this operation".to_owned(),
    }
}

/// What to do instead of what was denied, if there is something; `show` is how to see the policy.
pub fn instead(event: &Event, show: &str) -> Option<String> {
    match event.kind {
        EventType::ProcessExec | EventType::CommandStarted => Some(format!(
            "use a program that policy allows: {show} lists its command_rules"
        )),
        EventType::SyscallBlocked => {
            Some("do without it: no session may make this call, whatever its policy".to_owned())
        }
        kind if kind.as_str().starts_with("file_") => Some(format!(
            "work below the session's workspace; {show} lists its file_rules"
        )),
        EventType::NetConnect | EventType::NetSend | EventType::DnsQuery | EventType::HttpRequest => {
            Some(format!("use a host that policy allows: {show} lists its network_rules"))
        }
        _ => None,
    }
}

/// How to see a session's policy from outside.
pub fn show(session: &str) -> String {
    format!("`agentsh policy show --session {session}`")
}

/// What an event was about: the path, the host or the address, else the program.
pub fn target(event: &Event) -> Option<String> {
    let path = event.path.as_ref().or(event.exe.as_ref()).map(|path| path.lossy());
    let remote = event.domain.clone().or_else(|| event.remote.clone());
    match event.kind {
        kind if kind.as_str().starts_with("file_") || kind.as_str().starts_with("unix_") => path,
        EventType::ProcessExec => path.or_else(|| event.argv.as_deref().map(render::argv)),
        EventType::CommandStarted => event.argv.as_deref().map(render::argv),
        _ => remote.or(path),
    }
}

impl Guidance {
    /// The advice for people, in lines without an end.
    pub fn text(&self, style: Style) -> String {
        let what = [self.operation.as_deref(), self.target.as_deref()]
            .into_iter()
            .flatten();
        let what = what.map(render::visible).collect::<Vec<_>>().join(" ");
        let optional = |text: &Option<String>| text.as_deref().map(render::visible).unwrap_or_default();
        let details = render::pairs(&[
            ("  rule", optional(&self.rule)),
            ("  reason", optional(&self.reason)),
            (
                "  instead",
                self.suggestions
                    .iter()
                    .map(|text| render::visible(text))
                    .collect::<Vec<_>>()
                    .join("\n"),
            ),
        ]);
        format!("agentsh: {} {what}\n{}", style.red("denied:"), details.trim_end())
    }
}
