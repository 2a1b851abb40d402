use std::fmt::Write;
use std::time::Duration;

use super::cells::{Palette, css, escape, runs};
use crate::recording::Recording;
use crate::replay::{Clock, Film};
use crate::screen::Screen;

const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 17.0;
const MARGIN: f64 = 14.0;
const BASELINE: f64 = 13.0;

/// What stands around a picture.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look<'a> {
    /// A title above it.
    pub title: Option<&'a str>,
    /// Colours; a dark theme without.
    pub theme: Option<&'a crate::cast::Theme>,
}

/// The screen of a recording after `time` (recorded, not cut) as an SVG document.
///
/// # Errors
/// None in practice: sizes are never zero.
pub fn svg(recording: &Recording, time: Duration) -> Result<String, avt::InvalidSize> {
    let played = Clock::new(&recording.events, None).played(time);
    let mut film = Film::new(recording.clone())?;
    film.seek(played);
    let look = Look {
        title: recording.header.title.as_deref(),
        theme: recording.header.theme.as_ref(),
    };
    Ok(screen_svg(film.screen(), look))
}

/// A screen as an SVG document: text that can be selected, no script, no outside font.
pub fn screen_svg(screen: &mut Screen, look: Look<'_>) -> String {
    let palette = Palette::new(look.theme);
    let size = screen.size();
    let top = if look.title.is_some() { MARGIN + HEIGHT } else { MARGIN };
    let width = f64::from(size.cols) * WIDTH + 2.0 * MARGIN;
    let height = f64::from(size.rows) * HEIGHT + top + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.1} {height:.1}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" \
         font-size=\"14\"><rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n",
        palette.background
    );
    if let Some(title) = look.title {
        let middle = width / 2.0;
        let _ = writeln!(
            out,
            "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#808080\">{}</text>",
            MARGIN + 6.0,
            escape(title)
        );
    }
    let cursor = screen.cursor_shown().then(|| screen.cursor());
    for (row, line) in screen.rows().enumerate() {
        let y = top + row as f64 * HEIGHT;
        for run in runs(line) {
            let x = MARGIN + run.column as f64 * WIDTH;
            let width = run.width as f64 * WIDTH;
            let (foreground, background) = palette.of(&run.pen);
            if let Some(background) = background {
                let _ = writeln!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{HEIGHT}\" fill=\"{background}\"/>"
                );
            }
            if !run.text.trim().is_empty() {
                let _ = writeln!(
                    out,
                    "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
                     xml:space=\"preserve\" style=\"{}\">{}</text>",
                    y + BASELINE,
                    css(&run.pen, &foreground, "fill"),
                    escape(&run.text)
                );
            }
        }
    }
    if let Some((col, row)) = cursor {
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"{}\" opacity=\".5\"/>",
            MARGIN + col as f64 * WIDTH,
            top + row as f64 * HEIGHT,
            palette.foreground
        );
    }
    out.push_str("</svg>\n");
    out
}
