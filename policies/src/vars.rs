//! Variables: `${NAME}` and `${NAME:-default}` in paths, hosts, commands and redirects.

use crate::glob::escape;

/// Paths, each with a place to which links led it.
pub type Leads = Vec<(Vec<u8>, Vec<u8>)>;

/// What the variables of a session stand for. All paths are absolute and resolved (no links in them),
/// because what is judged is resolved too.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    /// The session's workspace; without one, patterns that need it match nothing.
    pub project_root: Option<Vec<u8>>,
    /// The top of the git work tree around the workspace; without one, patterns that need it match nothing.
    pub git_root: Option<Vec<u8>>,
    /// The home of the session's user, from the account database.
    pub home: Vec<u8>,
    pub user: Vec<u8>,
    /// `/tmp` unless the operator says otherwise; never from the caller's environment.
    pub tmpdir: Vec<u8>,
    /// Links of this host and where they lead, such as `/bin` → `/usr/bin`: a pattern under a link is
    /// taken for what is under its target too. [`crate::host_links`] finds them.
    pub links: Leads,
    /// Where other links led before, for a policy that is resolved again: what rules stop there stays stopped as long as
    /// the session lives. [`crate::Policy::leads`] says it.
    pub leads: Leads,
    /// Mount points below which names that differ in case or form may be one name: there a pattern is taken for every
    /// spelling of what it matches. [`crate::host_folding`] finds them.
    pub folding: Vec<Vec<u8>>,
}

/// Why a text with variables means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VariableError {
    #[error("the variable `{0}` is not defined and has no default")]
    Undefined(String),
    #[error("`${{` is never closed")]
    Unclosed,
    #[error("`{0}` is no variable name (capital letters, digits and `_`)")]
    BadName(String),
    #[error("defaults stand in each other deeper than {MAX_DEPTH}")]
    TooDeep,
}

/// So many defaults may stand in each other.
const MAX_DEPTH: usize = 8;

/// The names that a policy may use.
pub const NAMES: [&str; 5] = ["PROJECT_ROOT", "GIT_ROOT", "HOME", "USER", "TMPDIR"];

/// A piece of a text with variables.
enum Piece<'a> {
    Text(&'a str),
    Variable { name: &'a str, default: Option<&'a str> },
}

impl Variables {
    /// The value of a variable: `Some(None)` for one that exists but has no value in this session.
    fn value(&self, name: &str) -> Option<Option<&[u8]>> {
        match name {
            "PROJECT_ROOT" => Some(self.project_root.as_deref()),
            "GIT_ROOT" => Some(self.git_root.as_deref()),
            "HOME" => Some(Some(&self.home)),
            "USER" => Some(Some(&self.user)),
            "TMPDIR" => Some(Some(&self.tmpdir)),
            _ => None,
        }
    }

    /// All variables with their values.
    pub(crate) fn values(&self) -> Vec<(&'static str, Option<Vec<u8>>)> {
        NAMES
            .map(|name| (name, self.value(name).flatten().map(<[u8]>::to_vec)))
            .to_vec()
    }

    /// The text as a pattern, in which values stand for themselves; `None` if a variable has no value here.
    ///
    /// # Errors
    /// Undefined variables, broken `${`.
    pub fn pattern(&self, text: &str) -> Result<Option<Vec<u8>>, VariableError> {
        self.expand(text, escape, 0)
    }

    /// The text with its variables replaced; `None` if a variable has no value here.
    ///
    /// # Errors
    /// As [`Variables::pattern`].
    pub fn text(&self, text: &str) -> Result<Option<Vec<u8>>, VariableError> {
        self.expand(text, <[u8]>::to_vec, 0)
    }

    fn expand(&self, text: &str, put: fn(&[u8]) -> Vec<u8>, depth: usize) -> Result<Option<Vec<u8>>, VariableError> {
        if depth > MAX_DEPTH {
            return Err(VariableError::TooDeep);
        }
        let mut out = Vec::with_capacity(text.len());
        let mut complete = true;
        for piece in pieces(text)? {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Variable { name, default } => {
                    // Read also where it does not count: what is wrong with it is wrong in every session.
                    let default = match default {
                        Some(default) => Some(self.expand(default, put, depth + 1)?),
                        None => None,
                    };
                    match (self.value(name), default) {
                        (Some(Some(value)), _) => out.extend(put(value)),
                        (_, Some(Some(default))) => out.extend(default),
                        (Some(None), None) | (_, Some(None)) => complete = false,
                        (None, None) => return Err(VariableError::Undefined(name.to_owned())),
                    }
                }
            }
        }
        Ok(complete.then_some(out))
    }
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, VariableError> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        found.push(Piece::Text(&rest[..start]));
        let inside = &rest[start + 2..];
        let end = end_of(inside).ok_or(VariableError::Unclosed)?;
        let (name, default) = match inside[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inside[..end], None),
        };
        let form = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || !name.bytes().all(form) || name.as_bytes()[0].is_ascii_digit() {
            return Err(VariableError::BadName(name.to_owned()));
        }
        found.push(Piece::Variable { name, default });
        rest = &inside[end + 1..];
    }
    found.push(Piece::Text(rest));
    Ok(found)
}

/// Where the `}` is that ends a variable: a default may have variables and braces of its own.
fn end_of(inside: &str) -> Option<usize> {
    let mut open = 0usize;
    let mut escaped = false;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'{' => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

/// A path pattern without doubled separators and without one at its end.
pub fn normal(pattern: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(pattern.len());
    for byte in pattern {
        if *byte != b'/' || out.last() != Some(&b'/') {
            out.push(*byte);
        }
    }
    if out.len() > 1 && out.last() == Some(&b'/') {
        out.pop();
    }
    out
}

#[cfg(test)]
pub(crate) fn normal_text(pattern: &str) -> String {
    String::from_utf8_lossy(&normal(pattern.as_bytes())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        Variables {
            project_root: Some(b"/work/[x]*".to_vec()),
            home: b"/root".to_vec(),
            ..Variables::default()
        }
    }

    #[test]
    fn values_stand_for_themselves_inside_patterns() {
        assert_eq!(
            variables().pattern("${PROJECT_ROOT}/**"),
            Ok(Some(b"/work/\\[x\\]\\*/**".to_vec()))
        );
        assert_eq!(
            variables().text("${PROJECT_ROOT}/a"),
            Ok(Some(b"/work/[x]*/a".to_vec()))
        );
    }

    #[test]
    fn a_variable_without_a_value_here_is_no_error_but_an_unknown_one_is() {
        assert_eq!(variables().pattern("${GIT_ROOT}/x"), Ok(None));
        assert_eq!(variables().pattern("${GIT_ROOT:-/tmp}/x"), Ok(Some(b"/tmp/x".to_vec())));
        assert_eq!(
            variables().pattern("${NOPE}/x"),
            Err(VariableError::Undefined("NOPE".into()))
        );
        assert_eq!(variables().pattern("${NOPE:-/y}/x"), Ok(Some(b"/y/x".to_vec())));
        assert_eq!(variables().pattern("${HOME"), Err(VariableError::Unclosed));
        assert_eq!(variables().pattern("${}"), Err(VariableError::BadName(String::new())));
        assert_eq!(variables().pattern("$HOME"), Ok(Some(b"$HOME".to_vec())));
    }

    #[test]
    fn a_default_may_have_variables_and_braces_of_its_own() {
        let pattern = |text: &str| variables().pattern(text);
        assert_eq!(pattern("${GIT_ROOT:-${HOME}}/x"), Ok(Some(b"/root/x".to_vec())));
        assert_eq!(pattern("${HOME:-${USER}}/x"), Ok(Some(b"/root/x".to_vec())));
        assert_eq!(
            pattern("${GIT_ROOT:-${NO:-${PROJECT_ROOT}}}"),
            Ok(Some(b"/work/\\[x\\]\\*".to_vec()))
        );
        assert_eq!(pattern("${HOME:-{/a,/b}}/x"), Ok(Some(b"/root/x".to_vec())));
        assert_eq!(pattern("${GIT_ROOT:-{/a,/b}}/x"), Ok(Some(b"{/a,/b}/x".to_vec())));
        assert_eq!(pattern("${NO:-${GIT_ROOT}}/x"), Ok(None));
        assert_eq!(pattern("${HOME:-${NO}}"), Err(VariableError::Undefined("NO".into())));
        assert_eq!(pattern("${GIT_ROOT:-${HOME}"), Err(VariableError::Unclosed));
        let deep = format!("{}x{}", "${NO:-".repeat(100_000), "}".repeat(100_000));
        assert_eq!(pattern(&deep), Err(VariableError::TooDeep));
    }

    #[test]
    fn separators_are_not_doubled() {
        assert_eq!(normal(b"//a///b/"), b"/a/b");
        assert_eq!(normal(b"/"), b"/");
    }
}
