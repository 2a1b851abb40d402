use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::{Block, Clear, Widget};
use unicode_width::UnicodeWidthChar;

use super::Viewer;
use super::keys::HELP;
use crate::marker::Marker;
use crate::replay::Needle;
use crate::screen::spell;

/// Draws everything into `area`, and says where the cursor belongs.
pub fn draw(viewer: &mut Viewer, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    Clear.render(area, buffer);
    let height = area.height.saturating_sub(2);
    let screen = Rect { height, ..area };
    let cursor = draw_screen(viewer, screen, buffer);
    let line = |row: u16| Rect {
        y: area.y + row,
        height: 1,
        ..area
    };
    if area.height >= 2 {
        draw_timeline(viewer, line(height), buffer);
    }
    if area.height >= 1 {
        draw_status(viewer, line(area.height - 1), buffer);
    }
    if viewer.help() {
        draw_help(area, buffer);
        return None;
    }
    cursor
}

/// The recorded screen; of one that is larger than the area, the part with the cursor.
fn draw_screen(viewer: &mut Viewer, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let needle = viewer.playback.found().map(|(needle, _)| needle.clone());
    let screen = viewer.playback.screen();
    if area.is_empty() {
        return None;
    }
    let (col, row) = screen.cursor();
    let shown = screen.cursor_shown();
    let left = (col + 1).saturating_sub(area.width.into());
    let top = (row + 1).saturating_sub(area.height.into());
    for (y, line) in screen.rows().skip(top).take(area.height.into()).enumerate() {
        let hits = needle.as_ref().map(|needle| columns(line, needle)).unwrap_or_default();
        let mut column = 0;
        for cell in line.cells() {
            let width = usize::from(cell.width());
            let at = column;
            column += width;
            let (Some(x), true) = (at.checked_sub(left), width > 0) else {
                continue;
            };
            if x + width > area.width.into() {
                break;
            }
            let Some(target) = buffer.cell_mut((area.x + x as u16, area.y + y as u16)) else {
                continue;
            };
            let mut text = [0; 4];
            target
                .set_symbol(&spell(visible(cell.char()).encode_utf8(&mut text)))
                .set_style(style(cell.pen()));
            if hits.iter().any(|hit| hit.contains(&at)) {
                target.set_style(Style::new().fg(Color::Black).bg(Color::Yellow));
            }
        }
    }
    let at = Position {
        x: area.x + (col - left) as u16,
        y: area.y + (row - top) as u16,
    };
    (shown && area.contains(at)).then_some(at)
}

/// The columns of a row on which the text stands.
fn columns(line: &avt::Line, needle: &Needle) -> Vec<std::ops::Range<usize>> {
    let text = line.text();
    let text = spell(&text);
    let column = |byte: usize| text[..byte].chars().filter_map(UnicodeWidthChar::width).sum::<usize>();
    needle
        .places(&text)
        .map(|range| column(range.start)..column(range.end))
        .collect()
}

/// A character that takes its place on the screen and does nothing else; others become blanks.
fn visible(char: char) -> char {
    match char.width() {
        Some(1 | 2) => char,
        _ => ' ',
    }
}

fn style(pen: &avt::Pen) -> Style {
    let color = |color: Option<avt::Color>| match color {
        None => Color::Reset,
        Some(avt::Color::Indexed(index)) => Color::Indexed(index),
        Some(avt::Color::RGB(rgb)) => Color::Rgb(rgb.r, rgb.g, rgb.b),
    };
    let mut modifier = Modifier::empty();
    modifier.set(Modifier::BOLD, pen.is_bold());
    modifier.set(Modifier::DIM, pen.is_faint());
    modifier.set(Modifier::ITALIC, pen.is_italic());
    modifier.set(Modifier::UNDERLINED, pen.is_underline());
    modifier.set(Modifier::CROSSED_OUT, pen.is_strikethrough());
    modifier.set(Modifier::REVERSED, pen.is_inverse());
    Style::new()
        .fg(color(pen.foreground()))
        .bg(color(pen.background()))
        .add_modifier(modifier)
}

/// A bar from the start to the end, with the markers on it: denials over commands over others.
fn draw_timeline(viewer: &Viewer, area: Rect, buffer: &mut Buffer) {
    let playback = &viewer.playback;
    let length = playback.length().as_secs_f64();
    let place = |time: Duration| match length > 0.0 {
        true => ((time.as_secs_f64() / length) * f64::from(area.width.saturating_sub(1))) as u16,
        false => 0,
    };
    let now = place(playback.time());
    for x in 0..area.width {
        let (symbol, color) = if x <= now {
            ("━", Color::Cyan)
        } else {
            ("─", Color::DarkGray)
        };
        buffer.set_string(area.x + x, area.y, symbol, Style::new().fg(color));
    }
    let rank = |marker: &Marker| match marker {
        Marker::Denied(_) => 2,
        Marker::Command(_) => 1,
        _ => 0,
    };
    let mut marks: Vec<_> = playback.timeline().collect();
    marks.sort_by_key(|(_, marker)| rank(marker));
    for (time, marker) in marks {
        let (symbol, color) = match marker {
            Marker::Denied(_) => ("✗", Color::Red),
            Marker::Command(_) => ("┿", Color::Green),
            _ => ("┼", Color::Yellow),
        };
        buffer.set_string(area.x + place(time), area.y, symbol, Style::new().fg(color));
    }
}

fn draw_status(viewer: &Viewer, area: Rect, buffer: &mut Buffer) {
    let playback = &viewer.playback;
    let bar = Style::new().add_modifier(Modifier::REVERSED);
    buffer.set_style(area, bar);
    let text = match viewer.prompt() {
        Some(prompt) => format!("/{prompt}▏"),
        None => {
            let state = if playback.playing() { "▶" } else { "‖" };
            let idle = if playback.cuts_pauses() { " · pauses cut" } else { "" };
            let found = playback
                .found()
                .map(|(needle, count)| format!(" · {count} × “{}”", needle.text()));
            let chapter = playback.chapter().map(|marker| format!(" · {}", marker.label()));
            format!(
                " {state} {} / {} · {}×{idle}{}{}",
                clock(playback.time()),
                clock(playback.length()),
                playback.speed(),
                found.unwrap_or_default(),
                chapter.unwrap_or_default(),
            )
        }
    };
    let text: String = text.chars().map(visible).collect();
    let hint = " ? keys ";
    let room = usize::from(area.width).saturating_sub(hint.len());
    buffer.set_stringn(area.x, area.y, text, room, bar);
    if room > 0 {
        buffer.set_string(area.x + room as u16, area.y, hint, bar);
    }
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{rest:02}.{}", time.subsec_millis() / 100),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

fn draw_help(area: Rect, buffer: &mut Buffer) {
    let width = 48.min(area.width);
    let height = (HELP.len() as u16 + 2).min(area.height);
    let frame = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    Clear.render(frame, buffer);
    let block = Block::bordered().title(" keys ");
    let inner = block.inner(frame);
    block.render(frame, buffer);
    for (row, (keys, meaning)) in HELP.iter().take(inner.height.into()).enumerate() {
        let text = format!(" {keys:<14}{meaning}");
        buffer.set_stringn(inner.x, inner.y + row as u16, text, inner.width.into(), Style::new());
    }
}
