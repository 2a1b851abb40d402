//! A draft as the middle of its JSON line: all that does not change between identical operations.

use super::{Argv, EventDraft, Outcome, json};

/// Longest path or text of one event, in bytes; PATH_MAX is half of it.
const MAX_TEXT: usize = 8 << 10;
/// Longest sum of arguments of one event, in bytes.
const MAX_ARGV: usize = 48 << 10;
/// Longest `fields` of one event, in bytes.
const MAX_FIELDS: usize = 64 << 10;

/// Writes `draft` to `out`: first the members, each with a comma behind it, then the members of `fields`,
/// each with a comma before it. Returns the length of the first part.
///
/// What is longer than the limits is cut and named in `fields.cut`: an event must fit the spool whatever the
/// caller put into it.
pub(crate) fn encode(draft: &EventDraft<'_>, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    let mut cut: Vec<&str> = Vec::new();
    if let Some(command) = draft.command {
        text(out, &mut cut, "command_id", command);
    }
    raw(out, &mut cut, "exe", draft.exe);
    let argc = argv(out, &mut cut, draft.argv);
    if let Some(operation) = draft.operation {
        text(out, &mut cut, "operation", operation);
    }
    raw(out, &mut cut, "path", draft.path);
    raw(out, &mut cut, "path2", draft.path2);
    if let Some(domain) = draft.domain {
        text(out, &mut cut, "domain", domain);
    }
    if let Some(remote) = draft.remote {
        text(out, &mut cut, "remote", remote);
    }
    if let Some(signal) = draft.signal {
        json::name(out, "signal");
        json::signed(out, signal.into());
        out.push(b',');
    }
    if let Some(policy) = &draft.policy {
        outcome(out, &mut cut, policy);
    }
    if let Some(layer) = draft.layer {
        json::word(out, "layer", layer.as_str());
    }
    if let Some(errno) = draft.result {
        json::name(out, "result");
        errno_name(out, errno);
        out.push(b',');
    }
    let main = out.len() - start;
    fields(out, &mut cut, draft, argc);
    main
}

fn fields(out: &mut Vec<u8>, cut: &mut Vec<&str>, draft: &EventDraft<'_>, argc: Option<u64>) {
    let start = out.len();
    for (name, value) in draft.fields {
        out.push(b',');
        json::text(out, name);
        out.push(b':');
        json::value(out, *value);
    }
    if out.len() - start > MAX_FIELDS {
        out.truncate(start);
        cut.push("fields");
    }
    if let Some(argc) = argc {
        out.extend_from_slice(b",\"argc\":");
        json::unsigned(out, argc);
    }
    if !cut.is_empty() {
        out.extend_from_slice(b",\"cut\":");
        json::value(out, super::Value::List(cut));
    }
}

fn outcome(out: &mut Vec<u8>, cut: &mut Vec<&str>, policy: &Outcome<'_>) {
    out.extend_from_slice(b"\"policy\":{");
    json::word(out, "decision", policy.decision.word());
    json::word(out, "effective", policy.effective.word());
    for (member, value) in [
        ("rule", policy.rule),
        ("message", policy.message),
        ("approval", policy.approval),
    ] {
        if let Some(value) = value {
            text(out, cut, member, value);
        }
    }
    raw(out, cut, "redirect", policy.redirect);
    out.pop(); // the last comma
    out.extend_from_slice(b"},");
}

fn text<'n>(out: &mut Vec<u8>, cut: &mut Vec<&'n str>, member: &'n str, mut value: &str) {
    if value.len() > MAX_TEXT {
        value = &value[..value.floor_char_boundary(MAX_TEXT)];
        cut.push(member);
    }
    json::name(out, member);
    json::text(out, value);
    out.push(b',');
}

fn raw<'n>(out: &mut Vec<u8>, cut: &mut Vec<&'n str>, member: &'n str, value: Option<&[u8]>) {
    let Some(mut value) = value else { return };
    if value.len() > MAX_TEXT {
        value = &value[..MAX_TEXT];
        cut.push(member);
    }
    json::name(out, member);
    json::bytes(out, value);
    out.push(b',');
}

/// Writes the arguments as far as they fit; returns how many there were if some did not.
fn argv(out: &mut Vec<u8>, cut: &mut Vec<&str>, argv: Argv<'_>) -> Option<u64> {
    if argv.is_none() {
        return None;
    }
    out.extend_from_slice(b"\"argv\":[");
    let (mut count, mut room, mut short) = (0u64, MAX_ARGV, false);
    argv.for_each(|argument| {
        count += 1;
        // Each also costs quotes and a comma: a million empty arguments are long too.
        let cost = argument.len() + 3;
        if short || room < 3 {
            short = true;
            return;
        }
        let shown = &argument[..argument.len().min(room - 3)];
        short = shown.len() < argument.len();
        room = room.saturating_sub(cost);
        if count > 1 {
            out.push(b',');
        }
        json::bytes(out, shown);
    });
    out.extend_from_slice(b"],");
    if short {
        cut.push("argv");
        return Some(count);
    }
    None
}

fn errno_name(out: &mut Vec<u8>, errno: i32) {
    use std::io::Write as _;
    out.push(b'"');
    // Writing to a vector cannot fail.
    let _ = match nix::errno::Errno::from_raw(errno) {
        _ if errno == 0 => write!(out, "0"),
        nix::errno::Errno::UnknownErrno => write!(out, "{errno}"),
        known => write!(out, "{known:?}"),
    };
    out.push(b'"');
}
