use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::Cache;
use regex_automata::meta;
use regex_automata::util::primitives::PatternID;
use regex_automata::{Anchored, Input};

use super::Patterns;
use super::patterns::CACHE_CAPACITY;

/// The longest secret that is recognised, in bytes, and so the most that is ever held back. Of a longer
/// match the part is masked that already matches within this length.
pub const MAX_SECRET: usize = 8192;

/// What a look-behind can see before the first byte that is not yet decided (a whole character).
const CONTEXT: usize = 4;

/// Masks the secrets of one stream.
pub struct Redactor {
    patterns: Patterns,
    search: meta::Cache,
    alive: Cache,
    /// Decided bytes as context, then the undecided ones from `next` on.
    bytes: Vec<u8>,
    next: usize,
    masked: u64,
}

struct Found {
    pattern: PatternID,
    start: usize,
    end: usize,
}

impl Redactor {
    /// A redactor at the start of a stream.
    pub fn new(patterns: Patterns) -> Self {
        let search = patterns.0.search.create_cache();
        let alive = patterns.0.alive.create_cache();
        Redactor {
            patterns,
            search,
            alive,
            bytes: Vec::new(),
            next: 0,
            masked: 0,
        }
    }

    /// Takes a piece of the stream and appends to `out` all bytes that are decided by now.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.bytes.extend_from_slice(piece);
        self.decide(false, out);
    }

    /// The stream has ended: the rest is appended to `out`.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.decide(true, out);
    }

    /// How many bytes are held back.
    pub fn held(&self) -> usize {
        self.bytes.len() - self.next
    }

    /// How many secrets have been masked.
    pub fn masked(&self) -> u64 {
        self.masked
    }

    fn decide(&mut self, ended: bool, out: &mut Vec<u8>) {
        let mut hold = self.hold(self.next, ended);
        let mut from = self.next;
        while let Some(found) = self.find(from, hold) {
            let (start, end) = self
                .patterns
                .0
                .secret_of(&self.bytes, found.pattern, found.start, found.end);
            out.extend_from_slice(&self.bytes[self.next..start]);
            out.extend(self.bytes[start..end].iter().map(|byte| mask(*byte)));
            out.extend_from_slice(&self.bytes[end..found.end]);
            self.masked += 1;
            self.next = found.end;
            from = found.end;
            if found.end > hold {
                hold = self.hold(found.end, ended);
            }
        }
        out.extend_from_slice(&self.bytes[self.next..hold]);
        self.next = hold;
        let done = self.next.saturating_sub(CONTEXT);
        if done > MAX_SECRET || done == self.bytes.len().saturating_sub(CONTEXT) {
            self.bytes.drain(..done);
            self.next -= done;
        }
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

    /// The first match that begins at or after `from` and before `hold`, no longer than [`MAX_SECRET`].
    fn find(&mut self, mut from: usize, hold: usize) -> Option<Found> {
        while from < hold {
            let input = Input::new(&self.bytes).range(from..);
            let found = self.patterns.0.search.search_with(&mut self.search, &input)?;
            if found.start() >= hold {
                return None;
            }
            let mut found = Found {
                pattern: found.pattern(),
                start: found.start(),
                end: found.end(),
            };
            if found.end - found.start > MAX_SECRET {
                let short = Input::new(&self.bytes)
                    .range(found.start..found.start + MAX_SECRET)
                    .anchored(Anchored::Yes);
                match self.patterns.0.search.search_with(&mut self.search, &short) {
                    Some(short) => {
                        found = Found {
                            pattern: short.pattern(),
                            start: short.start(),
                            end: short.end(),
                        };
                    }
                    None => found.end = found.start,
                }
            }
            if found.end > found.start {
                return Some(found);
            }
            from = found.start + 1;
        }
        None
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

fn mask(byte: u8) -> u8 {
    match byte {
        b'\n' | b'\r' => byte,
        _ => b'*',
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
