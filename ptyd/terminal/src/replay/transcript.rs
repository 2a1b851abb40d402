use crate::cast::{Data, Event};
use crate::escape::{Token, Tokens};

/// What a recording printed, as lines of text for searching: without escape sequences, a line ended by
/// every line feed, carriage return and movement of the cursor.
#[derive(Debug, Clone, Default)]
pub struct Transcript {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Default)]
struct Line {
    text: Vec<u8>,
    /// From which byte of the text on which event printed it.
    events: Vec<(usize, usize)>,
}

impl Transcript {
    /// Reads all output of these events.
    pub fn new(events: &[Event]) -> Transcript {
        let mut lines = Vec::new();
        let mut line = Line::default();
        let mut tokens = Tokens::default();
        for (index, event) in events.iter().enumerate() {
            let Data::Output(text) = &event.data else { continue };
            line.events.push((line.text.len(), index));
            tokens.feed(text.as_bytes(), |token| match token {
                Token::Text(text) => text.iter().for_each(|byte| match byte {
                    b'\n' | b'\r' => end(&mut lines, &mut line, index),
                    0x08 => drop(line.text.pop()),
                    b'\t' => line.text.push(b' '),
                    0..=0x1f | 0x7f => {}
                    _ => line.text.push(*byte),
                }),
                // Colours stand inside of words; everything else of this kind moves or erases.
                Token::Sequence(raw) if raw.starts_with(b"\x1b[") && !raw.ends_with(b"m") => {
                    end(&mut lines, &mut line, index);
                }
                Token::Sequence(_) | Token::Part(_) => {}
            });
        }
        end(&mut lines, &mut line, events.len());
        Transcript { lines }
    }

    /// Every place of `needle`, as the index of the event that completed it and the line's text.
    pub fn find<'a>(&'a self, needle: &'a Needle) -> impl Iterator<Item = (usize, String)> + 'a {
        self.lines.iter().flat_map(move |line| {
            let text = String::from_utf8_lossy(&line.text).into_owned();
            let found: Vec<_> = needle.places(&text).map(|range| line.event_at(range.end)).collect();
            found.into_iter().map(move |event| (event, text.clone()))
        })
    }
}

impl Line {
    fn event_at(&self, end: usize) -> usize {
        let after = self.events.partition_point(|(start, _)| *start < end);
        self.events.get(after.saturating_sub(1)).map_or(0, |(_, event)| *event)
    }
}

fn end(lines: &mut Vec<Line>, line: &mut Line, event: usize) {
    if !line.text.is_empty() {
        lines.push(std::mem::take(line));
    }
    *line = Line {
        text: Vec::new(),
        events: vec![(0, event)],
    };
}

/// What is searched for: plain text; letters match both cases unless one of them is a capital.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle {
    text: String,
    exact: bool,
}

impl Needle {
    /// `None` if there is nothing to search for.
    pub fn new(text: &str) -> Option<Needle> {
        let exact = text.chars().any(char::is_uppercase);
        (!text.is_empty()).then(|| Needle {
            text: text.to_owned(),
            exact,
        })
    }

    /// As it was asked for.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The byte ranges of `text` that match, from left to right, none overlapping.
    pub fn places<'a>(&'a self, text: &'a str) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
        let mut from = 0;
        std::iter::from_fn(move || {
            let rest = text.get(from..)?;
            let (start, end) = rest
                .char_indices()
                .find_map(|(start, _)| Some((start, start + self.at(&rest[start..])?)))?;
            let found = from + start..from + end;
            from += end;
            Some(found)
        })
    }

    /// How many bytes at the start of `text` match.
    fn at(&self, text: &str) -> Option<usize> {
        let mut chars = text.char_indices();
        for wanted in self.text.chars() {
            let (_, char) = chars.next()?;
            let same = char == wanted || !self.exact && char.to_lowercase().eq(wanted.to_lowercase());
            if !same {
                return None;
            }
        }
        Some(chars.offset())
    }
}
