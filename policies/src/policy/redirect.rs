//! Names and connections that lead elsewhere. Only the user's own policy may say so: one that narrows
//! could otherwise send traffic where the user never wanted it.

use std::net::IpAddr;

use regex::Regex;

use super::Policy;
use super::compile::Compiler;
use crate::error::LoadError;
use crate::model::{ConnectRedirect, DnsRedirect, TlsMode};
use crate::place::At;
use crate::words::{OnFailure, Visibility};

/// A name that resolves elsewhere.
#[derive(Debug)]
pub struct DnsTarget {
    pub rule: Box<str>,
    pub resolve_to: IpAddr,
    pub visibility: Visibility,
    pub on_failure: OnFailure,
    matches: Regex,
}

/// Where a redirected connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectTo {
    /// `host:port`.
    Host(String),
    /// The path of a unix socket.
    Unix(Vec<u8>),
}

/// A connection that goes elsewhere.
#[derive(Debug)]
pub struct ConnectTarget {
    pub rule: Box<str>,
    pub to: ConnectTo,
    /// The server name that TLS asks for instead.
    pub sni: Option<Box<str>>,
    pub visibility: Visibility,
    pub message: Option<Box<str>>,
    pub on_failure: OnFailure,
    matches: Regex,
}

fn regex(compiler: Compiler<'_>, pattern: &At<String>) -> Result<Regex, LoadError> {
    regex::RegexBuilder::new(pattern)
        .case_insensitive(true)
        .size_limit(1 << 20)
        .build()
        .map_err(|problem| {
            let text = problem.to_string();
            let reason = text
                .lines()
                .last()
                .unwrap_or("")
                .trim_start_matches("error: ")
                .to_owned();
            compiler
                .source
                .error(pattern.range(), format!("not a regular expression: {reason}"))
        })
}

impl DnsTarget {
    pub(super) fn compile(compiler: Compiler<'_>, rule: &DnsRedirect) -> Result<DnsTarget, LoadError> {
        let resolve_to = rule.resolve_to.parse();
        Ok(DnsTarget {
            rule: rule.name.value.as_str().into(),
            resolve_to: resolve_to.map_err(|_| compiler.source.error(rule.resolve_to.range(), "no address"))?,
            visibility: rule.visibility,
            on_failure: rule.on_failure,
            matches: regex(compiler, &rule.matches)?,
        })
    }
}

impl ConnectTarget {
    /// `None` where a variable has no value in this session.
    pub(super) fn compile(compiler: Compiler<'_>, rule: &ConnectRedirect) -> Result<Option<ConnectTarget>, LoadError> {
        let matches = regex(compiler, &rule.matches)?;
        let text = |text: &Option<At<String>>| text.as_ref().map(|text| compiler.text(text)).transpose();
        let to = match (
            text(&rule.redirect_to)?.flatten(),
            text(&rule.redirect_to_unix)?.flatten(),
        ) {
            (Some(host), _) => ConnectTo::Host(String::from_utf8_lossy(&host).into_owned()),
            (None, Some(path)) => ConnectTo::Unix(path),
            (None, None) => return Ok(None),
        };
        let sni = rule.tls.sni.as_ref().filter(|_| rule.tls.mode == TlsMode::RewriteSni);
        Ok(Some(ConnectTarget {
            rule: rule.name.value.as_str().into(),
            to,
            sni: sni.map(|sni| sni.value.as_str().into()),
            visibility: rule.visibility,
            message: rule.message.as_deref().map(Into::into),
            on_failure: rule.on_failure,
            matches,
        }))
    }
}

impl Policy {
    /// The first redirect of this name, without a dot at its end.
    pub fn dns_redirect(&self, name: &str) -> Option<&DnsTarget> {
        let name = name.strip_suffix('.').unwrap_or(name);
        self.layers.first()?.dns.iter().find(|rule| rule.matches.is_match(name))
    }

    /// The first redirect of a connection to this `host:port`.
    pub fn connect_redirect(&self, host_port: &str) -> Option<&ConnectTarget> {
        self.layers
            .first()?
            .connects
            .iter()
            .find(|rule| rule.matches.is_match(host_port))
    }
}
