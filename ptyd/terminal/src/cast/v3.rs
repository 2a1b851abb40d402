//! Version 3: intervals since the previous event in seconds with three decimals; exit events; `#` comments.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Event, Header, Theme};

#[derive(Serialize, Deserialize)]
struct Term {
    cols: u16,
    rows: u16,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    theme: Option<Theme>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    version: u8,
    term: Term,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idle_time_limit: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

impl From<&Header> for Head {
    fn from(header: &Header) -> Self {
        Head {
            version: 3,
            term: Term {
                cols: header.cols,
                rows: header.rows,
                kind: header.term_type.clone(),
                version: header.term_version.clone(),
                theme: header.theme.clone(),
            },
            timestamp: header.timestamp,
            idle_time_limit: header.idle_time_limit,
            command: header.command.clone(),
            title: header.title.clone(),
            env: header.env.clone(),
            tags: header.tags.clone(),
        }
    }
}

impl From<Head> for Header {
    fn from(head: Head) -> Self {
        Header {
            cols: head.term.cols,
            rows: head.term.rows,
            term_type: head.term.kind,
            term_version: head.term.version,
            theme: head.term.theme,
            timestamp: head.timestamp,
            idle_time_limit: head.idle_time_limit,
            command: head.command,
            title: head.title,
            env: head.env,
            tags: head.tags,
        }
    }
}

/// Writes intervals such that their sum never strays from the true time: each one is the difference
/// of two rounded absolute times, so a rounding error is made up for by the next event.
#[derive(Default)]
pub(super) struct Clock {
    written_ms: u64,
}

impl Clock {
    pub(super) fn event(&mut self, out: &mut impl Write, event: &Event) -> io::Result<()> {
        let now_ms = u64::try_from((event.time.as_micros() + 500) / 1000).unwrap_or(u64::MAX);
        let interval = now_ms.saturating_sub(self.written_ms);
        self.written_ms += interval;
        let (code, text) = event.data.encode();
        write!(out, "[{}.{:03}, \"{code}\", ", interval / 1000, interval % 1000)?;
        serde_json::to_writer(&mut *out, &*text)?;
        out.write_all(b"]\n")
    }
}

/// The absolute time of an event line that comes `seconds` after `previous`.
pub(super) fn time(previous: Duration, seconds: f64) -> Option<Duration> {
    previous.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}
