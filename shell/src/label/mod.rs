//! What a text for a shell seems to do: a label for people, and advice before anything runs.
//!
//! Promises: it reads text, it starts nothing and decides nothing; whatever the text is, there is an answer at once or
//! none. What really runs is judged when it runs: a shell reads a text in more ways than any reader of it knows.

mod kinds;
mod parsed;
mod reader;
mod said;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use agentsh_protocol::Bytes;

pub use kinds::Deed;

use crate::render::consent;

/// So many programs are named in a line.
const NAMED: usize = 12;

/// What the texts in a command line seem to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// The programs that they name, in their order, each with its arguments as far as the text tells them.
    pub commands: Vec<Vec<String>>,
    /// Files that the shell itself writes.
    pub writes: BTreeSet<String>,
    pub deeds: BTreeSet<Deed>,
}

/// The label of a command line that gives a text to a shell, by itself or by way of wrappers; `None` if it does not,
/// or if the text cannot be read.
pub fn of(argv: &[Bytes]) -> Option<Label> {
    let words = argv
        .iter()
        .map(|word| std::str::from_utf8(&word.0).ok().map(str::to_owned));
    let words: Vec<String> = words.collect::<Option<_>>()?;
    reader::read(&words)
}

impl Label {
    /// In lines, made visible: `runs curl, sh`.
    pub fn lines(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.commands.iter().filter_map(|words| words.first()) {
            let name = consent::shown(name.as_bytes());
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let list = |what: &str, words: &[String]| {
            let more = words.len().saturating_sub(NAMED);
            let shown = words[..words.len() - more].join(", ");
            (!words.is_empty()).then(|| match more {
                0 => format!("{what} {shown}"),
                more => format!("{what} {shown} and {more} more"),
            })
        };
        let writes: Vec<String> = self.writes.iter().map(|file| consent::shown(file.as_bytes())).collect();
        let lines = [list("runs", &names), list("writes", &writes)];
        let deeds = self.deeds.iter().map(|deed| deed.words().to_owned());
        lines.into_iter().flatten().chain(deeds).collect()
    }
}
