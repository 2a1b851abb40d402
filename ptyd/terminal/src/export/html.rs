use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::cells::{Palette, css, escape, runs};
use crate::recording::Recording;
use crate::replay::{Clock, Film, marks};

/// Between two frames, at least.
const STEP: Duration = Duration::from_millis(40);

/// A moment: when, and the rows that differ from the moment before.
#[derive(Serialize)]
struct Frame(u64, BTreeMap<usize, String>);

#[derive(Serialize)]
struct Page<'a> {
    rows: u16,
    frames: Vec<Frame>,
    marks: Vec<(u64, &'a str)>,
}

/// Writes a page that plays the recording by itself, with pauses cut to [`Recording::pause_limit`]: no outside file, no request, no sequence of the
/// recording. Its content security policy allows its own script and style only.
pub fn html(recording: &Recording, out: &mut impl Write) -> io::Result<()> {
    let palette = Palette::new(recording.header.theme.as_ref());
    let clock = Clock::new(&recording.events, Some(recording.pause_limit()));
    let mut film = Film::new(recording.clone()).map_err(io::Error::other)?;
    let mut frames = Vec::new();
    let mut shown: Vec<String> = Vec::new();
    let mut rows = 0;
    let mut next = 0;
    while next < film.len() {
        let time = clock.time(next).unwrap_or_default();
        next = clock.played(time + STEP).max(next + 1);
        film.seek(next);
        rows = rows.max(film.screen().size().rows);
        let picture: Vec<String> = film.screen().rows().map(|line| row(line, &palette)).collect();
        let count = picture.len().max(shown.len());
        let row_of = |rows: &[String], index: usize| rows.get(index).cloned().unwrap_or_default();
        let changed: BTreeMap<usize, String> = (0..count)
            .filter(|index| row_of(&picture, *index) != row_of(&shown, *index))
            .map(|index| (index, row_of(&picture, index)))
            .collect();
        if !changed.is_empty() {
            frames.push(Frame(milliseconds(time), changed));
        }
        shown = picture;
    }
    let marks = marks(&recording.events);
    let labels: Vec<(u64, String)> = marks
        .iter()
        .map(|mark| {
            (
                milliseconds(clock.time(mark.event).unwrap_or_default()),
                mark.marker.label(),
            )
        })
        .collect();
    let film = Page {
        rows,
        frames,
        marks: labels.iter().map(|(time, label)| (*time, label.as_str())).collect(),
    };
    // No `<` inside of a script element, so that nothing in it can end it.
    let data = serde_json::to_string(&film)?.replace('<', "\\u003c");
    let title = recording
        .header
        .title
        .as_deref()
        .or(recording.header.command.as_deref())
        .unwrap_or("recording");
    let page = include_str!("page.html")
        .replace("{{title}}", &escape(title))
        .replace("{{foreground}}", &palette.foreground)
        .replace("{{background}}", &palette.background);
    let (before, after) = page.split_once("{{film}}").unwrap_or((&page, ""));
    out.write_all(before.as_bytes())?;
    out.write_all(data.as_bytes())?;
    out.write_all(after.as_bytes())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A row as HTML.
fn row(line: &avt::Line, palette: &Palette) -> String {
    let mut out = String::new();
    for run in runs(line) {
        let text = escape(&run.text);
        if run.pen.is_default() && run.width == run.text.chars().count() {
            out.push_str(&text);
            continue;
        }
        let (foreground, background) = palette.of(&run.pen);
        let mut style = css(&run.pen, &foreground, "color");
        if let Some(background) = background {
            style.push_str(";background:");
            style.push_str(&background);
        }
        if run.width != run.text.chars().count() {
            style.push_str(&format!(";display:inline-block;width:{}ch", run.width));
        }
        out.push_str(&format!("<span style=\"{style}\">{text}</span>"));
    }
    out
}
