//! What wrappers are told to execute: judged with them, the stricter wins.
//!
//! A payload that is a program of its own is executed by a call that is judged again: questions and redirects wait for
//! that. A payload inside of the wrapper itself (busybox) is never seen again.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;

use agentsh_intercept::{Errno, ExecDecision, ExecRequest, Stage, Subject};
use agentsh_policy::{Decision, Payload, variable_name};

use super::environment::entries;
use super::redirect::SEARCH;
use super::{Judged, judge, place, strictest, words};
use crate::supervisor::judge::CommandJudge;
use crate::supervisor::rules::Rules;

/// So many wrappers may stand in each other.
const MAX_DEPTH: usize = 8;

/// The payloads of an exec.
pub(super) struct Payloads {
    /// Programs of their own.
    programs: Vec<Subject>,
    /// What runs inside of a wrapper.
    applets: Vec<Subject>,
    /// What executes further programs inside of a wrapper, of which nobody else learns.
    runner: Option<Subject>,
    /// The first file is a wrapper with a payload.
    transparent: bool,
}

/// Programs of a box that execute what their text or their arguments say, where that is in the box by themselves.
const RUNNERS: [&[u8]; 8] = [
    b"ash",
    b"cttyhack",
    b"find",
    b"hush",
    b"lash",
    b"run-parts",
    b"sh",
    b"start-stop-daemon",
];

/// A larger file is not looked through.
const LARGEST_BOX: u64 = 16 << 20;

impl Payloads {
    pub fn programs<'a>(&'a self, rules: &'a Rules, request: &ExecRequest<'_>) -> Vec<Judged<'a>> {
        let judged = self.programs.iter().map(|subject| judge(rules, subject, request.depth));
        judged.collect()
    }

    pub fn applets<'a>(&'a self, rules: &'a Rules, request: &ExecRequest<'_>) -> Vec<Judged<'a>> {
        let judged = self.applets.iter().map(|subject| judge(rules, subject, request.depth));
        judged.collect()
    }

    pub fn is_transparent(&self) -> bool {
        self.transparent
    }

    pub fn plain(&self) -> ExecDecision {
        if self.transparent {
            ExecDecision::Transparent
        } else {
            ExecDecision::Allow
        }
    }
}

/// The payload that is refused whatever a person says.
pub(super) fn refusal<'a>(programs: &[Judged<'a>]) -> Option<Judged<'a>> {
    strictest(programs).filter(|one| one.verdict.decision == Decision::Deny)
}

/// A program that a box has inside, that its shell would run without anybody seeing it, and that policy does not
/// simply let run. Where the box is the system's own shell nothing is found: there it executes what it is told.
pub(super) fn unseen<'a>(rules: &'a Rules, payloads: &'a Payloads) -> Option<(Judged<'a>, String)> {
    let runner = payloads.runner.as_ref()?;
    let mut stopped = rules.policy.stopped_by_name();
    if stopped.is_empty() || std::fs::canonicalize("/bin/sh").is_ok_and(|shell| shell == place(runner)) {
        return None;
    }
    let is_small = std::fs::metadata(place(runner)).is_ok_and(|file| file.len() <= LARGEST_BOX);
    // The names of what it has inside lie in it as texts; what cannot be read may have any.
    if let Some(content) = is_small.then(|| std::fs::read(place(runner)).ok()).flatten() {
        let texts: HashSet<&[u8]> = content.split(|byte| *byte == 0).collect();
        stopped.retain(|(name, _)| texts.contains(&**name));
    }
    stopped.reverse();
    let (name, mut verdict) = stopped
        .into_iter()
        .max_by_key(|(_, verdict)| verdict.decision.strictness())?;
    if verdict.decision != Decision::Approve {
        verdict.decision = Decision::Deny;
    }
    let name = String::from_utf8_lossy(&name);
    let message =
        format!("it would run `{name}`, which it has inside, without anybody seeing it; use the system's shell");
    let subject = runner;
    Some((Judged { subject, verdict }, message))
}

/// The path along which a wrapper looks for its payload.
fn search(request: &ExecRequest<'_>, variables: &[Vec<u8>]) -> Vec<u8> {
    let path = |entry: &[u8]| entry.strip_prefix(b"PATH=").map(<[u8]>::to_vec);
    if let Some(own) = variables.iter().find_map(|entry| path(entry)) {
        return own;
    }
    let entries = request.environment().ok();
    let found = entries.and_then(|entries| entries.iter().find_map(path));
    found.unwrap_or_else(|| SEARCH.to_vec())
}

/// What the files of an exec are told to execute.
pub(super) fn payloads(rules: &Rules, request: &ExecRequest<'_>) -> Payloads {
    let mut found = Payloads {
        programs: Vec::new(),
        applets: Vec::new(),
        runner: None,
        transparent: false,
    };
    for (at, subject) in request.subjects.iter().enumerate() {
        let mut wrapper = Cow::Borrowed(subject);
        // A box may run what it is told to execute inside of itself.
        let mut inside = false;
        for depth in 0..MAX_DEPTH {
            let Some(payload) = payload(rules, request, &wrapper, inside) else {
                break;
            };
            let is_program = payload.1;
            inside |= depth == 0 && !is_program;
            let is_outermost = at == 0 && depth == 0;
            let (program, called) = (place(&wrapper).as_os_str().as_bytes(), wrapper.called.as_bytes());
            found.transparent |= is_outermost && is_program && rules.wrappers.is_transparent(program, called);
            let Some(subject) = payload.0 else { break };
            wrapper = Cow::Owned(subject.clone());
            // What stands behind the last that is looked at nobody learns of either.
            let is_last = depth + 1 == MAX_DEPTH;
            if inside && (is_last || RUNNERS.contains(&subject.called.as_bytes())) {
                found.runner = Some(subject.clone());
            }
            match inside {
                true => found.applets.push(subject),
                false => found.programs.push(subject),
            }
        }
    }
    found
}

/// What one wrapper is told to execute, if that is there, and whether it is a program of its own; `None`: nothing that
/// can be told.
fn payload(
    rules: &Rules,
    request: &ExecRequest<'_>,
    wrapper: &Subject,
    inside: bool,
) -> Option<(Option<Subject>, bool)> {
    let argv = words(&wrapper.argv);
    let called = wrapper.called.as_bytes();
    let program = match inside {
        true => called,
        false => place(wrapper).as_os_str().as_bytes(),
    };
    let (argv, variables) = match rules.wrappers.payload(program, called, &argv)? {
        Payload::Text(_) => return None,
        Payload::Applet { argv } => (argv, None),
        Payload::Program { argv, variables } => (argv, Some(variables)),
    };
    let argv: Vec<CString> = argv.into_iter().map(CString::new).collect::<Result<_, _>>().ok()?;
    let name = argv.first()?.clone();
    let applet = || Subject {
        called: name.clone(),
        argv: argv.clone(),
        ..wrapper.clone()
    };
    let Some(variables) = variables else {
        return Some((Some(applet()), false));
    };
    let found = request.find(&name, &search(request, &variables), argv.clone());
    Some((found.or_else(|| inside.then(applet)), true))
}

impl CommandJudge {
    /// `sudo CMD` of root in a session of root: nothing is to be gained, and what sudo needs is not there (no new
    /// privileges, capabilities dropped): the command runs without it. `None`: it is something else.
    pub(super) fn without_sudo(
        &self,
        rules: &Rules,
        request: &ExecRequest<'_>,
        one: Judged<'_>,
        payloads: &Payloads,
    ) -> Option<Result<ExecDecision, ExecDecision>> {
        let plain = matches!(one.verdict.decision, Decision::Allow | Decision::Audit);
        if !plain || request.stage != Stage::Asked || self.session().account.uid != 0 {
            return None;
        }
        let mut variables = sudo(rules, request.subjects.first()?)?;
        if request.caller.status().ok()?.uid != [0; 4] {
            return None;
        }
        let mut programs = payloads.programs.iter();
        let mut payload = programs.next()?;
        while let Some(more) = sudo(rules, payload) {
            variables.extend(more);
            payload = programs.next()?;
        }
        Some(self.bare(rules, request, one, payload, variables))
    }

    fn bare(
        &self,
        rules: &Rules,
        request: &ExecRequest<'_>,
        one: Judged<'_>,
        payload: &Subject,
        variables: Vec<Vec<u8>>,
    ) -> Result<ExecDecision, ExecDecision> {
        let mut entries = entries(request)?;
        for variable in variables {
            entries.retain(|entry| variable_name(entry.as_bytes()) != variable_name(&variable));
            entries.push(CString::new(variable).map_err(|_| ExecDecision::Deny(Errno::INVAL))?);
        }
        let message = "root needs no sudo here: the command runs without it";
        let target = (payload.called.clone(), payload.argv.clone());
        self.replaced(rules, request, (one, message), target, entries)
    }
}

/// The variables that a call of sudo or doas sets, if it asks for nothing but to be root; the real one is root's and
/// setuid.
fn sudo(rules: &Rules, subject: &Subject) -> Option<Vec<Vec<u8>>> {
    let program = place(subject);
    let name = program.file_name()?.as_bytes();
    let argv = words(&subject.argv);
    let args = argv.get(1..)?;
    if !matches!(name, b"sudo" | b"doas") || !is_for_root(args) {
        return None;
    }
    let stat = rustix::fs::stat(program).ok()?;
    if stat.st_uid != 0 || stat.st_mode & libc::S_ISUID == 0 {
        return None;
    }
    match rules.wrappers.payload(name, name, &argv)? {
        Payload::Program { variables, .. } => Some(variables),
        _ => None,
    }
}

/// Whether the options of sudo or doas ask for nothing but to be root.
fn is_for_root(args: &[&[u8]]) -> bool {
    let mut rest = args.iter().copied();
    while let Some(word) = rest.next() {
        match word {
            b"--" => return true,
            b"-u" | b"--user" => {
                if !rest.next().is_some_and(is_root) {
                    return false;
                }
            }
            b"--non-interactive" | b"--preserve-env" | b"--set-home" | b"--stdin" => {}
            _ => match (word.strip_prefix(b"-u"), word.strip_prefix(b"--user=")) {
                (Some(user), _) | (_, Some(user)) if is_root(user) => {}
                _ if word.first() != Some(&b'-') => return true,
                // Not asked, the environment kept, at home: what holds anyway.
                _ if word.len() > 1 && word[1..].iter().all(|letter| b"nEHS".contains(letter)) => {}
                _ => return false,
            },
        }
    }
    false
}

fn is_root(user: &[u8]) -> bool {
    matches!(user, b"root" | b"#0")
}

#[cfg(test)]
mod tests {
    use super::is_for_root;

    #[test]
    fn only_what_asks_for_root_alone_counts() {
        let yes: [&[&[u8]]; 6] = [
            &[b"apt"],
            &[b"-nE", b"apt", b"-y"],
            &[b"-u", b"root", b"apt"],
            &[b"-uroot", b"--", b"apt"],
            &[b"--user=#0", b"A=1", b"apt"],
            &[b"--preserve-env", b"apt"],
        ];
        let no: [&[&[u8]]; 7] = [
            &[],
            &[b"-l"],
            &[b"-i"],
            &[b"-u", b"nobody", b"apt"],
            &[b"-g", b"x", b"apt"],
            &[b"--chdir=/x", b"apt"],
            &[b"-"],
        ];
        assert!(yes.iter().all(|words| is_for_root(words)));
        for words in no {
            assert!(!is_for_root(words), "{words:?}");
        }
    }
}
