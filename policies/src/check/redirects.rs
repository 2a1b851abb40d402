//! Redirects of names and connections, and HTTP services.

use std::net::IpAddr;

use super::{PLAIN, decision_fits, unique};
use crate::error::{LoadError, Source};
use crate::model::{ConnectRedirect, DnsRedirect, HttpService, TlsMode};
use crate::place::At;

type Checked = Result<(), LoadError>;

pub(super) fn dns(source: &Source, rules: &[DnsRedirect]) -> Checked {
    unique(source, "dns_redirects", rules.iter().map(|rule| &rule.name))?;
    for rule in rules {
        if rule.resolve_to.parse::<IpAddr>().is_err() {
            let message = format!("`{}` is no address", rule.resolve_to.value);
            return Err(source
                .error(rule.resolve_to.range(), message)
                .expecting("an IPv4 or IPv6 address"));
        }
    }
    Ok(())
}

pub(super) fn connections(source: &Source, rules: &[ConnectRedirect]) -> Checked {
    unique(source, "connect_redirects", rules.iter().map(|rule| &rule.name))?;
    for rule in rules {
        match (&rule.redirect_to, &rule.redirect_to_unix) {
            (Some(_), Some(second)) => {
                let message = "only one of `redirect_to` and `redirect_to_unix` can be given";
                return Err(source.error(second.range(), message));
            }
            (None, None) => {
                let message = format!("rule `{}` leads nowhere", rule.name.value);
                let error = source.error(rule.name.range(), message);
                return Err(error.expecting("`redirect_to` or `redirect_to_unix`"));
            }
            (Some(target), None) => host_port(source, target)?,
            (None, Some(target)) if !target.starts_with('/') && !target.starts_with('$') => {
                return Err(source.error(target.range(), "not an absolute path"));
            }
            (None, Some(_)) => {}
        }
        match (rule.tls.mode, &rule.tls.sni) {
            (TlsMode::RewriteSni, None) => {
                return Err(source.error(rule.name.range(), "`rewrite_sni` needs `sni`"));
            }
            (TlsMode::Passthrough, Some(sni)) => {
                return Err(source.error(sni.range(), "`sni` needs `mode: rewrite_sni`"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn host_port(source: &Source, target: &At<String>) -> Checked {
    let fits = target.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && (port.parse::<u16>().is_ok_and(|port| port > 0) || port.starts_with('$'))
    });
    if fits || target.contains("${") {
        return Ok(());
    }
    let message = format!("`{}` is no host with a port", target.value);
    Err(source.error(target.range(), message).expecting("`host:port`"))
}

pub(super) fn services(source: &Source, services: &[HttpService]) -> Checked {
    unique(source, "http_services", services.iter().map(|service| &service.name))?;
    for service in services {
        if !is_upstream(&service.upstream) {
            let message = format!("`{}` is no upstream", service.upstream.value);
            return Err(source
                .error(service.upstream.range(), message)
                .expecting("`https://host[:port][/path]`"));
        }
        for name in std::iter::once(&service.name).chain(&service.aliases) {
            if name.is_empty()
                || !name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
            {
                let message = format!("`{}` cannot be a part of an address", name.value);
                return Err(source
                    .error(name.range(), message)
                    .expecting("letters, digits, `-`, `_`, `.` and `~`"));
            }
        }
        if let Some(name) = service.expose_as.as_ref().filter(|name| !is_variable(name)) {
            let message = format!("`{}` cannot be an environment variable", name.value);
            return Err(source
                .error(name.range(), message)
                .expecting("letters, digits and `_`, and no digit first"));
        }
        unique(source, "rules", service.rules.iter().map(|rule| &rule.name))?;
        for rule in &service.rules {
            decision_fits(source, &rule.decision, PLAIN, "for requests")?;
            if let Some(method) = rule.methods.iter().find(|method| !is_token(method)) {
                return Err(source.error(method.range(), format!("`{}` is no method", method.value)));
            }
            let begins = |path: &&At<String>| path.starts_with(['/', '*', '{', '[', '?', '$', '\\']);
            if let Some(path) = rule.paths.iter().find(|path| !begins(path)) {
                let message = format!("`{}` would never match: paths of requests begin with `/`", path.value);
                return Err(source
                    .error(path.range(), message)
                    .suggesting(format!("write `/{}`", path.value)));
            }
        }
        if service.inject.is_some() && service.secret.is_none() {
            let message = format!("`inject` of service `{}` needs `secret`", service.name.value);
            return Err(source.error(service.name.range(), message));
        }
        if let Some(inject) = &service.inject {
            let (name, template) = (&inject.header.name, &inject.header.template);
            if !is_token(name) {
                return Err(source.error(name.range(), format!("`{}` is no name of a header", name.value)));
            }
            if !["{{secret}}", "{{.Secret}}"]
                .iter()
                .any(|field| template.contains(field))
            {
                return Err(source
                    .error(template.range(), "the template has no `{{secret}}`")
                    .expecting("such as `Bearer {{secret}}`"));
            }
        }
        if service.scrub_response && service.secret.is_none() {
            let message = format!("`scrub_response` of service `{}` needs `secret`", service.name.value);
            return Err(source.error(service.name.range(), message));
        }
    }
    Ok(())
}

/// `https://host[:port][/path]`: no user, no query.
fn is_upstream(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or(rest);
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let plain = !rest.contains(['@', '?', '#', '\\'])
        && !rest.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    let numbered = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0) || port.starts_with('$'));
    rest.contains("${") || (plain && !name.is_empty() && numbered)
}

/// A name that shells know variables by.
fn is_variable(name: &str) -> bool {
    let form = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(form) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

/// A token of RFC 9110.
fn is_token(text: &str) -> bool {
    let form = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(form)
}
