//! Commands, and what is built of them.

use super::words::Word;
use super::{Read, Reader, Stop};

/// What ends a list of commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The text itself.
    Text,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A closing parenthesis.
    Parenthesis,
    /// The end of a branch of `case`: its operator, or `esac`.
    Branch,
}

impl Reader<'_> {
    /// The whole text.
    pub(super) fn text(&mut self) -> Read {
        self.list(End::Text)?;
        match self.documents.is_empty() {
            true => Ok(()),
            false => Err(Stop::Ended),
        }
    }

    /// Commands inside of parentheses, after the opening one.
    pub(super) fn parenthesis(&mut self) -> Read {
        self.within(|reader| reader.list(End::Parenthesis)).map(drop)
    }

    /// Commands up to `end`, which is taken; the word that it was.
    fn list(&mut self, end: End) -> Read<String> {
        loop {
            self.blank_lines()?;
            match self.peek() {
                None if end == End::Text => return Ok(String::new()),
                None => return Err(Stop::Ended),
                Some(')') if end == End::Parenthesis => {
                    self.rest.next();
                    return Ok(String::new());
                }
                Some(';') if self.ends_branch() => {
                    if end != End::Branch {
                        return Err(Stop::Wrong);
                    }
                    while self.take(';') || self.take('&') {}
                    return Ok(String::new());
                }
                Some(_) => {}
            }
            if let Some(word) = self.pipeline(end)? {
                return Ok(word);
            }
            self.blanks();
            match self.peek() {
                Some(';') if self.ends_branch() => {}
                Some(';' | '&') => drop(self.rest.next()),
                Some(')') if end == End::Parenthesis => {}
                Some('\n') | None => {}
                Some(_) => return Err(Stop::Wrong),
            }
        }
    }

    /// Whether the operator that ends a branch of `case` is next.
    fn ends_branch(&self) -> bool {
        self.is_at(";;") || self.is_at(";&")
    }

    /// Commands joined by operators; the word, if instead of one there is a word that ends the list.
    fn pipeline(&mut self, end: End) -> Read<Option<String>> {
        if let Some(word) = self.command(end)? {
            return Ok(Some(word));
        }
        loop {
            self.blanks();
            let joined = self.take_all("&&") || self.take_all("||") || self.take_all("|&") || self.take('|');
            if !joined {
                return Ok(None);
            }
            self.blank_lines()?;
            if self.peek().is_none() {
                return Err(Stop::Ended);
            }
            self.command(End::Text)?;
        }
    }

    /// One command; the word, if it is one that ends the list.
    fn command(&mut self, end: End) -> Read<Option<String>> {
        self.blanks();
        if self.take_all("((") {
            // Arithmetic, or a subshell in a subshell: its parentheses are the same.
            self.within(|reader| reader.balanced('(', ')', 2))?;
            return self.redirections().map(|()| None);
        }
        if self.take('(') {
            self.parenthesis()?;
            return self.redirections().map(|()| None);
        }
        let word = self.word()?;
        let ends = match end {
            End::Words(ends) => ends.contains(&word.text.as_str()),
            End::Branch => word.text == "esac",
            End::Text | End::Parenthesis => false,
        };
        if word.plain && ends {
            return Ok(Some(word.text));
        }
        match word.text.as_str() {
            keyword if word.plain && is_keyword(keyword) => self.within(|reader| reader.compound(&word.text))?,
            _ => self.simple(word)?,
        }
        Ok(None)
    }

    fn compound(&mut self, keyword: &str) -> Read {
        match keyword {
            "!" | "time" | "coproc" => {
                self.blanks();
                return match self.peek() {
                    None | Some('\n' | ';' | '&' | '|') => Ok(()),
                    Some(_) => self.command(End::Text).map(drop),
                };
            }
            "if" => {
                self.list(End::Words(&["then"]))?;
                loop {
                    match self.list(End::Words(&["elif", "else", "fi"]))?.as_str() {
                        "elif" => drop(self.list(End::Words(&["then"]))?),
                        "else" => break drop(self.list(End::Words(&["fi"]))?),
                        _ => break,
                    }
                }
            }
            "while" | "until" => {
                self.list(End::Words(&["do"]))?;
                self.list(End::Words(&["done"]))?;
            }
            "for" | "select" => self.each()?,
            "case" => self.case()?,
            "{" => drop(self.list(End::Words(&["}"]))?),
            "[[" => self.test()?,
            "function" => {
                self.blanks();
                self.needed_word()?;
                self.blanks();
                let _ = self.take_all("()");
                return self.body();
            }
            // `then`, `done`, `}` and the like where none is open.
            _ => return Err(Stop::Wrong),
        }
        self.redirections()
    }

    /// `for NAME in WORDS; do LIST done`, and the forms with less or with arithmetic.
    fn each(&mut self) -> Read {
        self.blanks();
        if self.take_all("((") {
            self.within(|reader| reader.balanced('(', ')', 2))?;
        } else {
            self.needed_word()?;
            self.blanks();
            // Without words of its own.
            if self.is_at("do") && self.word()?.text == "do" {
                return self.list(End::Words(&["done"])).map(drop);
            }
            loop {
                self.blanks();
                match self.peek() {
                    // zsh has its words so too.
                    Some('(') => break self.next().and_then(|_| self.words_to(')'))?,
                    Some('&' | '|' | ')') => return Err(Stop::Wrong),
                    Some(';' | '\n') | None => break,
                    Some(_) => drop(self.word()?),
                }
            }
        }
        self.blanks();
        let _ = self.take(';');
        self.blank_lines()?;
        let word = self.needed_word()?;
        let end: &'static [&'static str] = match word.text.as_str() {
            "do" => &["done"],
            "{" => &["}"],
            _ => return Err(Stop::Wrong),
        };
        self.list(End::Words(end)).map(drop)
    }

    fn case(&mut self) -> Read {
        self.blanks();
        self.needed_word()?;
        self.blank_lines()?;
        if self.needed_word()?.text != "in" {
            return Err(Stop::Wrong);
        }
        loop {
            self.blank_lines()?;
            if !self.take('(') && self.needed_word()?.text == "esac" {
                return Ok(());
            }
            self.words_to(')')?;
            if self.list(End::Branch)? == "esac" {
                return Ok(());
            }
        }
    }

    /// After `[[`: to its end.
    fn test(&mut self) -> Read {
        loop {
            self.blank_lines()?;
            match self.peek() {
                None => return Err(Stop::Ended),
                Some('(' | ')' | '&' | '|' | '<' | '>' | ';') => drop(self.rest.next()),
                Some(_) => {
                    if self.word()?.text == "]]" {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The body of a function.
    fn body(&mut self) -> Read {
        self.blank_lines()?;
        match self.peek() {
            None => Err(Stop::Ended),
            Some(_) => self.within(|reader| reader.command(End::Text)).map(drop),
        }
    }

    /// A command that begins with this word, up to an operator.
    fn simple(&mut self, first: Word) -> Read {
        self.blanks();
        if !first.text.is_empty() && self.is_at("(") {
            self.rest.next();
            self.blanks();
            return match self.take(')') {
                true => self.body(),
                // An array after blanks, or a pattern of zsh's.
                false => self.words_to(')'),
            };
        }
        self.words()
    }

    /// Words and redirections up to an operator.
    fn words(&mut self) -> Read {
        loop {
            self.blanks();
            match self.peek() {
                None | Some(';' | '&' | '|' | ')' | '\n') if !self.is_at("&>") => return Ok(()),
                Some('(') => return Err(Stop::Wrong),
                Some('<' | '>' | '&') => self.redirection()?,
                Some('#') => self.comment(),
                _ => drop(self.word()?),
            }
        }
    }

    /// Words, over lines, up to this character.
    pub(super) fn words_to(&mut self, end: char) -> Read {
        loop {
            self.blank_lines()?;
            match self.peek() {
                None => return Err(Stop::Ended),
                Some(char) if char == end => return self.next().map(drop),
                Some('|' | '(' | ')' | '&' | ';' | '<' | '>') => drop(self.rest.next()),
                Some(_) => drop(self.word()?),
            }
        }
    }

    /// What may stand after a compound command.
    fn redirections(&mut self) -> Read {
        loop {
            self.blanks();
            match self.peek() {
                Some('<' | '>') => self.redirection()?,
                Some(char) if char.is_ascii_digit() => drop(self.rest.next()),
                _ => return Ok(()),
            }
        }
    }

    fn redirection(&mut self) -> Read {
        if self.is_at("<(") || self.is_at(">(") {
            self.rest.next();
            self.rest.next();
            return self.parenthesis();
        }
        let here = self.is_at("<<") && !self.is_at("<<<");
        while matches!(self.peek(), Some('<' | '>' | '&' | '|')) {
            self.rest.next();
        }
        let indented = here && self.take('-');
        self.blanks();
        if matches!(self.peek(), None | Some('\n')) {
            return Err(Stop::Wrong);
        }
        let word = self.word()?;
        if here {
            self.documents.push(super::Document {
                end: word.text,
                indented,
            });
        }
        Ok(())
    }

    fn comment(&mut self) {
        while self.rest.next_if(|char| *char != '\n').is_some() {}
    }

    /// A word, where one has to follow.
    fn needed_word(&mut self) -> Read<Word> {
        match self.peek() {
            None => Err(Stop::Ended),
            Some(_) => self.word(),
        }
    }

    /// Blanks and escaped line ends.
    pub(super) fn blanks(&mut self) {
        while self.take(' ') || self.take('\t') || self.take_all("\\\n") {}
    }

    /// Blanks, comments and line ends, with the here-documents that begin behind one.
    pub(super) fn blank_lines(&mut self) -> Read {
        loop {
            self.blanks();
            match self.peek() {
                Some('#') => self.comment(),
                Some('\n') => {
                    self.rest.next();
                    self.documents()?;
                }
                _ => return Ok(()),
            }
        }
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "!" | "time"
            | "coproc"
            | "if"
            | "then"
            | "elif"
            | "else"
            | "fi"
            | "while"
            | "until"
            | "for"
            | "select"
            | "do"
            | "done"
            | "case"
            | "esac"
            | "{"
            | "}"
            | "[["
            | "function"
    )
}
