//! Globs over raw bytes: `*` stops at the separator, `**` crosses it, `?`, `[abc]`, `{a,b}`, `\` escapes.
//!
//! A name need not be UTF-8: `?` and classes take one character where the bytes are one, else one byte.
//! Matching neither allocates nor locks, and its time is bounded by the product of the lengths.

mod braces;
mod folded;
mod index;
mod led;
mod matching;
mod parse;
mod residual;

pub use index::PathIndex;
pub use parse::GlobError;
pub use residual::{Residual, reaches, residuals};

use parse::tokens;

/// One step of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// These bytes.
    Literal(Box<[u8]>),
    /// `?`: one character that is not the separator.
    Any,
    /// `[…]`: one character, not the separator.
    Class { negated: bool, ranges: Box<[(char, char)]> },
    /// `*`: anything without a separator.
    Star,
    /// `**`: anything.
    Deep,
    /// `**/`: nothing, or anything that ends in a separator.
    Folders,
}

/// What separates the parts of a name: `/` in paths, `.` in hosts.
pub type Separator = u8;

/// The most alternatives that the braces of one pattern may come to.
pub const MAX_ALTERNATIVES: usize = 1024;

/// The longest pattern, in bytes, after variables are put in.
pub const MAX_PATTERN: usize = 8192;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Glob {
    separator: Separator,
    alternatives: Box<[Box<[Token]>]>,
}

impl Glob {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// Open braces or classes, a lone `\` at the end, three stars in a row, too long, too many alternatives.
    pub fn new(pattern: &[u8], separator: Separator) -> Result<Glob, GlobError> {
        if pattern.len() > MAX_PATTERN {
            return Err(GlobError::TooLong);
        }
        let alternatives = braces::expand(pattern)?
            .iter()
            .map(|alternative| tokens(alternative, separator).map(Vec::into_boxed_slice))
            .collect::<Result<_, _>>()?;
        Ok(Glob {
            separator,
            alternatives,
        })
    }

    /// Whether the whole name matches.
    pub fn is_match(&self, name: &[u8]) -> bool {
        self.alternatives
            .iter()
            .any(|tokens| matching::matches(tokens, name, self.separator))
    }

    /// The alternatives that braces stood for.
    pub fn alternatives(&self) -> &[Box<[Token]>] {
        &self.alternatives
    }

    /// The only name that matches, if there is only one.
    pub fn literal(&self) -> Option<&[u8]> {
        match self.alternatives.as_ref() {
            [only] => match only.as_ref() {
                [Token::Literal(bytes)] => Some(bytes),
                _ => None,
            },
            _ => None,
        }
    }

    /// The names that match, if they can be told one by one.
    pub fn literals(&self) -> Option<Vec<Box<[u8]>>> {
        let literal = |tokens: &[Token]| match tokens {
            [Token::Literal(bytes)] => Some(bytes.clone()),
            _ => None,
        };
        self.alternatives.iter().map(|tokens| literal(tokens)).collect()
    }

    /// Whether every name without a separator matches (`*`), or every name at all (`**`).
    pub fn is_universal(&self) -> bool {
        self.alternatives.iter().any(|tokens| {
            matches!(tokens.as_ref(), [Token::Star] | [Token::Deep])
                || (self.separator == b'/' && matches!(tokens.as_ref(), [Token::Literal(root), Token::Any, Token::Deep] if root.as_ref() == b"/"))
        })
    }
}

/// The pattern that matches these bytes and nothing else.
pub fn escape(bytes: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'{' | b'}' | b',' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    escaped
}

#[cfg(test)]
mod tests;
