//! Patterns for names by which all spellings of a name are known ([`crate::folding`]).

use super::{Glob, Token};
use crate::folding::fold_text;

impl Glob {
    /// The pattern for folded names: what it matches in any spelling.
    pub fn folded(&self) -> Glob {
        let alternatives = self
            .alternatives
            .iter()
            .map(|tokens| tokens.iter().map(folded).collect());
        Glob {
            separator: self.separator,
            alternatives: alternatives.collect(),
        }
    }
}

fn folded(token: &Token) -> Token {
    match token {
        Token::Literal(text) => Token::Literal(fold_text(text).into()),
        Token::Class { negated, ranges } => class(*negated, ranges),
        other => other.clone(),
    }
}

/// A class takes a letter if it takes it in any spelling.
fn class(negated: bool, ranges: &[(char, char)]) -> Token {
    let names = |found: char| ranges.iter().any(|(low, high)| (*low..=*high).contains(&found));
    let takes = |found: char| names(found) != negated;
    let letters = ('a'..='z').filter(|letter| takes(*letter) || takes(letter.to_ascii_uppercase()));
    let own = letters.collect::<Vec<_>>();
    let others = ranges.iter().flat_map(|range| without_letters(*range));
    // Which letters it names, so that it takes just those.
    let named = ('a'..='z').filter(|letter| own.contains(letter) != negated);
    Token::Class {
        negated,
        ranges: others.chain(named.map(|letter| (letter, letter))).collect(),
    }
}

/// What of a range are no ASCII letters.
fn without_letters((low, high): (char, char)) -> Vec<(char, char)> {
    [('\0', '@'), ('[', '`'), ('{', char::MAX)]
        .iter()
        .map(|(first, last)| (low.max(*first), high.min(*last)))
        .filter(|(first, last)| first <= last)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folding::fold;

    fn matches(pattern: &str, name: &str) -> Result<bool, crate::glob::GlobError> {
        Ok(Glob::new(pattern.as_bytes(), b'/')?
            .folded()
            .is_match(&fold(name.as_bytes())))
    }

    #[test]
    fn a_folded_pattern_matches_every_spelling() -> Result<(), crate::glob::GlobError> {
        for (pattern, name) in [
            ("**/.git/hooks/**", "/W/.Git/HOOKS/pre-commit"),
            ("/Users/*/Secret?.PEM", "/users/Me/secret1.pem"),
            ("**/.env", "/w/.ENV"),
            ("/w/[A-C]x", "/w/bX"),
            ("/w/[!a]x", "/w/ax"),
            ("/w/[!a]x", "/w/Bx"),
            ("/w/[0-Z]", "/w/c"),
            ("/w/\u{c9}", "/w/e\u{301}"),
        ] {
            assert!(matches(pattern, name)?, "{pattern} {name}");
        }
        for (pattern, name) in [
            ("**/.git/hooks/**", "/w/git/hooks/x"),
            ("/w/[A-C]x", "/w/dx"),
            ("/w/[!aA]x", "/w/ax"),
            ("/w/[!0-9]", "/w/5"),
            ("/w/*", "/w/a/b"),
        ] {
            assert!(!matches(pattern, name)?, "{pattern} {name}");
        }
        Ok(())
    }
}
