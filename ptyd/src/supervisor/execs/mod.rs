//! Judging an exec: what policy says of all that would run, what is put in its place, and with which environment.

mod checkpoint;
mod environment;
mod newer;
mod redirect;
mod wrappers;

pub(super) use environment::Filtered;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use agentsh_audit::{Decision, EventDraft, Outcome, Value};
use agentsh_intercept::{Caller, Errno, ExecDecision, ExecRequest, Judge, Stage, Subject};
use agentsh_policy::{CommandQuery, Verdict};
use agentsh_sandbox::filter::across;

use super::approvals::Answered;
use super::judge::CommandJudge;
use super::rules::{LetsRun as _, Rules};

/// The bytes of some texts.
pub(super) fn words(argv: &[CString]) -> Vec<&[u8]> {
    argv.iter().map(|argument| argument.as_bytes()).collect()
}

/// The word of the record for a verdict.
pub(super) fn decision_of(verdict: &Verdict<'_>) -> Decision {
    verdict.decision.word().parse().unwrap_or(Decision::Deny)
}

/// One file that would run, and what policy says of it.
#[derive(Clone, Copy)]
struct Judged<'a> {
    subject: &'a Subject,
    verdict: Verdict<'a>,
}

/// What policy says of each file that would run.
fn judged<'a>(rules: &'a Rules, request: &'a ExecRequest<'_>) -> Vec<Judged<'a>> {
    request
        .subjects
        .iter()
        .map(|subject| judge(rules, subject, request.depth))
        .collect()
}

/// What policy says of one file.
fn judge<'a>(rules: &'a Rules, subject: &'a Subject, depth: u32) -> Judged<'a> {
    let argv = words(&subject.argv);
    let verdict = rules.policy.command(&CommandQuery {
        program: place(subject).as_os_str().as_bytes(),
        called: subject.called.as_bytes(),
        args: argv.get(1..).unwrap_or_default(),
        depth,
    });
    Judged { subject, verdict }
}

/// A file of those that would run which a rule makes look absent: without any of them the kernel finds nothing to run.
fn hidden<'a>(rules: &'a Rules, request: &'a ExecRequest<'_>) -> Option<Judged<'a>> {
    request.subjects.iter().find_map(|subject| {
        let verdict = rules.hidden(place(subject).as_os_str().as_bytes())?;
        Some(Judged { subject, verdict })
    })
}

fn place(subject: &Subject) -> &Path {
    subject.place.path().unwrap_or(Path::new(""))
}

/// The one that decides for all: the strictest, of equals the first.
fn strictest<'a>(all: &[Judged<'a>]) -> Option<Judged<'a>> {
    let mut strictest: Option<Judged<'a>> = None;
    for one in all {
        if strictest.is_none_or(|held| one.verdict.decision.strictness() > held.verdict.decision.strictness()) {
            strictest = Some(*one);
        }
    }
    strictest
}

/// What leads to another program: the verdict itself, or the rule of another policy that holds after a person's yes.
fn led<'a>(rules: &'a Rules, one: Judged<'a>) -> Option<Judged<'a>> {
    let verdict = match one.verdict.decision {
        agentsh_policy::Decision::Redirect => one.verdict,
        _ => rules.policy.after_yes(&one.verdict)?,
    };
    Some(Judged { verdict, ..one })
}

/// An exec that was not let through, and why the record says so.
struct Refused {
    errno: Errno,
    message: Option<String>,
}

impl CommandJudge {
    /// Puts an exec on record; what is not on record does not run.
    fn record_exec(
        &self,
        request: &ExecRequest<'_>,
        one: Judged<'_>,
        outcome: Outcome<'_>,
        refused: Option<Errno>,
    ) -> Result<(), Errno> {
        let argv = words(&one.subject.argv);
        let emitted = self.session().emit(EventDraft {
            policy: Some(outcome),
            result: Some(refused.map_or(0, Errno::raw_os_error)),
            fields: &[("depth", Value::Unsigned(request.depth.into()))],
            ..self.exec_draft(request, one.subject, &argv)
        });
        match (emitted, refused) {
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(errno)) => Err(errno),
            (Err(error), _) => {
                tracing::error!("an exec is refused because it cannot be recorded: {error}");
                Err(Errno::ACCESS)
            }
        }
    }

    /// The rule's message about this exec.
    fn message(rules: &Rules, one: Judged<'_>) -> Option<String> {
        let argv = words(&one.subject.argv);
        let arguments = argv.get(1..).unwrap_or_default();
        rules.outcome(&one.verdict, place(one.subject), arguments).message
    }

    /// An exec that a person is asked about, and its event.
    fn asked(&self, rules: &Rules, request: &ExecRequest<'_>, one: Judged<'_>) -> Result<(), ExecDecision> {
        let message = Self::message(rules, one);
        let (approval, denial) = match self.session().ask_exec(self.command(), request, &one.verdict, message) {
            Answered::Yes(id) => (Some(id), None),
            Answered::No(id, why) => (id, Some(why)),
            Answered::Interrupted(seen) => return Err(ExecDecision::Interrupted(seen)),
        };
        let outcome = Outcome {
            effective: if denial.is_none() {
                Decision::Allow
            } else {
                Decision::Deny
            },
            message: denial.as_deref(),
            approval: approval.as_deref(),
            ..Outcome::plain(Decision::Approve, one.verdict.rule)
        };
        let refused = denial.as_ref().map(|_| Errno::ACCESS);
        self.record_exec(request, one, outcome, refused)
            .map_err(ExecDecision::Deny)
    }

    /// An exec that a rule or the defaults refuse.
    fn refuse_exec(&self, rules: &Rules, request: &ExecRequest<'_>, one: Judged<'_>, why: Refused) -> ExecDecision {
        let message = why.message.or_else(|| Self::message(rules, one));
        let outcome = Outcome {
            effective: Decision::Deny,
            message: message.as_deref(),
            ..Outcome::plain(decision_of(&one.verdict), one.verdict.rule)
        };
        let refused = self.record_exec(request, one, outcome, Some(why.errno));
        ExecDecision::Deny(refused.err().unwrap_or(Errno::ACCESS))
    }

    fn decide(&self, rules: &Rules, request: &ExecRequest<'_>) -> Result<ExecDecision, ExecDecision> {
        let all = judged(rules, request);
        if let Some(one) = hidden(rules, request) {
            let (errno, message) = (Errno::NOENT, None);
            return Err(match request.stage {
                Stage::Running => ExecDecision::Deny(errno),
                _ => self.refuse_exec(rules, request, one, Refused { errno, message }),
            });
        }
        let Some(one) = strictest(&all) else {
            return Err(ExecDecision::Deny(Errno::ACCESS));
        };
        let payloads = wrappers::payloads(rules, request);
        let applets: Vec<Judged<'_>> = payloads.applets(rules, request);
        // What runs inside of the file that is executed is judged with it, and is what the record names.
        let unseen = wrappers::unseen(rules, &payloads);
        let hidden = unseen.as_ref().map(|(one, _)| *one);
        let one = strictest(&[&[one], applets.as_slice(), hidden.as_slice()].concat()).unwrap_or(one);
        let refusal = wrappers::refusal(&payloads.programs(rules, request));
        if request.stage == Stage::Running {
            // What became of it is told by `exec_settled`.
            let lets_run = one.verdict.decision.lets_run() && refusal.is_none();
            return if lets_run && self.keeps_environment(rules, request, &all) {
                Ok(payloads.plain())
            } else {
                Err(ExecDecision::Deny(Errno::ACCESS))
            };
        }
        let denied = || Refused {
            errno: Errno::ACCESS,
            message: None,
        };
        if let Some(payload) = refusal.filter(|_| one.verdict.decision != agentsh_policy::Decision::Deny) {
            return Err(self.refuse_exec(rules, request, payload, denied()));
        }
        if let Some(decision) = self.without_sudo(rules, request, one, &payloads) {
            return decision;
        }
        let redirect = all.iter().chain(&applets).find_map(|one| led(rules, *one));
        match one.verdict.decision {
            agentsh_policy::Decision::Approve => self.asked(rules, request, one)?,
            agentsh_policy::Decision::Redirect => {}
            decision if decision.lets_run() => self
                .record_exec(
                    request,
                    one,
                    Outcome::plain(decision_of(&one.verdict), one.verdict.rule),
                    None,
                )
                .map_err(ExecDecision::Deny)?,
            _ => {
                let hidden = unseen.filter(|(hidden, _)| std::ptr::eq(hidden.subject, one.subject));
                let message = hidden.map(|(_, message)| message);
                return Err(self.refuse_exec(rules, request, one, Refused { message, ..denied() }));
            }
        }
        match redirect {
            Some(one) => self.redirected(rules, request, one),
            None => self
                .with_environment(rules, request, &all, payloads.is_transparent())
                .and_then(|decision| self.within_hull(request, decision)),
        }
    }
}

/// Programs that look at what other processes have open and run by `stat(2)` and `realpath(3)`, which nobody else is
/// asked about.
const ACROSS: [&str; 9] = [
    "fuser",
    "killall",
    "killall5",
    "lsof",
    "pidof",
    "readlink",
    "realpath",
    "start-stop-daemon",
    "stat",
];

fn looks_across(subject: &Subject) -> bool {
    let called = Path::new(std::ffi::OsStr::from_bytes(subject.called.as_bytes()));
    let names = [place(subject), called].map(Path::file_name);
    names
        .into_iter()
        .flatten()
        .any(|name| ACROSS.iter().any(|known| name == *known))
}

impl Judge for CommandJudge {
    fn exec(&self, request: &ExecRequest<'_>) -> ExecDecision {
        self.session().settle_files();
        let rules = self.session().rules();
        let decided = self.decide(&rules, request);
        decided
            .and_then(|decision| match decision {
                ExecDecision::Deny(_) => Ok(decision),
                runs => self.checkpoint_before(&rules, request).map(|()| {
                    self.session().pipes.runs(self.command(), &request.subjects);
                    runs
                }),
            })
            .unwrap_or_else(|refused| refused)
    }

    fn nameless_programs(&self) -> bool {
        self.session().rules().memfd_exec
    }

    fn enters(&self, caller: &Caller<'_>) -> agentsh_intercept::Outcome {
        let session = self.session();
        match session.shared.files.get().filter(|_| session.rules().hides_names) {
            Some(files) => files.enters(caller),
            None => agentsh_intercept::Outcome::Continue,
        }
    }

    fn stack_limit(&self, subjects: &[Subject]) -> Option<u64> {
        (across::TELLS && subjects.iter().any(looks_across)).then_some(across::STACK)
    }
}
