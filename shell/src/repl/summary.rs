//! How a line ended and what it did, in a line each.

use std::collections::BTreeSet;
use std::time::Duration;

use agentsh_audit::{Event, EventType};

use crate::exec::guidance::is_blocked;
use crate::render::{self, Style};

/// From this time on it is told how long a line took.
const LONG: Duration = Duration::from_secs(1);

/// `exit 2 · 3.4 s`; `None` where there is nothing to say.
pub fn end(status: i32, took: Duration, style: Style) -> Option<String> {
    let mut parts = Vec::new();
    if status != 0 {
        parts.push(style.red(&format!("exit {status}")));
    }
    if took >= LONG {
        parts.push(format!("{:.1} s", took.as_secs_f64()));
    }
    line(&parts, style)
}

/// `2 files changed · 1 address reached · denied: …`; `None` where there is nothing to say.
pub fn deeds(events: &[Event], style: Style) -> Option<String> {
    let mut parts = Vec::new();
    let done = || events.iter().filter(|event| !is_blocked(event));
    let files: BTreeSet<&[u8]> = done()
        .filter(|event| changes(event.kind))
        .filter_map(|event| event.path.as_ref().map(|path| path.0.as_slice()))
        .filter(|path| !path.starts_with(b"/dev/"))
        .collect();
    parts.extend(count(files.len(), "file changed", "files changed"));
    let hosts: BTreeSet<&str> = done()
        .filter(|event| event.kind == EventType::NetConnect)
        .filter_map(|event| event.domain.as_deref().or(event.remote.as_deref()))
        .collect();
    parts.extend(count(hosts.len(), "address reached", "addresses reached"));
    let denied: Vec<&Event> = events.iter().filter(|event| is_blocked(event)).collect();
    if let Some(first) = denied.first() {
        let what = first
            .path
            .as_ref()
            .map(|path| render::visible(&path.lossy()))
            .unwrap_or_default();
        let more = match denied.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        parts.push(style.red(&format!("denied: {} {what}{more} (:why)", first.kind.as_str())));
    }
    line(&parts, style)
}

fn line(parts: &[String], style: Style) -> Option<String> {
    (!parts.is_empty()).then(|| style.dim("  ") + &parts.join(&style.dim(" · ")))
}

fn count(number: usize, one: &str, many: &str) -> Option<String> {
    match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{number} {many}")),
    }
}

fn changes(kind: EventType) -> bool {
    matches!(
        kind.as_str(),
        "file_write"
            | "file_create"
            | "file_delete"
            | "file_rename"
            | "file_mkdir"
            | "file_rmdir"
            | "file_truncate"
            | "file_symlink"
            | "file_link"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, path: &str, decision: &str) -> Result<Event, serde_json::Error> {
        serde_json::from_str(&format!(
            r#"{{"schema_version": 1, "seq": 1, "prev": "", "id": "e", "ts": "t", "type": "{kind}", "session_id": "s",
                "count": 1, "path": "{path}", "policy": {{"decision": "{decision}", "effective": "{decision}"}}, "hash": ""}}"#
        ))
    }

    #[test]
    fn a_quiet_line_is_not_summed_up_and_a_busy_one_is() -> Result<(), serde_json::Error> {
        let quiet = [event("file_read", "/a", "allow")?];
        let style = Style::new(false);
        assert_eq!((deeds(&quiet, style), end(0, Duration::ZERO, style)), (None, None));
        let busy = [
            event("file_write", "/a", "allow")?,
            event("file_write", "/a", "allow")?,
            event("file_create", "/b", "allow")?,
            event("file_delete", "/etc/x", "deny")?,
        ];
        assert_eq!(
            deeds(&busy, style).as_deref(),
            Some("  2 files changed · denied: file_delete /etc/x (:why)")
        );
        assert_eq!(
            end(1, Duration::from_millis(2_500), style).as_deref(),
            Some("  exit 1 · 2.5 s")
        );
        Ok(())
    }
}
