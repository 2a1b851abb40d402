//! Whether a text is a whole command, or another line has to follow. Advice for the editor only: the shell judges.
//!
//! The text is read as a shell reads it (POSIX 2.10, and what bash and zsh add), as far as it takes to know what is open
//! at its end. What no shell would take counts as whole: the shell then says what is wrong with it.

mod commands;
mod words;

use std::iter::Peekable;
use std::str::Chars;

/// Nobody types what is nested deeper; reading it would take that much of the stack.
const DEEPEST: usize = 100;

/// Whether the text ends inside of something: quotes, a here-document, a compound command, or after an operator.
pub fn is_unfinished(text: &str) -> bool {
    let mut reader = Reader {
        rest: text.chars().peekable(),
        documents: Vec::new(),
        deep: 0,
    };
    reader.text() == Err(Stop::Ended)
}

/// Why nothing more is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The text has ended before what it opened.
    Ended,
    /// No shell takes this.
    Wrong,
}

type Read<T = ()> = Result<T, Stop>;

/// What is still to be read.
struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    /// Here-documents that begin on the next line.
    documents: Vec<Document>,
    deep: usize,
}

/// A here-document that was announced.
struct Document {
    end: String,
    /// Its lines may begin with tabs (`<<-`).
    indented: bool,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    /// The next character, where the text may not end.
    fn next(&mut self) -> Read<char> {
        self.rest.next().ok_or(Stop::Ended)
    }

    /// Takes this character if it is the next one.
    fn take(&mut self, char: char) -> bool {
        self.rest.next_if_eq(&char).is_some()
    }

    /// Whether the text goes on with this.
    fn is_at(&self, text: &str) -> bool {
        let mut rest = self.rest.clone();
        text.chars().all(|char| rest.next() == Some(char))
    }

    /// Takes this if the text goes on with it.
    fn take_all(&mut self, text: &str) -> bool {
        let there = self.is_at(text);
        if there {
            self.rest.by_ref().take(text.chars().count()).for_each(|_| {});
        }
        there
    }

    /// Reads something that may hold more of its kind.
    fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.deep += 1;
        let done = match self.deep > DEEPEST {
            true => Err(Stop::Wrong),
            false => read(self),
        };
        self.deep -= 1;
        done
    }

    /// The here-documents that begin here.
    fn documents(&mut self) -> Read {
        for document in std::mem::take(&mut self.documents) {
            loop {
                let mut line = String::new();
                let ended = loop {
                    match self.rest.next() {
                        Some('\n') => break false,
                        Some(char) => line.push(char),
                        None => break true,
                    }
                };
                let text = match document.indented {
                    true => line.trim_start_matches('\t'),
                    false => &line,
                };
                if text == document.end {
                    break;
                }
                if ended {
                    return Err(Stop::Ended);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
