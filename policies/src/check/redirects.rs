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
        let host = service.upstream.strip_prefix("https://");
        if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
            let message = format!("`{}` is no upstream", service.upstream.value);
            return Err(source
                .error(service.upstream.range(), message)
                .expecting("`https://host`"));
        }
        unique(source, "rules", service.rules.iter().map(|rule| &rule.name))?;
        for rule in &service.rules {
            decision_fits(source, &rule.decision, PLAIN, "for requests")?;
        }
        if service.inject.is_some() && service.secret.is_none() {
            let message = format!("`inject` of service `{}` needs `secret`", service.name.value);
            return Err(source.error(service.name.range(), message));
        }
    }
    Ok(())
}
