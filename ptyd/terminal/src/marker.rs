//! The labels of markers in a recording: written by the recorder, read by replay and search.

use unicode_width::UnicodeWidthChar;

/// Columns to which a label is cut.
pub const MAX_COLUMNS: usize = 80;

const COMMAND: &str = "$ ";
const DENIED: &str = "denied: ";
const TYPED: &str = "[typed by a person]";
const STOPPED: &str = "[recording stopped: ";

/// What a marker stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// A command line begins to run.
    Command(String),
    /// Something was denied.
    Denied(String),
    /// A person typed what is not recorded: a password, or with the terminal taken.
    Typed,
    /// The recording ends before the command, for this reason.
    Stopped(String),
    /// A label that somebody else chose.
    Other(String),
}

impl Marker {
    /// The label as it is written: one line without control characters, at most [`MAX_COLUMNS`] wide.
    pub fn label(&self) -> String {
        match self {
            Marker::Command(line) => cut(&format!("{COMMAND}{line}")),
            Marker::Denied(what) => cut(&format!("{DENIED}{what}")),
            Marker::Typed => TYPED.to_owned(),
            Marker::Stopped(reason) => cut(&format!("{STOPPED}{reason}]")),
            Marker::Other(text) => cut(text),
        }
    }

    /// The reverse of [`Marker::label`].
    pub fn parse(label: &str) -> Marker {
        if label == TYPED {
            Marker::Typed
        } else if let Some(line) = label.strip_prefix(COMMAND) {
            Marker::Command(line.to_owned())
        } else if let Some(what) = label.strip_prefix(DENIED) {
            Marker::Denied(what.to_owned())
        } else if let Some(reason) = label.strip_prefix(STOPPED) {
            Marker::Stopped(reason.trim_end_matches(']').to_owned())
        } else {
            Marker::Other(label.to_owned())
        }
    }
}

/// The text on one line, without controls, cut to [`MAX_COLUMNS`].
fn cut(text: &str) -> String {
    let mut columns = 0;
    let mut line = String::new();
    for char in text
        .trim_end()
        .chars()
        .map(|char| if char.is_control() { ' ' } else { char })
    {
        columns += char.width().unwrap_or(0);
        if columns > MAX_COLUMNS - 1 {
            line.push('…');
            break;
        }
        line.push(char);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_back_as_what_it_was() {
        for marker in [
            Marker::Command("cargo test".into()),
            Marker::Denied("file_write /etc/passwd".into()),
            Marker::Typed,
            Marker::Stopped("size limit".into()),
            Marker::Other("chapter 2".into()),
        ] {
            assert_eq!(Marker::parse(&marker.label()), marker);
        }
    }

    #[test]
    fn a_label_is_one_line_of_bounded_width_without_controls() {
        let label = Marker::Command(format!("a\u{1b}]0;x\u{7}\nb{}", "界".repeat(80))).label();
        assert!(!label.chars().any(char::is_control));
        assert!(
            label.ends_with('…') && label.chars().filter_map(UnicodeWidthChar::width).sum::<usize>() <= MAX_COLUMNS
        );
    }
}
