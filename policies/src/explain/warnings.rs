//! What is allowed by the format and still probably not meant.

use std::collections::BTreeMap;

use crate::policy::{CommandQuery, Layer, Policy, Selector};
use crate::words::{Decision, Errno, FileOp};

impl Policy {
    /// Warnings about the policy, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for layer in &self.layers {
            unused_keys(layer, &mut lines);
            unreachable_files(layer, &mut lines);
            unreachable_commands(layer, &mut lines);
        }
        self.writable_names(&mut lines);
        lines
    }

    /// An allowed base name matches a file of that name anywhere: also where the session can write.
    fn writable_names(&self, lines: &mut Vec<String>) {
        let folders = self.writable_folders();
        let Some(folder) = folders.first() else { return };
        let runs = |name: &[u8]| {
            let path = [folder.as_slice(), b"/", name].concat();
            let query = CommandQuery {
                program: &path,
                called: &path,
                args: &[],
                depth: 0,
            };
            self.command(&query)
        };
        if runs(b"agentsh-no-such-program").decision.passes() {
            return;
        }
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for rule in self.layers.iter().flat_map(|layer| &layer.commands.rules) {
            for selector in &rule.selectors {
                if let Selector::Name(glob) = selector
                    && let Some(name) = glob.literal()
                    && rule.common.decision.passes()
                    && runs(name).rule == Some(&*rule.common.name)
                {
                    let names = found.entry(rule.common.name.to_string()).or_default();
                    names.push(format!("`{}`", String::from_utf8_lossy(name)));
                }
            }
        }
        for (rule, names) in found {
            let names = match names.as_slice() {
                [first, second, third, _, ..] => format!("{first}, {second}, {third} and {} more", names.len() - 3),
                few => few.join(", "),
            };
            lines.push(format!(
                "command rule `{rule}` allows {names} by base name: a file of that name in {} would run too; name the full path",
                String::from_utf8_lossy(folder)
            ));
        }
    }

    /// Folders that the policy lets a session write programs into, among those that rules name.
    fn writable_folders(&self) -> Vec<Vec<u8>> {
        let mut folders: Vec<Vec<u8>> = vec![b"/tmp".to_vec()];
        for rule in self.layers.iter().flat_map(|layer| &layer.files.rules) {
            for glob in &rule.globs {
                folders.extend(glob.literal().map(<[u8]>::to_vec));
            }
        }
        folders.retain(|folder| {
            let path = [folder.as_slice(), b"/agentsh-no-such-program"].concat();
            self.file(FileOp::Create, &path).decision.passes()
        });
        folders
    }
}

fn unused_keys(layer: &Layer, lines: &mut Vec<String>) {
    let mut say = |list: &str, rule: &str, what: &str| lines.push(format!("{list} `{rule}`: {what}"));
    for rule in &layer.file.file_rules {
        let decision = rule.decision.value;
        if rule.errno.is_some() && !matches!(decision, Decision::Deny | Decision::Approve) {
            say("file rule", &rule.name, "`errno` counts only for denials");
        }
        if rule.timeout.is_some() && decision != Decision::Approve {
            say("file rule", &rule.name, "`timeout` counts only with `approve`");
        }
        if decision == Decision::Redirect {
            say(
                "file rule",
                &rule.name,
                "redirect: reads, stat and access see what was redirected, listings show what is there; the stat family is notified, which costs",
            );
        }
        if rule.errno == Some(Errno::NoEnt) {
            say(
                "file rule",
                &rule.name,
                "ENOENT: listings still show the names, save under FUSE or `sandbox.hide`, and statfs(2) finds them; the stat family is notified, which costs",
            );
        }
    }
    let timeouts = layer
        .file
        .command_rules
        .iter()
        .map(|rule| ("command rule", &rule.name, rule.timeout, rule.decision.value));
    let timeouts = timeouts
        .chain(
            layer
                .file
                .network_rules
                .iter()
                .map(|rule| ("network rule", &rule.name, rule.timeout, rule.decision.value)),
        )
        .chain(
            layer
                .file
                .unix_socket_rules
                .iter()
                .map(|rule| ("unix socket rule", &rule.name, rule.timeout, rule.decision.value)),
        )
        .chain(
            layer
                .file
                .signal_rules
                .iter()
                .map(|rule| ("signal rule", &rule.name, rule.timeout, rule.decision.value)),
        );
    for (list, name, _, _) in
        timeouts.filter(|(.., timeout, decision)| timeout.is_some() && *decision != Decision::Approve)
    {
        say(list, name, "`timeout` counts only with `approve`");
    }
}

/// File rules of which every pattern is covered by one earlier rule for all of its operations.
fn unreachable_files(layer: &Layer, lines: &mut Vec<String>) {
    let rules = &layer.files.rules;
    for (at, rule) in rules.iter().enumerate() {
        let everything = |earlier: &&crate::policy::CompiledFile| {
            earlier.mask & rule.mask == rule.mask && earlier.globs.iter().any(|glob| glob.is_universal())
        };
        if let Some(earlier) = rules[..at].iter().find(everything) {
            let (own, other) = (&rule.common.name, &earlier.common.name);
            lines.push(format!(
                "file rule `{own}` is never reached: `{other}` matches every path before it"
            ));
        } else if rule.globs.is_empty() {
            lines.push(format!(
                "file rule `{}` matches nothing in this session: its variables have no value",
                rule.common.name
            ));
        }
    }
}

fn unreachable_commands(layer: &Layer, lines: &mut Vec<String>) {
    let rules = &layer.commands.rules;
    let every = |selector: &Selector| matches!(selector, Selector::Every);
    let end = rules
        .iter()
        .position(|rule| rule.is_unconditional() && rule.selectors.iter().any(every));
    let Some(end) = end else { return };
    for rule in &rules[end + 1..] {
        let (own, other) = (&rule.common.name, &rules[end].common.name);
        lines.push(format!(
            "command rule `{own}` is never reached: `{other}` matches every program before it"
        ));
    }
}
