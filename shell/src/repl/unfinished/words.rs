//! Words, and what is quoted or expanded in them.

use super::{Read, Reader};

/// A word as it was written, without its quotes.
pub(super) struct Word {
    pub text: String,
    /// Nothing in it is quoted or expanded: it may be a keyword.
    pub plain: bool,
}

/// What ends a word.
fn is_end(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')')
}

impl Reader<'_> {
    /// A word, which may be empty.
    pub(super) fn word(&mut self) -> Read<Word> {
        let mut word = Word {
            text: String::new(),
            plain: true,
        };
        while let Some(char) = self.peek() {
            if char == '(' && word.text.ends_with(['?', '*', '+', '@', '!', '=']) {
                // An extended pattern, or an array.
                self.rest.next();
                self.within(|reader| reader.words_to(')'))?;
                word.plain = false;
                continue;
            }
            if is_end(char) {
                break;
            }
            self.rest.next();
            match char {
                '\\' => match self.next()? {
                    '\n' => {}
                    char => (word.text.push(char), word.plain = false).1,
                },
                '\'' | '"' | '`' | '$' => {
                    word.plain = false;
                    let before = word.text.len();
                    self.special(char, &mut word.text)?;
                    if word.text.len() == before && char == '$' {
                        word.text.push('$');
                    }
                }
                char => word.text.push(char),
            }
        }
        Ok(word)
    }

    /// After a character that quotes or expands; what is quoted goes to `text`.
    fn special(&mut self, char: char, text: &mut String) -> Read {
        match char {
            '\'' => loop {
                match self.next()? {
                    '\'' => return Ok(()),
                    char => text.push(char),
                }
            },
            '"' => self.within(|reader| reader.double_quoted(text)),
            '`' => loop {
                match self.next()? {
                    '`' => return Ok(()),
                    '\\' => drop(self.next()?),
                    _ => {}
                }
            },
            _ => self.expansion(),
        }
    }

    /// After a dollar sign.
    fn expansion(&mut self) -> Read {
        if self.take_all("((") {
            return self.within(|reader| reader.balanced('(', ')', 2));
        }
        match self.peek() {
            Some('(') => {
                self.rest.next();
                self.parenthesis()
            }
            Some('{') => {
                self.rest.next();
                self.within(|reader| reader.balanced('{', '}', 1))
            }
            Some('[') => {
                self.rest.next();
                self.within(|reader| reader.balanced('[', ']', 1))
            }
            Some('\'') => {
                self.rest.next();
                loop {
                    match self.next()? {
                        '\'' => return Ok(()),
                        '\\' => drop(self.next()?),
                        _ => {}
                    }
                }
            }
            _ => Ok(()),
        }
    }

    fn double_quoted(&mut self, text: &mut String) -> Read {
        loop {
            match self.next()? {
                '"' => return Ok(()),
                '\\' => text.push(self.next()?),
                '$' if self.is_at("'") => text.push('$'),
                char @ ('`' | '$') => self.special(char, text)?,
                char => text.push(char),
            }
        }
    }

    /// To where so many of `open` that were read are closed again.
    pub(super) fn balanced(&mut self, open: char, close: char, mut count: usize) -> Read {
        while count > 0 {
            match self.next()? {
                char if char == close => count -= 1,
                char if char == open => count += 1,
                '\\' => drop(self.next()?),
                char @ ('\'' | '"' | '`' | '$') => self.special(char, &mut String::new())?,
                _ => {}
            }
        }
        Ok(())
    }
}
