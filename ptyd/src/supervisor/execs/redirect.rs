//! Another program in the place of the one that was asked for.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;

use agentsh_audit::{Decision, Outcome};
use agentsh_intercept::{Errno, ExecDecision, ExecRequest, Instead};
use agentsh_policy::{CommandTarget, Redirect};

use super::environment::{entries, guarded, set};
use super::{Judged, Refused, judged, led, place, strictest, words};
use crate::supervisor::judge::CommandJudge;
use crate::supervisor::rules::{LetsRun as _, Rules};

/// Where a target without a path is looked for: the caller's own `PATH` is not asked.
pub(super) const SEARCH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// So many redirects may stand above a process, or lead from one program to the next.
const MAX_REDIRECTS: u32 = 8;

impl CommandJudge {
    /// Puts the target of `one` in the place of what was asked for; the target is judged as if it had been.
    pub(super) fn redirected(
        &self,
        rules: &Rules,
        request: &ExecRequest<'_>,
        one: Judged<'_>,
    ) -> Result<ExecDecision, ExecDecision> {
        let target = match self.target(request, one, request.above.redirects) {
            Ok(target) => target,
            Err(why) => return Err(self.refuse_exec(rules, request, one, why)),
        };
        let entries = entries(request)?;
        let path = target
            .request
            .subjects
            .first()
            .map(place)
            .unwrap_or(std::path::Path::new(""));
        let message = Self::message(rules, one);
        let outcome = Outcome {
            message: message.as_deref(),
            redirect: Some(path.as_os_str().as_bytes()),
            ..Outcome::plain(Decision::Redirect, one.verdict.rule)
        };
        self.record_exec(request, one, outcome, None)
            .map_err(ExecDecision::Deny)?;
        self.run(rules, request, &target, (vec![one], entries))
    }

    /// Puts a target in the place of what was asked for, whatever a rule says, because of `message`.
    pub(super) fn replaced(
        &self,
        rules: &Rules,
        request: &ExecRequest<'_>,
        (one, message): (Judged<'_>, &str),
        (program, argv): (CString, Vec<CString>),
        entries: Vec<CString>,
    ) -> Result<ExecDecision, ExecDecision> {
        let other = request.other(&program, argv.clone()).map_err(ExecDecision::Deny)?;
        let path = other.subjects.first().map(place).unwrap_or(std::path::Path::new(""));
        let outcome = Outcome {
            message: Some(message),
            redirect: Some(path.as_os_str().as_bytes()),
            ..Outcome::plain(Decision::Redirect, one.verdict.rule)
        };
        self.record_exec(request, one, outcome, None)
            .map_err(ExecDecision::Deny)?;
        let target = Target {
            program,
            argv,
            environment: &NOTHING,
            request: other,
            hops: request.above.redirects + 1,
        };
        self.run(rules, request, &target, (Vec::new(), entries))
    }

    /// Judges a target and lets it run; a target that is redirected itself leads on. `by`: what led here.
    fn run(
        &self,
        rules: &Rules,
        request: &ExecRequest<'_>,
        target: &Target<'_>,
        (mut by, entries): (Vec<Judged<'_>>, Vec<CString>),
    ) -> Result<ExecDecision, ExecDecision> {
        let all = judged(rules, &target.request);
        let Some(decisive) = strictest(&all) else {
            return Err(ExecDecision::Deny(Errno::ACCESS));
        };
        let entries = set(entries, target.environment).map_err(ExecDecision::Deny)?;
        match decisive.verdict.decision {
            agentsh_policy::Decision::Redirect => {}
            agentsh_policy::Decision::Approve => self.asked(rules, &target.request, decisive)?,
            decision if decision.lets_run() => {
                let outcome = Outcome::plain(super::decision_of(&decisive.verdict), decisive.verdict.rule);
                self.record_exec(&target.request, decisive, outcome, None)
                    .map_err(ExecDecision::Deny)?;
            }
            _ => {
                let why = Refused {
                    errno: Errno::ACCESS,
                    message: None,
                };
                return Err(self.refuse_exec(rules, &target.request, decisive, why));
            }
        }
        if let Some(led) = led(rules, decisive) {
            let next = match self.target(&target.request, led, target.hops) {
                Ok(next) => next,
                Err(why) => return Err(self.refuse_exec(rules, &target.request, led, why)),
            };
            by.push(decisive);
            return self.run(rules, request, &next, (by, entries));
        }
        by.extend(all);
        let filtered = guarded(rules, &by, &entries);
        self.tell_filtered(request, &filtered)?;
        Ok(ExecDecision::Instead(Box::new(Instead {
            program: target.program.clone(),
            argv: target.argv.clone(),
            environment: filtered.apply(entries),
            subjects: target.request.subjects.clone(),
            scripts: Vec::new(),
            redirected: true,
            transparent: false,
        })))
    }

    /// What stands in for a program, found and pinned; `hops` redirects led here.
    fn target<'r>(&self, request: &'r ExecRequest<'_>, one: Judged<'r>, hops: u32) -> Result<Target<'r>, Refused> {
        let refused = |errno, message: String| Refused {
            errno,
            message: Some(message),
        };
        let Redirect::Command(wanted) = one.verdict.redirect else {
            return Err(refused(
                Errno::ACCESS,
                "the rule names no program to run instead".to_owned(),
            ));
        };
        let shown = String::from_utf8_lossy(&wanted.command).into_owned();
        let cannot = |errno: Errno| {
            refused(
                Errno::ACCESS,
                format!("{shown}, which should run instead, cannot: {errno}"),
            )
        };
        let command = CString::new(wanted.command.as_ref()).map_err(|_| cannot(Errno::INVAL))?;
        let argv = arguments(wanted, &words(&one.subject.argv)).map_err(cannot)?;
        let program = match wanted.command.contains(&b'/') {
            true => command,
            false => match request.find(&command, SEARCH, Vec::new()) {
                Some(found) => found.called,
                None => return Err(cannot(Errno::NOENT)),
            },
        };
        let other = request.other(&program, argv.clone()).map_err(cannot)?;
        let file = other.subjects.first().map(|subject| subject.file);
        if hops >= MAX_REDIRECTS || file.is_some() && file == request.above.target {
            return Err(refused(
                Errno::ACCESS,
                format!("{shown} runs instead already: it may not lead to itself again"),
            ));
        }
        Ok(Target {
            program,
            argv,
            environment: &wanted.environment,
            request: other,
            hops: hops + 1,
        })
    }
}

/// No variables of its own.
static NOTHING: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();

/// A program that runs instead.
struct Target<'r> {
    program: CString,
    argv: Vec<CString>,
    environment: &'r std::collections::BTreeMap<String, String>,
    request: ExecRequest<'r>,
    hops: u32,
}

/// The target's name, its own arguments, the original ones, and those that come last.
fn arguments(target: &CommandTarget, original: &[&[u8]]) -> Result<Vec<CString>, Errno> {
    let first = std::iter::once(target.command.as_ref());
    let before = target.args.iter().map(String::as_bytes);
    let behind = target.args_append.iter().map(String::as_bytes);
    first
        .chain(before)
        .chain(original.iter().skip(1).copied())
        .chain(behind)
        .map(|word| CString::new(word).map_err(|_| Errno::INVAL))
        .collect()
}
