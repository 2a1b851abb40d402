//! From the texts of a document to what is matched.

use std::net::IpAddr;
use std::time::Duration;

use regex::bytes::{RegexSet, RegexSetBuilder};

use super::{Links, RuleRef, Verdict};
use crate::error::{LoadError, Source};
use crate::glob::{Glob, Token};
use crate::place::At;
use crate::quantity::Time;
use crate::vars::{Variables, normal};
use crate::words::{Decision, List};

/// The most memory that the regular expressions of one rule may take.
const REGEX_SIZE: usize = 1 << 20;

/// What all compiled rules have.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub name: Box<str>,
    pub decision: Decision,
    pub template: Option<Box<str>>,
    pub timeout: Option<Duration>,
}

impl Common {
    pub fn new(name: &At<String>, decision: Decision, template: Option<&String>, timeout: Option<Time>) -> Common {
        Common {
            name: name.value.as_str().into(),
            decision,
            template: template.map(|text| text.as_str().into()),
            timeout: timeout.map(|time| time.0).filter(|time| !time.is_zero()),
        }
    }

    pub fn verdict<'p>(&'p self, list: List, place: RuleRef, policy: &'p str) -> Verdict<'p> {
        Verdict {
            decision: self.decision,
            list,
            rule: Some(&self.name),
            place: Some(place),
            deciding: place.alone(),
            policy,
            template: self.template.as_deref(),
            timeout: self.timeout,
            ..Verdict::NOTHING
        }
    }
}

/// What compiling needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Compiler<'a> {
    pub source: &'a Source,
    pub variables: &'a Variables,
    pub links: &'a Links,
    /// Patterns on paths and names of files are made for folded ones.
    pub folds: bool,
}

impl Compiler<'_> {
    /// The text with its variables as a pattern; `None` where a variable has no value in this session.
    fn expanded(&self, text: &At<String>) -> Result<Option<Vec<u8>>, LoadError> {
        self.variables
            .pattern(text)
            .map_err(|problem| self.variable_error(text, &problem))
    }

    fn variable_error(&self, text: &At<String>, problem: &crate::vars::VariableError) -> LoadError {
        let error = self.source.error(text.range(), problem.to_string());
        match problem {
            crate::vars::VariableError::Undefined(name) => error
                .expecting(crate::vars::NAMES.map(|name| format!("`${{{name}}}`")).join(", "))
                .suggesting_nearest(name, crate::vars::NAMES),
            _ => error,
        }
    }

    /// The text with its variables replaced; `None` where a variable has no value in this session.
    pub fn text(&self, text: &At<String>) -> Result<Option<Vec<u8>>, LoadError> {
        self.variables
            .text(text)
            .map_err(|problem| self.variable_error(text, &problem))
    }

    pub fn glob(&self, text: &At<String>, pattern: &[u8], separator: u8) -> Result<Glob, LoadError> {
        let glob = Glob::new(pattern, separator)
            .map_err(|problem| self.source.error(text.range(), format!("`{}`: {problem}", text.value)))?;
        Ok(if self.folds { glob.folded() } else { glob })
    }

    /// A name pattern: of variables, domains, base names.
    pub fn name_glob(&self, text: &At<String>, separator: u8) -> Result<Option<Glob>, LoadError> {
        let Some(pattern) = self.expanded(text)? else {
            return Ok(None);
        };
        self.glob(text, &pattern, separator).map(Some)
    }

    /// A path pattern, and the same under the targets of links.
    pub fn path_globs(&self, text: &At<String>) -> Result<Vec<Glob>, LoadError> {
        let Some(pattern) = self.expanded(text)? else {
            return Ok(Vec::new());
        };
        let pattern = normal(&pattern);
        self.check_path(text, &pattern)?;
        let written = self.glob(text, &pattern, b'/')?;
        if !written.alternatives().iter().all(|tokens| is_absolute(tokens)) {
            return Err(self.relative(text));
        }
        let mut globs = vec![written];
        for (link, target) in &self.variables.links {
            if let Some(below) = pattern.strip_prefix(link.as_slice())
                && (below.is_empty() || below.starts_with(b"/"))
            {
                let other = normal(&[crate::glob::escape(target).as_slice(), below].concat());
                globs.push(self.glob(text, &other, b'/')?);
            }
        }
        Ok(globs)
    }

    /// The pattern for where the literal beginning of a path pattern leads through links of this host, for rules that
    /// stop something; `whole` as for [`Glob::led`].
    pub fn led_glob(&self, text: &At<String>, whole: bool) -> Result<Option<Glob>, LoadError> {
        let Some(pattern) = self.expanded(text)? else {
            return Ok(None);
        };
        let written = Compiler { folds: false, ..*self }.glob(text, &normal(&pattern), b'/')?;
        let led = written.led(whole, |beginning| self.links.lead(beginning));
        Ok(led.map(|glob| if self.folds { glob.folded() } else { glob }))
    }

    fn check_path(&self, text: &At<String>, pattern: &[u8]) -> Result<(), LoadError> {
        let absolute = pattern.starts_with(b"/") || pattern.starts_with(b"**") || pattern.starts_with(b"{");
        if !absolute {
            return Err(self.relative(text));
        }
        if pattern
            .split(|byte| *byte == b'/')
            .any(|part| part == b"." || part == b"..")
        {
            let message = format!(
                "`{}` would never match: resolved paths have no `.` and `..`",
                text.value
            );
            return Err(self.source.error(text.range(), message));
        }
        Ok(())
    }

    fn relative(&self, text: &At<String>) -> LoadError {
        let help = match text.strip_prefix("~/") {
            Some(rest) => format!("write `${{HOME}}/{rest}`"),
            None if text.value == "*" => "write `**` for every path".to_owned(),
            None => format!("write `${{PROJECT_ROOT}}/{0}` or `**/{0}`", text.value),
        };
        let message = format!("`{}` would never match: paths are absolute", text.value);
        self.source
            .error(text.range(), message)
            .expecting("a path or glob that begins with `/`, `**` or a variable")
            .suggesting(help)
    }

    /// Regular expressions of which any may match.
    pub fn regexes(&self, patterns: &[At<String>]) -> Result<Option<RegexSet>, LoadError> {
        if patterns.is_empty() {
            return Ok(None);
        }
        for pattern in patterns {
            build_set([pattern.as_str()]).map_err(|problem| {
                let text = problem.to_string();
                let reason = text.lines().last().unwrap_or("").trim().trim_start_matches("error: ");
                self.source.error(
                    pattern.range(),
                    format!("not a regular expression that is supported: {reason}"),
                )
            })?;
        }
        let all = patterns.iter().map(|pattern| pattern.as_str());
        build_set(all).map(Some).map_err(|_| {
            self.source.error(
                patterns[0].range(),
                format!("together these expressions exceed {REGEX_SIZE} bytes"),
            )
        })
    }
}

/// Whether a pattern can match an absolute path by how it begins.
fn is_absolute(tokens: &[Token]) -> bool {
    match tokens.first() {
        Some(Token::Literal(literal)) => literal.starts_with(b"/"),
        first => matches!(first, Some(Token::Deep | Token::Folders)),
    }
}

/// Arguments are bytes: where a pattern allows it, `.` takes any byte, so that no odd byte hides what follows it.
fn build_set<'a>(patterns: impl IntoIterator<Item = &'a str> + Clone) -> Result<RegexSet, regex::Error> {
    let build = |unicode: bool| {
        RegexSetBuilder::new(patterns.clone())
            .unicode(unicode)
            .dot_matches_new_line(true)
            .size_limit(REGEX_SIZE)
            .build()
    };
    build(false).or_else(|_| build(true))
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cidr {
    base: IpAddr,
    prefix: u8,
}

impl Cidr {
    pub fn parse(text: &str) -> Option<Cidr> {
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (base, Some(prefix.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let longest = if base.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        (prefix <= longest).then_some(Cidr { base, prefix })
    }

    /// The base, and how many of its bits count.
    pub fn parts(&self) -> (IpAddr, u8) {
        (self.base, self.prefix)
    }

    /// Whether the address is inside; an IPv4 address in its IPv6 form is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                base.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                base.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_ranges_are_compared_by_their_prefix() {
        let contains = |cidr: &str, address: &str| {
            Cidr::parse(cidr)
                .zip(address.parse().ok())
                .is_some_and(|(cidr, address)| cidr.contains(address))
        };
        assert!(contains("169.254.0.0/16", "169.254.169.254") && contains("169.254.0.0/16", "::ffff:169.254.1.1"));
        assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "2001:db8::1") && contains("fd00::/8", "fd12::1") && !contains("fd00::/8", "fe80::1"));
        assert!(contains("127.0.0.1", "127.0.0.1") && !contains("127.0.0.1", "127.0.0.2"));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "x/8", "10.0.0.0/-1", "::/129"] {
            assert_eq!(Cidr::parse(bad), None, "{bad}");
        }
    }
}
