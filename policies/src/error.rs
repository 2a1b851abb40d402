//! What is wrong with a file, said so that a person can mend it.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The text that is being read and where it came from.
#[derive(Debug, Clone)]
pub struct Source {
    pub origin: Arc<Path>,
    pub text: Arc<str>,
}

impl Source {
    /// A text with the file it came from (any label does for texts without a file).
    pub fn new(origin: &Path, text: &str) -> Source {
        Source {
            origin: origin.into(),
            text: text.into(),
        }
    }

    /// An error at a byte range of this text; a range outside of it is cut to it.
    pub fn error(&self, span: Range<usize>, message: impl Into<String>) -> LoadError {
        let start = floor_boundary(&self.text, span.start);
        let end = floor_boundary(&self.text, span.end).max(start);
        let before = &self.text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        LoadError {
            file: self.origin.clone(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            span: start..end,
            source_text: self.text.clone(),
            message: message.into().into(),
            expected: None,
            suggestion: None,
        }
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Why a policy or a configuration was not loaded. `Display` prints `file:line:column: message`, the
/// line and a caret; a command line may render the fields in its own way.
#[derive(Clone, thiserror::Error)]
#[error("{}", Rendered(self))]
pub struct LoadError {
    pub file: Arc<Path>,
    /// From 1; 0 where the file could not be read at all.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// Bytes of `source_text` that the error is about.
    pub span: Range<usize>,
    pub source_text: Arc<str>,
    pub message: Box<str>,
    /// What would have been right here.
    pub expected: Option<Box<str>>,
    /// The nearest thing that would have been right, or what to do.
    pub suggestion: Option<Box<str>>,
}

impl LoadError {
    /// A file that could not be read or is no text.
    pub fn unreadable(file: &Path, message: impl Into<String>) -> LoadError {
        LoadError {
            file: file.into(),
            line: 0,
            column: 0,
            span: 0..0,
            source_text: "".into(),
            message: message.into().into(),
            expected: None,
            suggestion: None,
        }
    }

    /// Adds what was expected.
    #[must_use]
    pub fn expecting(mut self, expected: impl Into<String>) -> LoadError {
        self.expected = Some(expected.into().into());
        self
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn suggesting(mut self, suggestion: impl Into<String>) -> LoadError {
        self.suggestion = Some(suggestion.into().into());
        self
    }

    /// Adds the nearest of the words that would have been right, if one is near.
    #[must_use]
    pub fn suggesting_nearest<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> LoadError {
        match nearest(word, known) {
            Some(near) => {
                let near = format!("did you mean `{near}`?");
                self.suggesting(near)
            }
            None => self,
        }
    }

    /// The line that the error is in, without its end.
    pub fn line_text(&self) -> &str {
        let start = self.source_text[..self.span.start].rfind('\n').map_or(0, |at| at + 1);
        let rest = &self.source_text[start..];
        rest.split('\n').next().unwrap_or("").trim_end_matches('\r')
    }
}

/// The most characters of a line that are shown.
const WIDTH: usize = 160;

impl LoadError {
    /// The part of the line around the error, and how many characters of it stand before the error.
    fn shown(&self) -> (String, usize) {
        let before = usize::try_from(self.column.saturating_sub(1)).unwrap_or(0);
        let skipped = before.saturating_sub(WIDTH / 2);
        let visible = |letter: char| if letter.is_control() { ' ' } else { letter };
        let text = self
            .line_text()
            .chars()
            .skip(skipped)
            .take(WIDTH)
            .map(visible)
            .collect();
        (text, before - skipped)
    }
}

/// As `Display`: the whole text of a file has no place in a log.
impl fmt::Debug for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

struct Rendered<'a>(&'a LoadError);

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.0;
        if error.line == 0 {
            write!(out, "{}: {}", error.file.display(), error.message)?;
        } else {
            let (file, line, column) = (error.file.display(), error.line, error.column);
            write!(out, "{file}:{line}:{column}: {}", error.message)?;
            let (text, before) = error.shown();
            let marked = error.source_text[error.span.clone()].split('\n').next().unwrap_or("");
            let carets = "^".repeat(marked.chars().take(WIDTH).count().clamp(1, 80));
            let gutter = line.to_string().len();
            write!(out, "\n{:gutter$} |\n{line} | {text}", "")?;
            write!(out, "\n{:gutter$} | {:before$}{carets}", "", "")?;
        }
        if let Some(expected) = &error.expected {
            write!(out, "\n  expected: {expected}")?;
        }
        if let Some(suggestion) = &error.suggestion {
            write!(out, "\n  help: {suggestion}")?;
        }
        Ok(())
    }
}

/// The word of `known` that is nearest to `word` by edit distance, if it is near enough to be meant: the same in another
/// case always is.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 4);
    let far = |candidate: &str| match candidate.eq_ignore_ascii_case(word) {
        true => usize::from(candidate != word),
        false => distance(word, candidate),
    };
    known
        .into_iter()
        .map(|candidate| (far(candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance with neighbours swapped counted as one (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let width = b.len() + 1;
    let mut table = vec![0usize; (a.len() + 1) * width];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i * width + j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = usize::from(a[i - 1] != b[j - 1]);
                let mut best = (table[(i - 1) * width + j] + 1)
                    .min(table[i * width + j - 1] + 1)
                    .min(table[(i - 1) * width + j - 1] + change);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(table[(i - 2) * width + j - 2] + 1);
                }
                best
            };
        }
    }
    table[a.len() * width + b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_word() {
        let source = Source::new(Path::new("p.yaml"), "version: 1\nnaem: tiny\n");
        let error = source
            .error(11..15, "unknown key `naem`")
            .suggesting_nearest("naem", ["name", "version"]);
        let text = error.to_string();
        assert_eq!(
            text,
            "p.yaml:2:1: unknown key `naem`\n  |\n2 | naem: tiny\n  | ^^^^\n  help: did you mean `name`?"
        );
    }

    #[test]
    fn a_span_outside_the_text_or_inside_a_character_is_cut() {
        let source = Source::new(Path::new("p"), "é");
        assert_eq!(source.error(1..900, "x").span, 0..2);
        assert_eq!(source.error(700..900, "x").span, 2..2);
    }

    #[test]
    fn of_a_line_without_end_only_the_part_around_the_error_is_shown() {
        let text = format!("{}naem{}", "x ".repeat(500), " y".repeat(500_000));
        let shown = Source::new(Path::new("p"), &text)
            .error(1000..1004, "unknown")
            .to_string();
        assert!(shown.len() < 1000 && shown.contains("naem"));
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[2].find("naem"), lines[3].find("^^^^"));
    }

    #[test]
    fn far_words_are_not_suggested() {
        assert_eq!(nearest("alow", ["allow", "deny"]), Some("allow"));
        assert_eq!(nearest("zzz", ["allow", "deny"]), None);
        assert_eq!(nearest("enoent", ["EACCES", "ENOENT"]), Some("ENOENT"));
        assert_eq!(nearest("TCP", ["tcp", "udp"]), Some("tcp"));
    }
}
