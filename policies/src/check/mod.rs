//! What the types cannot say: names, decisions that fit their list, keys that need each other.

mod redirects;
mod rules;

use std::collections::HashSet;

use crate::error::{LoadError, Source};
use crate::model::PolicyFile;
use crate::place::At;
use crate::words::{Decision, List};

/// Checks a whole policy.
///
/// # Errors
/// The first thing that is wrong.
pub fn policy(source: &Source, file: &PolicyFile) -> Result<(), LoadError> {
    if file.version.value != 1 {
        let message = format!("version {} of the format is not known", file.version.value);
        return Err(source.error(file.version.range(), message).expecting("version 1"));
    }
    name_form(source, &file.name)?;
    let defaults = &file.defaults;
    for (default, allowed) in [
        (&defaults.read, PLAIN),
        (&defaults.write, PLAIN),
        (&defaults.command, PLAIN),
        (&defaults.network, PLAIN),
        (&defaults.unix_socket, PLAIN),
        (&defaults.signal, SIGNAL_DEFAULT),
    ] {
        if let Some(decision) = default {
            decision_fits(source, decision, allowed, "as a default")?;
        }
    }
    rules::files(source, &file.file_rules)?;
    rules::commands(source, &file.command_rules)?;
    rules::network(source, &file.network_rules)?;
    rules::unix_sockets(source, &file.unix_socket_rules)?;
    rules::signals(source, &file.signal_rules)?;
    redirects::dns(source, &file.dns_redirects)?;
    redirects::connections(source, &file.connect_redirects)?;
    redirects::services(source, &file.http_services)?;
    unique(
        source,
        "package_rules",
        file.package_rules.iter().filter_map(|rule| rule.name.as_ref()),
    )?;
    for (key, section) in file.loose() {
        if let Some(section) = section
            && !section.is_section()
        {
            let message = format!("`{key}` has another form");
            return Err(source
                .error(section.range(), message)
                .expecting("a map, or a list of maps"));
        }
    }
    if let Some(port) = file.network.forward.iter().find(|port| port.value == 0) {
        return Err(source.error(port.range(), "0 is no port").expecting("1 to 65535"));
    }
    let tells = file.approvals.notify.iter();
    if let Some(command) = tells
        .clone()
        .filter_map(|to| to.command.as_ref())
        .find(|text| text.trim().is_empty())
    {
        return Err(source.error(command.range(), "`command` is empty"));
    }
    let is_web = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    if let Some(webhook) = tells.filter_map(|to| to.webhook.as_ref()).find(|text| !is_web(text)) {
        let message = format!("`{}` is no address of the web", webhook.value);
        return Err(source
            .error(webhook.range(), message)
            .expecting("`http://…` or `https://…`"));
    }
    let rules = file
        .command_rules
        .iter()
        .flat_map(|rule| rule.env_allow.iter().chain(&rule.env_deny));
    let mut names = file.env_policy.allow.iter().chain(&file.env_policy.deny).chain(rules);
    if let Some(name) = names.find(|name| name.is_empty() || name.contains('=')) {
        let message = format!("`{}` would never match: it is no name of a variable", name.value);
        return Err(source
            .error(name.range(), message)
            .expecting("a name, or a glob on names such as `*_TOKEN`"));
    }
    let wrappers = &file.transparent_commands;
    let is_name = |name: &str| !name.is_empty() && !name.contains(['/', '*', '?', '[', '{']);
    let mut names = wrappers.add.iter().chain(&wrappers.remove);
    if let Some(name) = names.find(|name| !is_name(name)) {
        let message = format!("`{}` would never match: a wrapper is known by its name", name.value);
        return Err(source
            .error(name.range(), message)
            .expecting("a base name such as `nice`"));
    }
    for (name, value) in &file.env_inject {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            let message = format!("`{name}` cannot be an environment variable");
            return Err(source.error(value.range(), message));
        }
    }
    Ok(())
}

use Decision::{Absorb, Allow, Approve, Audit, Deny, Redirect, SoftDelete};

const PLAIN: &[Decision] = &[Allow, Deny, Approve, Audit];
const SIGNAL_DEFAULT: &[Decision] = &[Allow, Deny, Approve, Audit, Absorb];
const FILES: &[Decision] = &[Allow, Deny, Approve, Redirect, SoftDelete, Audit];
const COMMANDS: &[Decision] = &[Allow, Deny, Approve, Redirect, Audit];
const SIGNALS: &[Decision] = &[Allow, Deny, Audit, Approve, Redirect, Absorb];
const FALLBACKS: &[Decision] = &[Allow, Deny, Audit, Approve, Absorb];

fn decision_fits(source: &Source, decision: &At<Decision>, allowed: &[Decision], place: &str) -> Result<(), LoadError> {
    if allowed.contains(&decision.value) {
        return Ok(());
    }
    let words: Vec<String> = allowed.iter().map(|known| format!("`{known}`")).collect();
    let message = format!("the decision `{}` makes no sense {place}", decision.value);
    Err(source.error(decision.range(), message).expecting(words.join(", ")))
}

fn fits_list(source: &Source, decision: &At<Decision>, list: List) -> Result<(), LoadError> {
    let allowed = match list {
        List::Files => FILES,
        List::Commands => COMMANDS,
        List::Signals => SIGNALS,
        _ => PLAIN,
    };
    let mut result = decision_fits(source, decision, allowed, &format!("in `{list}`"));
    if let Err(error) = &mut result
        && decision.value == Redirect
    {
        error.suggestion = Some("connections are redirected by `connect_redirects`, names by `dns_redirects`".into());
    }
    result
}

fn name_form(source: &Source, name: &At<String>) -> Result<(), LoadError> {
    let form = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.len() <= 128 && name.bytes().all(form) {
        return Ok(());
    }
    let message = format!("`{}` is no policy name", name.value);
    Err(source
        .error(name.range(), message)
        .expecting("letters, digits, `_` and `-`, at most 128"))
}

fn unique<'a>(source: &Source, list: &str, names: impl Iterator<Item = &'a At<String>>) -> Result<(), LoadError> {
    let mut seen = HashSet::new();
    for name in names {
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            return Err(source
                .error(name.range(), "a rule needs a name")
                .expecting("a text in one line"));
        }
        if !seen.insert(name.value.as_str()) {
            let message = format!("the name `{}` is given twice in `{list}`", name.value);
            return Err(source
                .error(name.range(), message)
                .suggesting("give each rule a name of its own"));
        }
    }
    Ok(())
}
