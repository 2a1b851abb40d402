//! Version 2: absolute times in seconds with six decimals; no exit event.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Data, Event, Header, Theme};

#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    version: u8,
    width: u16,
    height: u16,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    theme: Option<Theme>,
}

impl From<&Header> for Head {
    fn from(header: &Header) -> Self {
        let mut env = header.env.clone();
        if let Some(term) = &header.term_type {
            env.insert("TERM".into(), term.clone());
        }
        Head {
            version: 2,
            width: header.cols,
            height: header.rows,
            timestamp: header.timestamp,
            idle_time_limit: header.idle_time_limit,
            command: header.command.clone(),
            title: header.title.clone(),
            env,
            theme: header.theme.clone(),
        }
    }
}

impl From<Head> for Header {
    fn from(head: Head) -> Self {
        Header {
            cols: head.width,
            rows: head.height,
            term_type: head.env.get("TERM").cloned(),
            term_version: None,
            theme: head.theme,
            timestamp: head.timestamp,
            idle_time_limit: head.idle_time_limit,
            command: head.command,
            title: head.title,
            env: head.env,
            tags: Vec::new(),
        }
    }
}

/// Writes one event line; an exit, for which the version has no code, is left out.
pub(super) fn event(out: &mut impl Write, event: &Event) -> io::Result<()> {
    if matches!(event.data, Data::Exit(_)) {
        return Ok(());
    }
    let (code, text) = event.data.encode();
    write!(
        out,
        "[{}.{:06}, \"{code}\", ",
        event.time.as_secs(),
        event.time.subsec_micros()
    )?;
    serde_json::to_writer(&mut *out, &*text)?;
    out.write_all(b"]\n")
}

/// The absolute time of an event line's number.
pub(super) fn time(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}
