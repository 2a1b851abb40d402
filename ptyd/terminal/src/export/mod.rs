//! Exports of a recording: text, a page that plays by itself, a picture, another version of the format.
//!
//! All but the cast are made of emulated cells; none carries the recording's escape sequences.

mod cells;
mod html;
mod svg;

use std::io::{self, Write};

use crate::cast::{Format, Writer};
use crate::recording::Recording;

pub use html::html;
pub use svg::{Look, screen_svg, svg};

/// Writes everything that scrolled by, as plain lines: what a terminal with endless scrollback holds at
/// the end. What full-screen programs drew and took away is not in it.
pub fn text(recording: &Recording, out: &mut impl Write) -> io::Result<()> {
    let size = crate::screen::Size::claimed(recording.header.cols, recording.header.rows);
    let mut terminal =
        avt::Terminal::with_scrollback(size.cols.into(), size.rows.into(), None).map_err(io::Error::other)?;
    for event in &recording.events {
        match &event.data {
            crate::cast::Data::Output(text) => terminal.feed(text.as_str()),
            crate::cast::Data::Resize { cols, rows } => {
                let size = crate::screen::Size::claimed(*cols, *rows);
                terminal.resize(size.cols.into(), size.rows.into());
            }
            _ => {}
        }
    }
    let mut lines = terminal.primary_screen().text();
    lines.truncate(
        lines
            .iter()
            .rposition(|line| !line.is_empty())
            .map_or(0, |last| last + 1),
    );
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// Writes the recording as asciicast of this version.
pub fn cast(recording: &Recording, format: Format, out: &mut impl Write) -> io::Result<()> {
    let mut writer = Writer::new(out, format, &recording.header)?;
    recording.events.iter().try_for_each(|event| writer.event(event))
}

#[cfg(test)]
mod tests;
