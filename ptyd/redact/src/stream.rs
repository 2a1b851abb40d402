use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::Cache;
use regex_automata::meta;
use regex_automata::util::primitives::PatternID;
use regex_automata::{Anchored, Input};

use super::Patterns;
use super::patterns::{CACHE_CAPACITY, Secret};

/// The longest secret that is recognised, in bytes, and so the most that is ever held back. Of a longer
/// match the part is masked that already matches within this length.
pub const MAX_SECRET: usize = 8192;

/// What a look-behind can see before the first byte that is not yet decided (a whole character).
const CONTEXT: usize = 4;

/// A part of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// In no finding.
    Plain(&'a [u8]),
    /// All of one finding.
    Found {
        /// The number of the rule that found it.
        rule: usize,
        /// What was found.
        bytes: &'a [u8],
    },
}

/// Finds what the patterns find in one stream.
pub struct Stream {
    patterns: Patterns,
    search: meta::Cache,
    alive: Cache,
    /// Decided bytes as context, then the undecided ones from `next` on.
    bytes: Vec<u8>,
    next: usize,
}

struct Found {
    pattern: PatternID,
    start: usize,
    secret: Secret,
}

/// How many matches are looked at in front of one secret that say nothing new, before the search there is given up:
/// a pattern with a long beginning matches again at each byte of it.
const TRIES: usize = 32;

impl Stream {
    /// The start of a stream.
    pub fn new(patterns: Patterns) -> Self {
        let search = patterns.0.search.create_cache();
        let alive = patterns.0.alive.create_cache();
        Stream {
            patterns,
            search,
            alive,
            bytes: Vec::new(),
            next: 0,
        }
    }

    /// Takes a piece of the stream; `out` gets all that is decided by now.
    pub fn push(&mut self, piece: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
        self.bytes.extend_from_slice(piece);
        self.decide(false, out);
    }

    /// The stream has ended: `out` gets the rest.
    pub fn finish(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        self.decide(true, out);
    }

    /// Takes a stream that is whole, whatever came before: nothing of it is held back, and so nothing is looked at twice.
    pub fn whole(&mut self, text: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
        self.bytes.clear();
        self.next = 0;
        self.bytes.extend_from_slice(text);
        self.decide(true, out);
    }

    /// How many bytes are held back.
    pub fn held(&self) -> usize {
        self.bytes.len() - self.next
    }

    fn decide(&mut self, ended: bool, out: &mut dyn FnMut(Piece<'_>)) {
        let mut hold = self.hold(self.next, ended);
        while let Some(found) = self.find(self.next, hold) {
            self.give(&found, out);
            if self.next > hold {
                hold = self.hold(self.next, ended);
            }
        }
        plain(&self.bytes[self.next..hold], out);
        self.next = hold;
        let done = self.next.saturating_sub(CONTEXT);
        if done > MAX_SECRET || done == self.bytes.len().saturating_sub(CONTEXT) {
            self.bytes.drain(..done);
            self.next -= done;
        }
    }

    /// Gives out a finding, and what stands before it: what only leads to a secret may hold another one.
    fn give(&mut self, found: &Found, out: &mut dyn FnMut(Piece<'_>)) {
        while let Some(other) = self.before(found) {
            self.give(&other, out);
        }
        let Found { pattern, start, secret } = found;
        if secret.start >= self.next {
            plain(&self.bytes[self.next..secret.start], out);
            self.next = secret.start;
        }
        // The other finding may reach into this one, or over its end.
        if secret.end > self.next || secret.end == secret.start {
            out(Piece::Found {
                rule: pattern.as_usize(),
                bytes: &self.bytes[self.next..secret.end.max(self.next)],
            });
            self.next = self.next.max(secret.end);
        }
        if self.next <= *start {
            plain(&self.bytes[self.next..secret.whole], out);
            self.next = secret.whole;
        }
    }

    /// The first other finding whose secret begins before that of `found`, within the same match. Bytes behind the
    /// match are not looked at: whether they have come yet must not matter.
    fn before(&mut self, found: &Found) -> Option<Found> {
        let Secret {
            start: until, whole, ..
        } = found.secret;
        let patterns = self.patterns.0.clone();
        let mut tries = 0;
        let mut from = found.start.max(self.next);
        while from < until && tries < TRIES {
            let mut one = None;
            let mut start = from;
            if start > found.start {
                let input = Input::new(&self.bytes[..whole]).range(from..);
                let first = patterns.search.search_with(&mut self.search, &input)?;
                start = first.start();
                one = Some((first.pattern(), first.end()));
            }
            let after = patterns.after(one.map_or(found.pattern, |(pattern, _)| pattern));
            for candidate in std::iter::once(one).chain(after.map(|other| {
                let input = Input::new(&self.bytes[..whole])
                    .range(start..)
                    .anchored(Anchored::Pattern(other));
                let first = patterns.search.search_with(&mut self.search, &input)?;
                Some((other, first.end()))
            })) {
                let Some((pattern, end)) = candidate else { continue };
                tries += 1;
                let secret = patterns.accept(&self.bytes, pattern, start, end);
                if let Some(secret) = secret.filter(|secret| secret.start < until && secret.end > secret.start) {
                    return Some(Found { pattern, start, secret });
                }
            }
            from = start + 1;
        }
        None
    }

    /// The first place at or after `from` at which a match may begin that depends on bytes to come.
    /// Before it everything is decided: each automaton begun there is dead, or has seen all it may see.
    fn hold(&mut self, from: usize, ended: bool) -> usize {
        let end = self.bytes.len();
        if ended {
            return end;
        }
        let first = &self.patterns.0.first;
        // A cleared cache would make a state that is held on to invalid: never let it come to that.
        if self.alive.memory_usage() > CACHE_CAPACITY / 4 {
            self.patterns.0.alive.reset_cache(&mut self.alive);
        }
        let window = from.max(end.saturating_sub(MAX_SECRET));
        (window..end)
            .filter(|at| first[usize::from(self.bytes[*at])])
            .find(|at| may_match(&self.patterns, &mut self.alive, &self.bytes, *at))
            .unwrap_or(end)
    }

    /// The first finding that begins at or after `from` and before `hold`, no longer than [`MAX_SECRET`].
    fn find(&mut self, mut from: usize, hold: usize) -> Option<Found> {
        while from < hold {
            let input = Input::new(&self.bytes).range(from..);
            let found = self.patterns.0.search.search_with(&mut self.search, &input)?;
            let start = found.start();
            if start >= hold {
                return None;
            }
            let limit = self.bytes.len().min(start + MAX_SECRET);
            let first = match found.end() <= limit {
                true => Some((found.pattern(), found.end())),
                false => self.anchored(start, limit, Anchored::Yes),
            };
            if let Some((pattern, end)) = first {
                let others = self.patterns.0.clone();
                let mut candidate = Some((pattern, end));
                let mut after = others.after(pattern);
                while let Some((pattern, end)) = candidate {
                    if let Some(secret) = others
                        .accept(&self.bytes, pattern, start, end)
                        .filter(|secret| secret.whole > start)
                    {
                        return Some(Found { pattern, start, secret });
                    }
                    candidate = after.find_map(|other| self.anchored(start, limit, Anchored::Pattern(other)));
                }
            }
            from = start + 1;
        }
        None
    }

    /// The match that begins at `start` and ends at `limit` or before.
    fn anchored(&mut self, start: usize, limit: usize, anchored: Anchored) -> Option<(PatternID, usize)> {
        let input = Input::new(&self.bytes).range(start..limit).anchored(anchored);
        let found = self.patterns.0.search.search_with(&mut self.search, &input)?;
        Some((found.pattern(), found.end()))
    }
}

fn plain(bytes: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
    if !bytes.is_empty() {
        out(Piece::Plain(bytes));
    }
}

/// Whether a match that begins at `at` may depend on bytes after the end of `bytes`.
fn may_match(patterns: &Patterns, cache: &mut Cache, bytes: &[u8], at: usize) -> bool {
    let dfa = &patterns.0.alive;
    let input = Input::new(bytes).range(at..).anchored(Anchored::Yes);
    let Ok(mut state) = dfa.start_state_forward(cache, &input) else {
        return true;
    };
    for byte in &bytes[at..] {
        match dfa.next_state(cache, state, *byte) {
            Ok(next) if next.is_dead() => return false,
            Ok(next) if next.is_quit() => return true,
            Ok(next) => state = next,
            Err(_) => return true,
        }
    }
    // A match is told one byte late, by a state that may have nothing else to wait for.
    !state.is_match() || goes_on(patterns, cache, state)
}

/// Whether any byte, or the end of the stream, could still lead on from `state`.
fn goes_on(patterns: &Patterns, cache: &mut Cache, state: LazyStateID) -> bool {
    let dfa = &patterns.0.alive;
    dfa.next_eoi_state(cache, state).is_ok_and(|end| end.is_match())
        || (0..=255).any(|byte| dfa.next_state(cache, state, byte).is_ok_and(|next| !next.is_dead()))
}
