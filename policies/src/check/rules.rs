//! Rules of the judged lists.

use super::{FALLBACKS, decision_fits, fits_list, unique};
use crate::error::{LoadError, Source};
use crate::message;
use crate::model::{CommandRule, FileOpWord, FileRule, NetworkRule, SignalRule, UnixSocketRule};
use crate::place::At;
use crate::words::{Decision, List, TargetType};

type Checked = Result<(), LoadError>;

/// What all rules share.
fn common(source: &Source, list: List, name: &At<String>, decision: &At<Decision>, text: Option<&str>) -> Checked {
    fits_list(source, decision, list)?;
    if let Some(text) = text
        && let Err(problem) = message::check(text)
    {
        let message = format!("the message of rule `{}`: {problem}", name.value);
        return Err(source.error(name.range(), message).expecting(message::FIELDS.join(" ")));
    }
    Ok(())
}

fn not_empty<T>(source: &Source, name: &At<String>, key: &str, items: &[T]) -> Checked {
    if !items.is_empty() {
        return Ok(());
    }
    let message = format!("rule `{}` has no `{key}`: it would never match", name.value);
    Err(source
        .error(name.range(), message)
        .expecting(format!("at least one of `{key}`")))
}

/// `redirect_to` and the decision `redirect` need each other.
fn redirect_pair(source: &Source, decision: &At<Decision>, target: Option<std::ops::Range<usize>>) -> Checked {
    match (decision.value == Decision::Redirect, target) {
        (true, None) => Err(source
            .error(decision.range(), "`redirect` needs `redirect_to`")
            .suggesting("add `redirect_to`")),
        (false, Some(at)) => Err(source
            .error(
                at,
                format!("`redirect_to` has no effect with the decision `{}`", decision.value),
            )
            .suggesting("use `decision: redirect`, or drop `redirect_to`")),
        _ => Ok(()),
    }
}

pub(super) fn files(source: &Source, rules: &[FileRule]) -> Checked {
    unique(source, "file_rules", rules.iter().map(|rule| &rule.name))?;
    for rule in rules {
        common(source, List::Files, &rule.name, &rule.decision, rule.message.as_deref())?;
        not_empty(source, &rule.name, "paths", &rule.paths)?;
        redirect_pair(source, &rule.decision, rule.redirect_to.as_ref().map(At::range))?;
        if rule.preserve_tree && rule.redirect_to.is_none() {
            let message = format!("`preserve_tree` of rule `{}` needs `redirect_to`", rule.name.value);
            return Err(source.error(rule.name.range(), message));
        }
        if rule.decision.value == Decision::SoftDelete {
            soft_delete(source, rule)?;
        }
        let brings = [FileOpWord::Write, FileOpWord::Create, FileOpWord::Rename];
        let other = rule.operations.iter().any(|word| !brings.contains(&word.value));
        if rule.content.is_some() && (other || rule.operations.is_empty()) {
            let message = format!("rule `{}` has `content` and other operations", rule.name.value);
            let expected = "operations that bring content: `write`, `create`, `rename`";
            return Err(source.error(rule.name.range(), message).expecting(expected));
        }
    }
    Ok(())
}

/// Operations that lose bytes.
const LOSSY: [FileOpWord; 6] = [
    FileOpWord::Delete,
    FileOpWord::Rmdir,
    FileOpWord::Rename,
    FileOpWord::Write,
    FileOpWord::Create,
    FileOpWord::Truncate,
];

fn soft_delete(source: &Source, rule: &FileRule) -> Checked {
    let expected = "operations that lose bytes: `delete`, `rmdir`, `rename`, `write`, `create`, `truncate`";
    let wrong = rule.operations.iter().find(|word| !LOSSY.contains(&word.value));
    let (at, message) = match wrong {
        Some(word) => (
            word.range(),
            format!("`soft_delete` makes no sense for `{}`", word.value),
        ),
        None if rule.operations.is_empty() => (
            rule.decision.range(),
            "`soft_delete` without `operations` would cover reads too".to_owned(),
        ),
        None => return Ok(()),
    };
    Err(source
        .error(at, message)
        .expecting(expected)
        .suggesting("operations: [delete, rmdir]"))
}

pub(super) fn commands(source: &Source, rules: &[CommandRule]) -> Checked {
    unique(source, "command_rules", rules.iter().map(|rule| &rule.name))?;
    for rule in rules {
        common(
            source,
            List::Commands,
            &rule.name,
            &rule.decision,
            rule.message.as_deref(),
        )?;
        not_empty(source, &rule.name, "commands", &rule.commands)?;
        redirect_pair(source, &rule.decision, rule.redirect_to.as_ref().map(At::range))?;
        if let Some(target) = &rule.redirect_to
            && let Some(name) = target
                .environment
                .keys()
                .find(|name| name.is_empty() || name.contains(['=', '\0']))
        {
            return Err(source.error(target.range(), format!("`{name}` cannot be an environment variable")));
        }
    }
    Ok(())
}

pub(super) fn network(source: &Source, rules: &[NetworkRule]) -> Checked {
    unique(source, "network_rules", rules.iter().map(|rule| &rule.name))?;
    for rule in rules {
        common(
            source,
            List::Network,
            &rule.name,
            &rule.decision,
            rule.message.as_deref(),
        )?;
    }
    Ok(())
}

pub(super) fn unix_sockets(source: &Source, rules: &[UnixSocketRule]) -> Checked {
    unique(source, "unix_socket_rules", rules.iter().map(|rule| &rule.name))?;
    for rule in rules {
        common(
            source,
            List::UnixSockets,
            &rule.name,
            &rule.decision,
            rule.message.as_deref(),
        )?;
        not_empty(source, &rule.name, "paths", &rule.paths)?;
    }
    Ok(())
}

pub(super) fn signals(source: &Source, rules: &[SignalRule]) -> Checked {
    unique(source, "signal_rules", rules.iter().map(|rule| &rule.name))?;
    for rule in rules {
        common(
            source,
            List::Signals,
            &rule.name,
            &rule.decision,
            rule.message.as_deref(),
        )?;
        not_empty(source, &rule.name, "signals", &rule.signals)?;
        redirect_pair(source, &rule.decision, rule.redirect_to.as_ref().map(At::range))?;
        if let Some(target) = &rule.redirect_to
            && target.single().is_none()
        {
            return Err(source.error(target.range(), "a signal is redirected to one signal, not to a group"));
        }
        if let Some(fallback) = &rule.fallback {
            decision_fits(source, fallback, FALLBACKS, "as `fallback`")?;
            if rule.redirect_to.is_none() {
                let message = "`fallback` needs `decision: redirect`";
                return Err(source.error(fallback.range(), message));
            }
        }
        signal_target(source, rule)?;
    }
    Ok(())
}

fn signal_target(source: &Source, rule: &SignalRule) -> Checked {
    let Some(target) = &rule.target else { return Ok(()) };
    let wrong = |message: &str| Err(source.error(target.range(), message));
    match (target.kind, &target.pattern, target.min, target.max) {
        (TargetType::Process, None, ..) => wrong("the target `process` needs a `pattern`"),
        (TargetType::PidRange, _, None, None) => wrong("the target `pid_range` needs `min` or `max`"),
        (TargetType::PidRange, _, Some(min), Some(max)) if min > max => wrong("`min` is above `max`"),
        (kind, Some(_), ..) if kind != TargetType::Process => wrong("`pattern` belongs to the target `process`"),
        (kind, _, min, max) if kind != TargetType::PidRange && (min.is_some() || max.is_some()) => {
            wrong("`min` and `max` belong to the target `pid_range`")
        }
        _ => Ok(()),
    }
}
