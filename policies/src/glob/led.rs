//! Patterns for where the folders that they begin with lead.

use super::{Glob, Token};

impl Glob {
    /// The pattern for the places to which `lead` takes the literal beginnings of this one, as far as they are others. A
    /// beginning is the folders before the first wildcard; of a path without one it is the path if `whole` says so, else
    /// its folder.
    pub fn led(&self, whole: bool, lead: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> Option<Glob> {
        let led = self.alternatives.iter().flat_map(|tokens| led(tokens, whole, &lead));
        let alternatives: Box<[_]> = led.collect();
        (!alternatives.is_empty()).then_some(Glob {
            separator: self.separator,
            alternatives,
        })
    }
}

fn led(tokens: &[Token], whole: bool, lead: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> Vec<Box<[Token]>> {
    let Some((Token::Literal(literal), rest)) = tokens.split_first() else {
        return Vec::new();
    };
    let end = match rest {
        [] if whole => Some(literal.len()),
        _ => literal.iter().rposition(|byte| *byte == b'/'),
    };
    let Some(end) = end else { return Vec::new() };
    let elsewhere = |mut place: Vec<u8>| {
        if place == b"/" && end < literal.len() {
            place.clear();
        }
        place.extend_from_slice(&literal[end..]);
        let first = Token::Literal(place.into_boxed_slice());
        std::iter::once(first).chain(rest.iter().cloned()).collect()
    };
    lead(&literal[..end]).into_iter().map(elsewhere).collect()
}
