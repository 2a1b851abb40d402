//! What a person types while a line runs, and no program reads, is for the next prompts: as in any shell.

use super::unfinished::is_unfinished;

/// Keys of the past.
#[derive(Default)]
pub struct Ahead(String);

/// What the next prompt begins with.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A whole command.
    Line(String),
    /// The beginning of one, or nothing.
    Begun(String),
}

impl Ahead {
    /// Takes what a terminal holds: lines as they were edited there, and perhaps a part of one.
    pub fn push(&mut self, typed: &[u8]) {
        let text = String::from_utf8_lossy(typed).replace('\r', "\n");
        self.0.extend(
            text.chars()
                .filter(|char| !char.is_control() || matches!(char, '\n' | '\t')),
        );
    }

    pub fn take(&mut self) -> Next {
        let mut ends = self.0.match_indices('\n').map(|(at, _)| at);
        match ends.find(|end| !is_unfinished(&self.0[..*end])) {
            Some(end) => {
                let rest = self.0.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.0, rest);
                line.pop();
                Next::Line(line)
            }
            None => Next::Begun(std::mem::take(&mut self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_commands_come_first_and_what_is_begun_is_edited_on() {
        let mut ahead = Ahead::default();
        ahead.push(b"one\nfor i in 1; do\ntrue\n");
        ahead.push("d\x04one\nhal\x1bf \u{e9}".as_bytes());
        assert_eq!(ahead.take(), Next::Line("one".to_owned()));
        assert_eq!(ahead.take(), Next::Line("for i in 1; do\ntrue\ndone".to_owned()));
        assert_eq!(ahead.take(), Next::Begun("half \u{e9}".to_owned()));
        assert_eq!(ahead.take(), Next::Begun(String::new()));
    }
}
