//! From the text of a pattern (braces already gone) to its tokens.

use super::braces::class_end;
use super::matching::character;
use super::{MAX_ALTERNATIVES, MAX_PATTERN, Separator, Token};

/// Why a pattern is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    #[error("`{{` is never closed (write `\\{{` for the character itself)")]
    UnclosedBrace,
    #[error("`}}` without `{{` (write `\\}}` for the character itself)")]
    Unopened,
    #[error("`[` is never closed (write `\\[` for the character itself)")]
    UnclosedClass,
    #[error("a range in `[…]` ends before it begins")]
    EmptyRange,
    #[error("`[:name:]` is no class here: write its characters, such as `[a-z]` (`\\[` for the character itself)")]
    NamedClass,
    #[error("a `/` in `[…]` would never match: `[…]` stays within a part")]
    SeparatorInClass,
    #[error("`\\` at the end escapes nothing")]
    LoneEscape,
    #[error("three or more `*` in a row; `*` stays within a part, `**` crosses parts")]
    TooManyStars,
    #[error("longer than {MAX_PATTERN} bytes")]
    TooLong,
    #[error("more than {MAX_ALTERNATIVES} alternatives, or braces nested too deep")]
    TooManyAlternatives,
}

pub(super) fn tokens(pattern: &[u8], separator: Separator) -> Result<Vec<Token>, GlobError> {
    let mut tokens = Vec::new();
    let mut literal = Vec::new();
    let mut at = 0;
    while let Some(&byte) = pattern.get(at) {
        match byte {
            b'\\' => {
                literal.push(*pattern.get(at + 1).ok_or(GlobError::LoneEscape)?);
                at += 2;
            }
            b'?' => {
                flush(&mut literal, &mut tokens);
                tokens.push(Token::Any);
                at += 1;
            }
            b'[' => {
                let end = class_end(pattern, at)?;
                flush(&mut literal, &mut tokens);
                tokens.push(class(&pattern[at + 1..end - 1], separator)?);
                at = end;
            }
            b'*' => {
                let count = pattern[at..].iter().take_while(|byte| **byte == b'*').count();
                let at_start = match literal.last() {
                    Some(last) => *last == separator,
                    // Behind `**/` a part begins too.
                    None => matches!(tokens.last(), None | Some(Token::Folders)),
                };
                flush(&mut literal, &mut tokens);
                at += count;
                at += stars(count, at_start, &pattern[at..], separator, &mut tokens)?;
            }
            _ => {
                literal.push(byte);
                at += 1;
            }
        }
    }
    flush(&mut literal, &mut tokens);
    Ok(tokens)
}

/// Adds the token for a run of stars and says how many bytes behind the run it took.
fn stars(
    count: usize,
    at_start: bool,
    behind: &[u8],
    separator: Separator,
    tokens: &mut Vec<Token>,
) -> Result<usize, GlobError> {
    if count == 2 && at_start && (behind.is_empty() || behind.first() == Some(&separator)) {
        // `**/**` says what the last of them says alone.
        tokens.pop_if(|last| *last == Token::Folders);
    }
    match count {
        1 => tokens.push(Token::Star),
        2 if at_start && behind.first() == Some(&separator) => {
            tokens.push(Token::Folders);
            return Ok(1);
        }
        2 if at_start && behind.is_empty() && !tokens.is_empty() => {
            // `/x/**` is what lies below `/x`: at least one character.
            tokens.extend([Token::Any, Token::Deep]);
        }
        2 => tokens.push(Token::Deep),
        _ => return Err(GlobError::TooManyStars),
    }
    Ok(0)
}

fn flush(literal: &mut Vec<u8>, tokens: &mut Vec<Token>) {
    if !literal.is_empty() {
        tokens.push(Token::Literal(std::mem::take(literal).into_boxed_slice()));
    }
}

fn class(inside: &[u8], separator: Separator) -> Result<Token, GlobError> {
    let negated = matches!(inside.first(), Some(b'!' | b'^'));
    let mut rest = &inside[usize::from(negated)..];
    let mut ranges = Vec::new();
    while !rest.is_empty() {
        // glob(7) takes these for a class, or a set of one element: here they would be other characters, unsaid.
        if let [b'[', b':' | b'.' | b'=', ..] = rest {
            return Err(GlobError::NamedClass);
        }
        if separator == b'/' && rest[0] == separator {
            return Err(GlobError::SeparatorInClass);
        }
        let low = class_member(&mut rest);
        let high = if rest.len() > 1 && rest[0] == b'-' {
            rest = &rest[1..];
            class_member(&mut rest)
        } else {
            low
        };
        if high < low {
            return Err(GlobError::EmptyRange);
        }
        ranges.push((low, high));
    }
    Ok(Token::Class {
        negated,
        ranges: ranges.into_boxed_slice(),
    })
}

fn class_member(rest: &mut &[u8]) -> char {
    if rest.len() > 1 && rest[0] == b'\\' {
        *rest = &rest[1..];
    }
    let (found, length) = character(rest);
    *rest = &rest[length..];
    found
}
