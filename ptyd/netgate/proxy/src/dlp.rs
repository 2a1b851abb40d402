//! What must not leave, and what becomes of it.

use std::collections::BTreeMap;

use agentsh_redact::{Class, Patterns, Piece, Stream, replacement};

/// What happens to findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They are replaced.
    Redact,
    /// What holds one does not pass.
    Block,
    /// They are counted.
    Audit,
}

/// What is searched for, and what happens to it; without patterns nothing is.
#[derive(Debug, Clone)]
pub struct Dlp {
    /// What happens to findings.
    pub mode: Mode,
    /// What is searched for.
    pub patterns: Option<Patterns>,
}

/// How often each kind was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Counts one.
    pub(crate) fn add(&mut self, kind: &str) {
        match self.0.get_mut(kind) {
            Some(count) => *count += 1,
            None => {
                self.0.insert(kind.to_owned(), 1);
            }
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Kinds and counts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(kind, count)| (kind.as_str(), *count))
    }
}

impl Dlp {
    /// No search.
    pub fn off() -> Dlp {
        Dlp {
            mode: Mode::Audit,
            patterns: None,
        }
    }

    /// Whether what is asked of can be searched, or need not be.
    pub(crate) fn can_read(&self, is_plain: impl FnOnce() -> bool) -> bool {
        self.patterns.is_none() || self.mode == Mode::Audit || is_plain()
    }

    /// What searches whole texts, one after the other; `None` if there is nothing to search for.
    pub(crate) fn searcher(&self) -> Option<Searcher> {
        self.patterns.clone().map(|patterns| Searcher {
            stream: Stream::new(patterns.clone()),
            patterns,
        })
    }
}

/// Searches whole texts.
pub(crate) struct Searcher {
    patterns: Patterns,
    stream: Stream,
}

impl Searcher {
    /// Searches a text. `None`: nothing was found; else the text with replacements.
    pub(crate) fn whole(&mut self, text: &[u8], counts: &mut Counts) -> Option<Vec<u8>> {
        self.search(text, counts, |_| true)
    }

    /// Searches a word of a protocol in the same way: names look drawn by lot, and are.
    pub(crate) fn word(&mut self, text: &[u8], counts: &mut Counts) -> Option<Vec<u8>> {
        self.search(text, counts, |kind| kind != Class::Entropy.name())
    }

    fn search(&mut self, text: &[u8], counts: &mut Counts, counted: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
        let (mut out, mut found) = (Vec::new(), false);
        let patterns = &self.patterns;
        let mut take = |piece: Piece<'_>| match piece {
            Piece::Found { rule, .. } if counted(patterns.name(rule)) => {
                let kind = patterns.name(rule);
                counts.add(kind);
                out.extend_from_slice(replacement(kind).as_bytes());
                found = true;
            }
            Piece::Plain(bytes) | Piece::Found { bytes, .. } => out.extend_from_slice(bytes),
        };
        self.stream.whole(text, &mut take);
        found.then_some(out)
    }
}
