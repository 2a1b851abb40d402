use std::io::{self, Write};

use avt::observer::{Observation, Observer};

use crate::cast::Data;
use crate::recording::Recording;
use crate::screen::Size;

/// Lines that stay in the emulator, so that a resize can wrap them anew. What scrolls further is written at once: a long
/// recording must not be held as cells.
const KEPT: usize = 1000;

/// Writes everything that scrolled by, as plain lines: what a terminal with endless scrollback holds at
/// the end. What full-screen programs drew and took away is not in it.
pub fn text(recording: &Recording, out: &mut impl Write) -> io::Result<()> {
    let size = Size::claimed(recording.header.cols, recording.header.rows);
    let mut terminal =
        avt::Terminal::with_scrollback(size.cols.into(), size.rows.into(), Some(KEPT)).map_err(io::Error::other)?;
    let mut lines = Lines {
        out,
        line: String::new(),
        blank: 0,
        failed: None,
    };
    for event in &recording.events {
        match &event.data {
            Data::Output(text) => terminal.feed_with(text.as_str(), &mut lines),
            Data::Resize { cols, rows } => {
                let size = Size::claimed(*cols, *rows);
                terminal.resize_with(size.cols.into(), size.rows.into(), &mut lines);
            }
            _ => {}
        }
        if let Some(error) = lines.failed.take() {
            return Err(error);
        }
    }
    terminal.primary_screen().all_lines().for_each(|line| lines.take(line));
    lines.failed.map_or(Ok(()), Err)
}

/// Rows on their way out, as whole lines; blank ones at the end are left out.
struct Lines<W> {
    out: W,
    /// The rows so far of a line that was wrapped.
    line: String,
    blank: usize,
    failed: Option<io::Error>,
}

impl<W: Write> Lines<W> {
    fn take(&mut self, row: &avt::Line) {
        self.line.extend(row.chars());
        if row.is_wrapped() || self.failed.is_some() {
            return;
        }
        let line = std::mem::take(&mut self.line);
        let line = line.trim_end();
        if line.is_empty() {
            self.blank += 1;
            return;
        }
        let blank = std::mem::take(&mut self.blank);
        let written = (0..blank).try_for_each(|_| writeln!(self.out));
        self.failed = written.and_then(|()| writeln!(self.out, "{line}")).err();
    }
}

impl<W: Write> Observer for Lines<W> {
    type Output = ();

    fn evicted(&mut self, _context: &mut Observation<'_>, line: &avt::Line) {
        self.take(line);
    }

    fn end(&mut self, _context: &mut Observation<'_>) {}
}
