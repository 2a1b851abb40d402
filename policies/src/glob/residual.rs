//! What is left of a pattern below a folder: the ground of all static analysis.

use super::matching::{character, takes};
use super::{Glob, Separator, Token};

/// What a pattern can match strictly below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Residual {
    /// Everything below the folder.
    Everything,
    /// Only this path, relative to the folder.
    Exact(Vec<u8>),
    /// Only what lies at or below this path, relative to the folder, without a separator at its end.
    Within(Vec<u8>),
    /// Something, at places that no literal path bounds.
    Somewhere,
}

/// A place in a pattern: the token, and the bytes of a literal (or, for `**/`, whether inside a part) that are behind us.
type State = (usize, usize);

/// All that this pattern can still match strictly below `folder` (a normal path, `/` for the root); one that
/// covers the others stands alone.
pub fn residuals(tokens: &[Token], folder: &[u8], separator: Separator) -> Vec<Residual> {
    let slash = [separator];
    let end: &[u8] = if folder.ends_with(&slash) { b"" } else { &slash };
    let Some((begin, parts)) = begin(tokens, [folder, end]) else {
        return Vec::new();
    };
    let (mut states, mut next) = (Vec::new(), Vec::new());
    add(&mut states, tokens, begin);
    for part in parts {
        let mut rest = part;
        while !rest.is_empty() {
            let (found, length) = character(rest);
            for state in states.drain(..) {
                step(tokens, state, found, &rest[..length], separator, &mut next);
            }
            std::mem::swap(&mut states, &mut next);
            rest = &rest[length..];
        }
    }
    let mut found = Vec::new();
    for (token, done) in states {
        if let Some(residual) = classify(&tokens[token..], done, separator)
            && !found.contains(&residual)
        {
            found.push(residual);
        }
    }
    for wide in [Residual::Everything, Residual::Somewhere] {
        if found.contains(&wide) {
            return vec![wide];
        }
    }
    found
}

/// Where the pattern is behind its leading literal, and what is left of `parts` there; none if they differ before. Almost
/// every pattern of a policy begins with folders, and almost every folder that is asked about lies elsewhere.
fn begin<'p>(tokens: &[Token], parts: [&'p [u8]; 2]) -> Option<(State, [&'p [u8]; 2])> {
    let Some(Token::Literal(literal)) = tokens.first() else {
        return Some(((0, 0), parts));
    };
    let (first, second) = literal.split_at(literal.len().min(parts[0].len()));
    let common = second.len().min(parts[1].len());
    if !parts[0].starts_with(first) || second[..common] != parts[1][..common] {
        return None;
    }
    let rest = [&parts[0][first.len()..], &parts[1][common..]];
    // A literal that is no text may end within a character, which is taken as a whole.
    if rest[0].first().is_some_and(|byte| byte & 0xc0 == 0x80) {
        return Some(((0, 0), parts));
    }
    let done = first.len() + common;
    let state = if done == literal.len() { (1, 0) } else { (0, done) };
    Some((state, rest))
}

/// Whether one of these path patterns can match something strictly below `folder`.
pub fn reaches(globs: &[Glob], folder: &[u8]) -> bool {
    let mut patterns = globs.iter().flat_map(Glob::alternatives);
    patterns.any(|tokens| !residuals(tokens, folder, b'/').is_empty())
}

fn add(states: &mut Vec<State>, tokens: &[Token], state: State) {
    if !states.contains(&state) {
        states.push(state);
    }
    if state.1 == 0 && matches!(tokens.get(state.0), Some(Token::Star | Token::Deep | Token::Folders)) {
        add(states, tokens, (state.0 + 1, 0));
    }
}

fn step(
    tokens: &[Token],
    (token, done): State,
    found: char,
    bytes: &[u8],
    separator: Separator,
    next: &mut Vec<State>,
) {
    let is_separator = found == char::from(separator);
    match tokens.get(token) {
        Some(Token::Literal(literal)) if literal[done..].starts_with(bytes) => {
            let done = done + bytes.len();
            add(
                next,
                tokens,
                if done == literal.len() {
                    (token + 1, 0)
                } else {
                    (token, done)
                },
            );
        }
        Some(Token::Star) if !is_separator => add(next, tokens, (token, 0)),
        Some(Token::Deep) => add(next, tokens, (token, 0)),
        Some(Token::Folders) => add(next, tokens, (token, usize::from(!is_separator))),
        Some(single @ (Token::Any | Token::Class { .. })) if takes(single, found, separator) => {
            add(next, tokens, (token + 1, 0));
        }
        _ => {}
    }
}

fn classify(tokens: &[Token], done: usize, separator: Separator) -> Option<Residual> {
    match tokens {
        [] => None,
        [Token::Deep]
        | [Token::Any, Token::Deep]
        | [Token::Folders, Token::Star]
        | [Token::Folders, Token::Any, Token::Deep] => Some(Residual::Everything),
        [Token::Literal(literal)] => Some(Residual::Exact(literal[done..].to_vec())),
        [Token::Literal(literal), ..] => {
            let rest = &literal[done..];
            match rest.iter().rposition(|byte| *byte == separator) {
                Some(end) if end > 0 => Some(Residual::Within(rest[..end].to_vec())),
                _ => Some(Residual::Somewhere),
            }
        }
        _ => Some(Residual::Somewhere),
    }
}
