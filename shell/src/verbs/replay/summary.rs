use std::path::PathBuf;

use agentsh_terminal::cast::Data;
use agentsh_terminal::recording::Recording;
use agentsh_terminal::replay::marks;
use serde::Serialize;

/// What a recording is.
#[derive(Debug, Serialize)]
pub struct Summary {
    schema_version: u32,
    paths: Vec<PathBuf>,
    command: Option<String>,
    title: Option<String>,
    /// Seconds since 1970.
    timestamp: Option<u64>,
    cols: u16,
    rows: u16,
    duration_ms: u64,
    events: usize,
    exit_code: Option<i32>,
    markers: Vec<Marker>,
}

#[derive(Debug, Serialize)]
struct Marker {
    time_ms: u64,
    label: String,
}

/// The summary of a recording that was read from these files.
pub fn of(recording: &Recording, paths: &[PathBuf]) -> Summary {
    let (header, events) = (&recording.header, &recording.events);
    let millis = |index: usize| {
        let time = events.get(index).map(|event| event.time).unwrap_or_default();
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    };
    Summary {
        schema_version: 1,
        paths: paths.to_vec(),
        command: header.command.clone(),
        title: header.title.clone(),
        timestamp: header.timestamp,
        cols: header.cols,
        rows: header.rows,
        duration_ms: millis(events.len().saturating_sub(1)),
        events: events.len(),
        exit_code: events.iter().rev().find_map(|event| match event.data {
            Data::Exit(status) => Some(status),
            _ => None,
        }),
        markers: marks(events)
            .into_iter()
            .map(|mark| Marker {
                time_ms: millis(mark.event),
                label: mark.marker.label(),
            })
            .collect(),
    }
}
