use std::borrow::Cow;

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Result};

use super::names::Names;
use super::{complete, ours, unfinished};
use crate::render::Style;

/// Completion, colours, hints from the history, and lines that go on.
pub struct Helper {
    style: Style,
    paths: FilenameCompleter,
    hints: HistoryHinter,
    /// What the shell knows.
    pub names: Names,
}

impl Helper {
    pub fn new(style: Style) -> Helper {
        Helper {
            style,
            paths: FilenameCompleter::new(),
            hints: HistoryHinter::new(),
            names: Names::default(),
        }
    }
}

impl rustyline::Helper for Helper {}

impl Completer for Helper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, context: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        match complete::word(&line[..pos], &self.names) {
            Some((start, words)) => {
                let pairs = words.into_iter().map(|word| Pair {
                    display: word.clone(),
                    replacement: word,
                });
                Ok((start, pairs.collect()))
            }
            None => self.paths.complete(line, pos, context),
        }
    }
}

impl Hinter for Helper {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, context: &Context<'_>) -> Option<String> {
        self.hints.hint(line, pos, context).filter(|_| self.style.is_on())
    }
}

impl Highlighter for Helper {
    /// The first word: ours in yellow, others in bold.
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        let end = line.find(char::is_whitespace).unwrap_or(line.len());
        let (word, rest) = line.split_at(end);
        if word.is_empty() || !self.style.is_on() {
            return Cow::Borrowed(line);
        }
        let verb = ours::said(word);
        let word = match verb.map(|verb| ours::words().any(|known| known == verb)) {
            Some(true) => self.style.green(word),
            Some(false) => self.style.yellow(word),
            None => self.style.bold(word),
        };
        Cow::Owned(word + rest)
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        Cow::Borrowed(prompt)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(self.style.dim(hint))
    }

    fn highlight_char(&self, _line: &str, _pos: usize, _kind: CmdKind) -> bool {
        self.style.is_on()
    }
}

impl Validator for Helper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        let line = context.input();
        Ok(match ours::said(line).is_none() && unfinished::is_unfinished(line) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}
