//! Events for people: one line each, or in full.

use agentsh_audit::{Event, EventType};

use super::{Style, argv, pairs, time, visible};

/// An event in one line, without its end: time, what became of it, type, what it was about, and how often.
pub fn line(event: &Event, style: Style) -> String {
    let clock = event.ts.get(11..23).unwrap_or(&event.ts);
    let word = event.policy.as_ref().map_or("", |policy| policy.effective.word());
    let decision = style.decision(word) + &" ".repeat(11_usize.saturating_sub(word.len()));
    let mut line = format!(
        "{}  {decision}  {:<16}  {}",
        style.dim(&visible(clock)),
        event.kind.as_str(),
        about(event)
    );
    if event.count > 1 {
        line += &style.dim(&format!("  ×{}", event.count));
    }
    if let Some(rule) = event.policy.as_ref().and_then(|policy| policy.rule.as_deref()) {
        line += &style.dim(&format!("  [{}]", visible(rule)));
    }
    match event.result.as_deref() {
        None | Some("0") => line,
        Some(errno) => line + "  " + &style.yellow(&visible(errno)),
    }
}

/// What an event is about, in a few words.
fn about(event: &Event) -> String {
    if let (EventType::ProcessExec | EventType::CommandStarted, Some(arguments)) = (event.kind, &event.argv) {
        return argv(arguments);
    }
    let path = |path: &Option<agentsh_protocol::Bytes>| path.as_ref().map(|path| visible(&path.lossy()));
    let target = [&event.domain, &event.remote]
        .into_iter()
        .flatten()
        .map(|text| visible(text));
    let parts = path(&event.path)
        .into_iter()
        .chain(path(&event.path2))
        .chain(target)
        .collect::<Vec<_>>();
    match (parts.is_empty(), event.signal, event.kind) {
        (false, ..) => parts.join(" → "),
        (true, Some(signal), EventType::SignalSend) => format!("signal {signal}"),
        _ => fields(event),
    }
}

/// The fields that a type has of its own, save the recorder's book-keeping.
fn fields(event: &Event) -> String {
    let own = event
        .fields
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "boottime_ns" | "last_ts"));
    own.map(|(name, value)| format!("{name}={}", visible(&plain(value))))
        .collect::<Vec<_>>()
        .join(" ")
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Everything that is known of an event, one name a line.
pub fn details(event: &Event, style: Style) -> String {
    let bytes = |bytes: &Option<agentsh_protocol::Bytes>| {
        bytes.as_ref().map(|bytes| visible(&bytes.lossy())).unwrap_or_default()
    };
    let text = |text: &Option<String>| text.as_deref().map(visible).unwrap_or_default();
    let policy = event.policy.as_ref();
    let decision = policy.map(|policy| match policy.decision == policy.effective {
        true => style.decision(policy.effective.word()),
        false => format!(
            "{} ({} by its rule)",
            style.decision(policy.effective.word()),
            policy.decision.word()
        ),
    });
    pairs(&[
        ("event", event.id.clone()),
        ("time", time(&event.ts)),
        ("type", event.kind.to_string()),
        ("decision", decision.unwrap_or_default()),
        ("rule", policy.map(|policy| text(&policy.rule)).unwrap_or_default()),
        ("reason", policy.map(|policy| text(&policy.message)).unwrap_or_default()),
        (
            if event.kind == EventType::CommandStarted {
                "cwd"
            } else {
                "path"
            },
            bytes(&event.path),
        ),
        ("to", bytes(&event.path2)),
        ("host", text(&event.domain)),
        ("address", text(&event.remote)),
        (
            "signal",
            event.signal.map(|signal| signal.to_string()).unwrap_or_default(),
        ),
        ("argv", event.argv.as_deref().map(argv).unwrap_or_default()),
        ("call", text(&event.operation)),
        ("result", text(&event.result)),
        (
            "layer",
            event.layer.map(|layer| layer.as_str().to_owned()).unwrap_or_default(),
        ),
        ("program", bytes(&event.exe)),
        ("process", event.pid.map(|pid| pid.to_string()).unwrap_or_default()),
        ("command", text(&event.command_id)),
        (
            "times",
            if event.count > 1 {
                event.count.to_string()
            } else {
                String::new()
            },
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(json: &str) -> Result<Event, serde_json::Error> {
        let common = r#"{"schema_version": 1, "seq": 1, "prev": "", "id": "0199", "ts": "2026-11-24T16:26:03.123456789Z",
            "session_id": "0198", "hash": "", "count": 2, "fields": {"boottime_ns": 5, "reason": "x\u001b[2J"}, "#;
        serde_json::from_str(&(common.to_owned() + json))
    }

    #[test]
    fn one_line_says_what_was_denied_and_why() -> Result<(), serde_json::Error> {
        let event = event(
            r#""type": "process_exec", "argv": ["curl", "a b"], "result": "EACCES",
            "policy": {"decision": "deny", "effective": "deny", "rule": "downloads", "message": "ask"}}"#,
        )?;
        insta::assert_snapshot!(line(&event, Style::new(false)),
            @"16:26:03.123  deny         process_exec      curl 'a b'  ×2  [downloads]  EACCES");
        insta::assert_snapshot!(details(&event, Style::new(false)), @r"
        event     0199
        time      2026-11-24 16:26:03Z
        type      process_exec
        decision  deny
        rule      downloads
        reason    ask
        argv      curl 'a b'
        result    EACCES
        times     2
        ");
        Ok(())
    }

    #[test]
    fn an_event_without_an_object_shows_its_fields_and_drives_no_terminal() -> Result<(), serde_json::Error> {
        let event = event(r#""type": "session_destroyed"}"#)?;
        insta::assert_snapshot!(line(&event, Style::new(false)),
            @r"16:26:03.123               session_destroyed  reason=x\x1b[2J  ×2");
        Ok(())
    }
}
