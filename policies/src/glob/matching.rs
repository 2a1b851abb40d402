//! Matching of one pattern.

use super::{Separator, Token};

/// The character that the bytes begin with and its length; a byte that begins none stands for a private
/// character of its own, so that it equals nothing that a pattern can write.
pub(super) fn character(bytes: &[u8]) -> (char, usize) {
    match bytes.first() {
        None => ('\0', 0),
        Some(ascii) if ascii.is_ascii() => (char::from(*ascii), 1),
        Some(&byte) => {
            for length in 2..=bytes.len().min(4) {
                if let Ok(text) = std::str::from_utf8(&bytes[..length])
                    && let Some(found) = text.chars().next()
                {
                    return (found, length);
                }
            }
            (char::from_u32(0x10_FF00 + u32::from(byte)).unwrap_or('\u{FFFD}'), 1)
        }
    }
}

/// Whether one token that takes a single character takes this one.
pub(super) fn takes(token: &Token, found: char, separator: Separator) -> bool {
    match token {
        Token::Any => found != char::from(separator),
        Token::Class { negated, ranges } => {
            found != char::from(separator)
                && ranges.iter().any(|(low, high)| (*low..=*high).contains(&found)) != *negated
        }
        _ => false,
    }
}

/// Whether the tokens match the whole text.
///
/// Two places to come back to are enough: what stands between two wildcards of a kind may be taken at its
/// leftmost place, because the later wildcard reaches from there whatever it reaches from further right.
pub(super) fn matches(tokens: &[Token], text: &[u8], separator: Separator) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    let mut deep: Option<(usize, usize, bool)> = None;
    loop {
        match tokens.get(token) {
            None if at == text.len() => return true,
            Some(Token::Star) => {
                token += 1;
                star = Some((token, at));
                continue;
            }
            Some(kind @ (Token::Deep | Token::Folders)) => {
                token += 1;
                (star, deep) = (None, Some((token, at, matches!(kind, Token::Folders))));
                continue;
            }
            Some(Token::Literal(literal)) if text[at..].starts_with(literal) => {
                at += literal.len();
                token += 1;
                continue;
            }
            Some(single @ (Token::Any | Token::Class { .. })) if at < text.len() => {
                let (found, length) = character(&text[at..]);
                if takes(single, found, separator) {
                    at += length;
                    token += 1;
                    continue;
                }
            }
            _ => {}
        }
        if let Some((behind, from)) = star
            && from < text.len()
            && text[from] != separator
        {
            at = from + character(&text[from..]).1;
            token = behind;
            star = Some((behind, at));
            continue;
        }
        star = None;
        let Some((behind, from, folders)) = deep else {
            return false;
        };
        let next = match folders {
            _ if from >= text.len() => return false,
            false => from + character(&text[from..]).1,
            true => match text[from..].iter().position(|byte| *byte == separator) {
                Some(position) => from + position + 1,
                None => return false,
            },
        };
        (token, at, deep) = (behind, next, Some((behind, next, folders)));
    }
}
