//! Cells as runs of text with one style, and colours as numbers.

use avt::{Color, Line, Pen};

use crate::cast::Theme;
use crate::screen::{joins, spell};

/// Cells side by side that look the same.
pub(super) struct Run {
    pub(super) text: String,
    /// Each takes one column.
    narrow: bool,
    /// The first column, and how many there are.
    pub(super) column: usize,
    pub(super) width: usize,
    pub(super) pen: Pen,
}

/// The runs of a row; blanks at its end that show nothing are left out.
pub(super) fn runs(line: &Line) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut column = 0;
    for cell in line.cells() {
        let width = usize::from(cell.width());
        if width == 0 {
            continue;
        }
        let text = spell(cell.char().encode_utf8(&mut [0; 4])).into_owned();
        // Wide characters stand alone: fonts disagree on their width.
        match runs
            .last_mut()
            .filter(|run| run.pen == *cell.pen() && width == 1 && run.narrow)
        {
            Some(run) => {
                run.text.push_str(&text);
                run.width += width;
            }
            None => runs.push(Run {
                text,
                narrow: width == 1,
                column,
                width,
                pen: *cell.pen(),
            }),
        }
        column += width;
    }
    while runs
        .last()
        .is_some_and(|run| run.pen.is_default() && run.text.trim().is_empty())
    {
        runs.pop();
    }
    runs
}

/// Text inside of XML and HTML elements and attributes; control and format characters become blanks.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            _ if unicode_width::UnicodeWidthChar::width(char).unwrap_or(0) == 0 && !joins(char) => out.push(' '),
            _ => out.push(char),
        }
    }
    out
}

/// The colours of a picture.
pub(super) struct Palette {
    pub(super) foreground: String,
    pub(super) background: String,
    named: Vec<String>,
}

/// What terminals show when nobody chose (close to xterm's).
const NAMED: [&str; 16] = [
    "#1c1c1c", "#cd3131", "#0dbc79", "#d7ba2e", "#3b7fe0", "#bc3fbc", "#11a8cd", "#d4d4d4", "#6a6a6a", "#f14c4c",
    "#23d18b", "#f5f543", "#6ba6ff", "#d670d6", "#29d8f0", "#ffffff",
];

impl Palette {
    /// The recording's theme if it has a sound one, else a dark one.
    pub(super) fn new(theme: Option<&Theme>) -> Palette {
        let sound = |color: &str| {
            color.len() == 7 && color.starts_with('#') && color[1..].bytes().all(|b| b.is_ascii_hexdigit())
        };
        let theme = theme.filter(|theme| sound(&theme.fg) && sound(&theme.bg) && theme.palette.split(':').all(sound));
        let mut named: Vec<String> = NAMED.iter().map(|color| (*color).to_owned()).collect();
        if let Some(theme) = theme {
            let own = theme.palette.split(':').map(str::to_owned).collect::<Vec<_>>();
            for index in 0..named.len().min(if own.len() >= 16 { 16 } else { own.len() * 2 }) {
                named[index] = own[index % own.len()].clone();
            }
        }
        let choose =
            |pick: fn(&Theme) -> &String, default: &str| theme.map_or(default.to_owned(), |theme| pick(theme).clone());
        Palette {
            foreground: choose(|t| &t.fg, "#d4d4d4"),
            background: choose(|t| &t.bg, "#121212"),
            named,
        }
    }

    fn color(&self, color: Color) -> String {
        let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
        match color {
            Color::Indexed(index @ 0..=15) => self.named[usize::from(index)].clone(),
            Color::Indexed(index @ 16..=231) => {
                let cube = index - 16;
                format!(
                    "#{:02x}{:02x}{:02x}",
                    level(cube / 36),
                    level(cube / 6 % 6),
                    level(cube % 6)
                )
            }
            Color::Indexed(index) => format!("#{0:02x}{0:02x}{0:02x}", 8 + 10 * (index - 232)),
            Color::RGB(rgb) => format!("#{:02x}{:02x}{:02x}", rgb.r, rgb.g, rgb.b),
        }
    }

    /// Foreground, and background if it is another than the picture's.
    pub(super) fn of(&self, pen: &Pen) -> (String, Option<String>) {
        // Bold brightens the eight dark colours, as terminals do.
        let foreground = pen.foreground().map(|color| match color {
            Color::Indexed(index @ 0..=7) if pen.is_bold() => Color::Indexed(index + 8),
            other => other,
        });
        let foreground = foreground.map_or(self.foreground.clone(), |color| self.color(color));
        let background = pen.background().map(|color| self.color(color));
        match pen.is_inverse() {
            true => (background.unwrap_or(self.background.clone()), Some(foreground)),
            false => (foreground, background),
        }
    }
}

/// The style of a run as CSS properties.
pub(super) fn css(pen: &Pen, foreground: &str, property: &str) -> String {
    let mut css = format!("{property}:{foreground}");
    let lines = match (pen.is_underline(), pen.is_strikethrough()) {
        (true, true) => "underline line-through",
        (true, false) => "underline",
        (false, true) => "line-through",
        (false, false) => "",
    };
    for (on, text) in [
        (pen.is_bold(), "font-weight:bold"),
        (pen.is_italic(), "font-style:italic"),
        (pen.is_faint(), "opacity:.6"),
    ] {
        if on {
            css.push(';');
            css.push_str(text);
        }
    }
    if !lines.is_empty() {
        css.push_str(";text-decoration:");
        css.push_str(lines);
    }
    css
}
