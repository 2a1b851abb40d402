use std::sync::Arc;

use regex_automata::meta::Regex;
use regex_automata::util::primitives::PatternID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, hybrid};

use super::Redactor;
use super::defaults::DEFAULTS;

/// What one compiled automaton may take in memory.
const SIZE_LIMIT: usize = 16 << 20;

/// A pattern cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// It does not compile, or grows too large.
    #[error("redaction pattern `{pattern}`: {reason}")]
    Invalid {
        /// As it was written.
        pattern: String,
        /// What the compiler says.
        reason: String,
    },
    /// It matches nothing at all between any two bytes.
    #[error("redaction pattern `{0}` matches the empty text")]
    Empty(String),
    /// Together they grow too large.
    #[error("the redaction patterns together are too large: {0}")]
    TooLarge(String),
}

/// What the states of a running automaton may take; far more than those of one walk over
/// [`super::MAX_SECRET`] bytes can.
pub(super) const CACHE_CAPACITY: usize = 32 << 20;

/// Compiled redaction patterns; cloning is cheap.
///
/// A pattern is a regular expression of the `regex` crate over bytes: `\w`, `\d`, `\s`, `\b` are ASCII
/// unless `(?u)` is set. If it has a group named `secret`, only that group is masked.
#[derive(Debug, Clone)]
pub struct Patterns(pub(super) Arc<Compiled>);

#[derive(Debug)]
pub(super) struct Compiled {
    /// Finds matches, with whatever fast path fits.
    pub(super) search: Regex,
    /// Says whether a match that begins at a place may still come.
    pub(super) alive: hybrid::dfa::DFA,
    /// The bytes with which a match can begin.
    pub(super) first: [bool; 256],
    /// For each pattern the index of its group `secret`.
    secret: Vec<Option<usize>>,
}

impl Patterns {
    /// `extra` (the policy's) before the defaults.
    ///
    /// # Errors
    /// The first pattern that is unusable, by its text.
    pub fn new<S: AsRef<str>>(extra: &[S]) -> Result<Patterns, PatternError> {
        let all: Vec<&str> = extra
            .iter()
            .map(AsRef::as_ref)
            .chain(DEFAULTS.iter().copied())
            .collect();
        for pattern in extra {
            check(pattern.as_ref())?;
        }
        let too_large = |error: String| PatternError::TooLarge(error);
        let search = Regex::builder()
            .syntax(syntax())
            .configure(Regex::config().nfa_size_limit(Some(SIZE_LIMIT)).utf8_empty(false))
            .build_many(&all)
            .map_err(|error| too_large(error.to_string()))?;
        let alive = hybrid::dfa::DFA::builder()
            .syntax(syntax())
            .thompson(
                regex_automata::nfa::thompson::Config::new()
                    .utf8(false)
                    .nfa_size_limit(Some(SIZE_LIMIT)),
            )
            .configure(hybrid::dfa::Config::new().cache_capacity(CACHE_CAPACITY))
            .build_many(&all)
            .map_err(|error| too_large(error.to_string()))?;
        let secret = (0..all.len())
            .map(|index| search.group_info().to_index(PatternID::new_unchecked(index), "secret"))
            .collect();
        let first = first_bytes(&alive);
        Ok(Patterns(Arc::new(Compiled {
            search,
            alive,
            first,
            secret,
        })))
    }

    /// A short text (a command line, a label) with its secrets masked.
    pub fn text(&self, text: &str) -> String {
        let mut bytes = Vec::with_capacity(text.len());
        let mut redactor = Redactor::new(self.clone());
        redactor.push(text.as_bytes(), &mut bytes);
        redactor.finish(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Compiled {
    /// The part of the match `[start, end)` of `pattern` that is to be masked.
    pub(super) fn secret_of(&self, bytes: &[u8], pattern: PatternID, start: usize, end: usize) -> (usize, usize) {
        let Some(Some(group)) = self.secret.get(pattern.as_usize()) else {
            return (start, end);
        };
        let mut found = self.search.create_captures();
        let input = Input::new(bytes).range(start..end).anchored(Anchored::Pattern(pattern));
        self.search.captures(input, &mut found);
        match found.get_group(*group) {
            Some(span) => (span.start, span.end),
            None => (start, end),
        }
    }
}

fn syntax() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

/// Compiles one pattern alone, so that an error names it.
fn check(pattern: &str) -> Result<(), PatternError> {
    let invalid = |reason: String| PatternError::Invalid {
        pattern: pattern.to_owned(),
        reason,
    };
    let regex = Regex::builder()
        .syntax(syntax())
        .configure(Regex::config().nfa_size_limit(Some(SIZE_LIMIT / 4)).utf8_empty(false))
        .build(pattern)
        .map_err(|error| {
            invalid(
                error
                    .syntax_error()
                    .map_or_else(|| error.to_string(), ToString::to_string),
            )
        })?;
    if regex.is_match(b"") {
        return Err(PatternError::Empty(pattern.to_owned()));
    }
    hybrid::dfa::DFA::builder()
        .syntax(syntax())
        .build(pattern)
        .map_err(|error| invalid(error.to_string()))?;
    Ok(())
}

/// The bytes after which the automaton, begun in any context, is not dead.
fn first_bytes(dfa: &hybrid::dfa::DFA) -> [bool; 256] {
    let mut cache = dfa.create_cache();
    let mut first = [false; 256];
    // The contexts that a look-behind can tell apart: the start, line ends, a word, anything else.
    for context in [&b""[..], b"\n", b"\r", b"a", b" "] {
        let input = Input::new(context).range(context.len()..).anchored(Anchored::Yes);
        let start = dfa.start_state_forward(&mut cache, &input);
        for byte in 0..=255u8 {
            let next = start
                .as_ref()
                .ok()
                .and_then(|start| dfa.next_state(&mut cache, *start, byte).ok());
            first[usize::from(byte)] |= next.is_none_or(|next| !next.is_dead());
        }
    }
    first
}
