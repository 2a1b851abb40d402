use std::sync::Arc;

use regex_automata::meta::Regex;
use regex_automata::util::primitives::PatternID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, hybrid};

use super::credentials::CREDENTIALS;
use super::personal::PERSONAL;

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

/// What kind of thing a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Class {
    /// A token or password.
    Credential,
    /// A private key.
    PrivateKey,
    /// A mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A payment card's number.
    Card,
    /// A US social security number.
    Ssn,
    /// A string that looks drawn by lot.
    Entropy,
    /// A pattern of the operator's own.
    Custom,
}

impl Class {
    /// Those that are built in.
    pub const BUILT_IN: [Class; 7] = [
        Class::Credential,
        Class::PrivateKey,
        Class::Email,
        Class::Phone,
        Class::Card,
        Class::Ssn,
        Class::Entropy,
    ];

    /// Its name in configurations and records.
    pub fn name(self) -> &'static str {
        match self {
            Class::Credential => "api_keys",
            Class::PrivateKey => "private_keys",
            Class::Email => "email",
            Class::Phone => "phone",
            Class::Card => "credit_card",
            Class::Ssn => "ssn",
            Class::Entropy => "entropy",
            Class::Custom => "custom",
        }
    }
}

/// How a [`replacement`] begins.
const REPLACED: &[u8] = b"[REDACTED:";

/// What can stand in the place of what the rule `name` found, and is not found again.
pub fn replacement(name: &str) -> String {
    format!("[REDACTED:{name}]")
}

/// What else must hold of a match: how many bytes from its start are a finding, or `None`.
pub(super) type Check = fn(&[u8]) -> Option<usize>;

/// One pattern.
///
/// It is a regular expression of the `regex` crate over bytes: `\w`, `\d`, `\s`, `\b` are ASCII
/// unless `(?u)` is set. If it has a group named `secret`, only that group is a finding.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What findings are counted under.
    pub name: String,
    /// The expression.
    pub pattern: String,
    check: Option<Check>,
}

impl Rule {
    /// A pattern of the operator's own.
    pub fn custom(name: &str, pattern: &str) -> Rule {
        Rule {
            name: name.to_owned(),
            pattern: pattern.to_owned(),
            check: None,
        }
    }

    /// A text as it stands.
    pub fn literal(name: &str, text: &str) -> Rule {
        let escaped: String = text.bytes().map(|byte| format!(r"\x{byte:02x}")).collect();
        Rule::custom(name, &escaped)
    }

    /// Those that are built in for a class.
    pub fn built_in(class: Class) -> impl Iterator<Item = Rule> {
        let rule = move |pattern: &str, check| Rule {
            name: class.name().to_owned(),
            pattern: pattern.to_owned(),
            check,
        };
        let plain = CREDENTIALS.iter().filter(move |(kind, _)| *kind == class);
        let checked = PERSONAL.iter().filter(move |(kind, ..)| *kind == class);
        plain
            .map(move |(_, pattern)| rule(pattern, None))
            .chain(checked.map(move |(_, pattern, check)| rule(pattern, *check)))
    }
}

/// Compiled patterns; cloning is cheap.
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
    rules: Vec<Rule>,
    /// For each pattern the index of its group `secret`.
    secret: Vec<Option<usize>>,
}

/// A match that is a finding: the secret part, and where the match ends.
pub(super) struct Secret {
    pub start: usize,
    pub end: usize,
    pub whole: usize,
}

impl Patterns {
    /// `extra` before the built-in credentials and private keys: what recordings mask.
    ///
    /// # Errors
    /// The first pattern that is unusable, by its text.
    pub fn credentials<S: AsRef<str>>(extra: &[S]) -> Result<Patterns, PatternError> {
        let extra = extra
            .iter()
            .map(|pattern| Rule::custom(Class::Custom.name(), pattern.as_ref()));
        let built_in = [Class::Credential, Class::PrivateKey]
            .into_iter()
            .flat_map(Rule::built_in);
        Patterns::compile(extra.chain(built_in).collect())
    }

    /// These rules; of several that match at the same place the first is found.
    ///
    /// # Errors
    /// The first pattern that is unusable, by its text.
    pub fn compile(rules: Vec<Rule>) -> Result<Patterns, PatternError> {
        let all: Vec<&str> = rules.iter().map(|rule| rule.pattern.as_str()).collect();
        for pattern in &all {
            check(pattern)?;
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
            rules,
            secret,
        })))
    }

    /// The name of the rule with this number.
    pub fn name(&self, rule: usize) -> &str {
        self.0.rules.get(rule).map_or("", |rule| &rule.name)
    }
}

impl Compiled {
    /// What of the match `[start, end)` of `pattern` is a finding, if its check agrees.
    pub(super) fn accept(&self, bytes: &[u8], pattern: PatternID, start: usize, end: usize) -> Option<Secret> {
        let whole = match self.rules.get(pattern.as_usize()).and_then(|rule| rule.check) {
            Some(check) => start + check(&bytes[start..end])?,
            None => end,
        };
        let (start, end) = self.secret_of(bytes, pattern, start, whole);
        (!self.is_replaced(bytes, start, end)).then_some(Secret { start, end, whole })
    }

    /// Whether the secret `[start, end)` is what stands in the place of one that was found before, or its end.
    fn is_replaced(&self, bytes: &[u8], start: usize, end: usize) -> bool {
        let secret = &bytes[start..end];
        let rest = secret.strip_prefix(REPLACED).or_else(|| {
            let leads = bytes[..start].ends_with(REPLACED);
            leads.then_some(secret)
        });
        let name = rest.and_then(|rest| rest.strip_suffix(b"]"));
        name.is_some_and(|name| self.rules.iter().any(|rule| rule.name.as_bytes() == name))
    }

    /// The patterns that are tried where `refused` was refused by its check.
    pub(super) fn after(&self, refused: PatternID) -> impl Iterator<Item = PatternID> {
        (refused.as_usize() + 1..self.rules.len()).map(PatternID::new_unchecked)
    }

    /// The part of the match `[start, end)` of `pattern` that is secret.
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
