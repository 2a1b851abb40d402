//! Many path patterns at once: which rule is the first that matches.
//!
//! The literal folders in front of each pattern's first wildcard form a tree; what is left of the pattern
//! hangs at its folder, found by a name or an extension that it cannot do without. A lookup hashes each
//! part of the path once; it neither allocates nor locks.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Glob, Token, matching};

type Map<V> = HashMap<Box<[u8]>, V, BuildHasherDefault<PartHasher>>;

/// An index over the path patterns of one list of rules.
#[derive(Debug, Default)]
pub struct PathIndex {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    children: Map<Node>,
    /// The folder itself.
    exact: Vec<Entry>,
    /// Everything below the folder.
    below: Vec<Entry>,
    tails: Option<Box<Tails>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    rule: u32,
    mask: u32,
}

#[derive(Debug, Default)]
struct Tails {
    by_part: Map<Vec<Tail>>,
    by_extension: Map<Vec<Tail>>,
    others: Vec<Tail>,
}

#[derive(Debug)]
struct Tail {
    entry: Entry,
    tokens: Box<[Token]>,
}

impl PathIndex {
    /// Adds a pattern of rule `rule` (rules must come in order) for the operations in `mask`.
    pub fn add(&mut self, glob: &Glob, rule: u32, mask: u32) {
        let entry = Entry { rule, mask };
        for tokens in glob.alternatives() {
            self.add_one(tokens, entry);
        }
    }

    fn add_one(&mut self, tokens: &[Token], entry: Entry) {
        let mut node = &mut self.root;
        let (literal, rest) = match tokens {
            [Token::Literal(literal), rest @ ..] => (literal.strip_prefix(b"/").unwrap_or(literal), rest),
            all => (&b""[..], all),
        };
        let folders = if rest.is_empty() {
            literal.len()
        } else {
            literal.iter().rposition(|byte| *byte == b'/').unwrap_or(0)
        };
        for part in literal[..folders]
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
        {
            node = node.children.entry(part.into()).or_default();
        }
        let name = literal[folders..].strip_prefix(b"/").unwrap_or(&literal[folders..]);
        match rest {
            [] => node.exact.push(entry),
            [Token::Any, Token::Deep] if name.is_empty() => node.below.push(entry),
            [Token::Deep] if name.is_empty() => {
                node.exact.push(entry);
                node.below.push(entry);
            }
            _ => {
                let first = (!name.is_empty()).then(|| Token::Literal(name.into()));
                let tokens: Box<[Token]> = first.into_iter().chain(rest.iter().cloned()).collect();
                node.tails.get_or_insert_default().add(Tail { entry, tokens });
            }
        }
    }

    /// The first rule at or after `from` of which a pattern matches the path for an operation in `mask`.
    /// The path is normal: absolute, without `.`, `..`, doubled or trailing separators.
    pub fn first(&self, path: &[u8], mask: u32, from: u32) -> Option<u32> {
        let mut best = u32::MAX;
        let mut node = &self.root;
        let mut rest = path.strip_prefix(b"/").unwrap_or(path);
        loop {
            if rest.is_empty() {
                pick(&node.exact, mask, from, &mut best);
                break;
            }
            pick(&node.below, mask, from, &mut best);
            if let Some(tails) = &node.tails {
                tails.first(rest, mask, from, &mut best);
            }
            let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
            let Some(child) = node.children.get(&rest[..end]) else {
                break;
            };
            node = child;
            rest = rest.get(end + 1..).unwrap_or(b"");
        }
        (best != u32::MAX).then_some(best)
    }
}

fn pick(entries: &[Entry], mask: u32, from: u32, best: &mut u32) {
    if let Some(entry) = entries
        .iter()
        .find(|entry| entry.mask & mask != 0 && entry.rule >= from)
    {
        *best = entry.rule.min(*best);
    }
}

impl Tails {
    fn add(&mut self, tail: Tail) {
        if let Some(part) = needed_part(&tail.tokens) {
            self.by_part.entry(part.into()).or_default().push(tail);
        } else if let Some(extension) = needed_extension(&tail.tokens) {
            self.by_extension.entry(extension.into()).or_default().push(tail);
        } else {
            self.others.push(tail);
        }
    }

    fn first(&self, rest: &[u8], mask: u32, from: u32, best: &mut u32) {
        if !self.by_part.is_empty() {
            for part in rest.split(|byte| *byte == b'/') {
                if let Some(tails) = self.by_part.get(part) {
                    try_tails(tails, rest, mask, from, best);
                }
            }
        }
        if !self.by_extension.is_empty()
            && let Some(extension) = extension(rest)
            && let Some(tails) = self.by_extension.get(extension)
        {
            try_tails(tails, rest, mask, from, best);
        }
        try_tails(&self.others, rest, mask, from, best);
    }
}

fn try_tails(tails: &[Tail], rest: &[u8], mask: u32, from: u32, best: &mut u32) {
    for tail in tails {
        if tail.entry.rule >= *best {
            return;
        }
        let counts = tail.entry.rule >= from && tail.entry.mask & mask != 0;
        if counts && matching::matches(&tail.tokens, rest, b'/') {
            *best = tail.entry.rule;
            return;
        }
    }
}

/// A whole part of the path that every match has.
fn needed_part(tokens: &[Token]) -> Option<&[u8]> {
    tokens.iter().enumerate().find_map(|(at, token)| {
        let Token::Literal(literal) = token else { return None };
        let starts = at == 0 || matches!(tokens[at - 1], Token::Folders);
        let ends = at + 1 == tokens.len();
        let mut parts: Vec<&[u8]> = literal.split(|byte| *byte == b'/').collect();
        if !ends {
            parts.pop();
        }
        let skip = usize::from(!starts).min(parts.len());
        parts.into_iter().skip(skip).find(|part| !part.is_empty())
    })
}

/// What every match has behind its last dot, if the pattern's last part ends in a literal with one.
fn needed_extension(tokens: &[Token]) -> Option<&[u8]> {
    match tokens.last() {
        Some(Token::Literal(literal)) => extension(literal),
        _ => None,
    }
}

fn extension(path: &[u8]) -> Option<&[u8]> {
    let name = path.rsplit(|byte| *byte == b'/').next()?;
    name.iter().rposition(|byte| *byte == b'.').map(|dot| &name[dot + 1..])
}

/// A hasher for parts of paths. The keys come from the policy, so nobody can choose colliding ones.
#[derive(Debug, Default)]
struct PartHasher(u64);

impl Hasher for PartHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            self.write_u64(rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
    fn finish(&self) -> u64 {
        // The table takes its tag from the top bits and its slot from the low ones.
        self.0 ^ (self.0 >> 29)
    }
}
