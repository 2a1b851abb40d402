//! Policy on signals, as the interception of one command asks it.

use agentsh_audit::{Decision as Recorded, EventDraft, EventType, Outcome, Value};
use agentsh_intercept::{Errno, FileId, Relation, SignalDecision, SignalJudge, SignalRequest, Target, TaskStat};
use agentsh_policy::{Decision, Redirect, SignalQuery, Subject, TargetType, Targets, Verdict};

use super::approvals::{Answered, Ask, Bound};
use super::execs::decision_of;
use super::judge::CommandJudge;
use super::rules::Rules;

/// The rule that stands behind our own denials in the record.
const OURSELVES: &str = "agentsh-itself";

fn targets(relation: Relation) -> Targets {
    let pairs = [
        (relation.itself, TargetType::Itself),
        (relation.child, TargetType::Children),
        (relation.descendant, TargetType::Descendants),
        (relation.sibling, TargetType::Siblings),
        (relation.member, TargetType::Session),
        (relation.parent, TargetType::Parent),
        (!relation.member, TargetType::External),
        (relation.system, TargetType::System),
        (relation.same_user, TargetType::User),
    ];
    let held = pairs.into_iter().filter(|(held, _)| *held);
    held.fold(Targets::NONE, |sum, (_, kind)| sum.with(kind))
}

/// Whether it is a broker, a supervisor or a helper of ours: all run the program that we run.
fn is_ours(tgid: i32) -> bool {
    let own = std::process::id().cast_signed();
    tgid == own || matches!((FileId::image(tgid), FileId::image(own)), (Ok(one), Ok(other)) if one == other)
}

/// The program of the target, where that is not the sender.
fn program(request: &SignalRequest<'_>) -> Vec<u8> {
    let Target { tgid, relation, .. } = request.target;
    if relation.itself {
        // Named by no rule that would not name the sender as well.
        return Vec::new();
    }
    std::fs::read_link(format!("/proc/{tgid}/exe"))
        .map(|path| path.into_os_string().into_encoded_bytes())
        .unwrap_or_default()
}

fn message(verdict: &Verdict<'_>, program: &[u8]) -> Option<String> {
    verdict.message(&Subject {
        command: program,
        operation: "signal",
        ..Subject::default()
    })
}

/// What is done by a verdict that asks nobody.
fn decision(verdict: &Verdict<'_>) -> SignalDecision {
    match (verdict.decision, verdict.redirect) {
        (Decision::Allow | Decision::Audit, _) => SignalDecision::Allow,
        (Decision::Absorb, _) => SignalDecision::Absorb,
        (Decision::Redirect, Redirect::Signal { signal, .. }) => SignalDecision::Instead(signal),
        _ => SignalDecision::Deny(Errno::PERM),
    }
}

/// `TERM (15)`, `34`.
fn name(signal: i32) -> String {
    match nix::sys::signal::Signal::try_from(signal) {
        Ok(known) => format!("{} ({signal})", known.as_str().trim_start_matches("SIG")),
        Err(_) => signal.to_string(),
    }
}

impl CommandJudge {
    fn record_signal(&self, request: &SignalRequest<'_>, program: &[u8], outcome: Outcome<'_>, denied: bool) {
        self.note(EventDraft {
            operation: Some("signal"),
            path: (!program.is_empty()).then_some(program),
            signal: Some(request.signal),
            policy: Some(match denied {
                true => Outcome {
                    effective: Recorded::Deny,
                    ..outcome
                },
                false => outcome,
            }),
            result: denied.then_some(Errno::PERM.raw_os_error()),
            fields: &[("target", Value::Signed(request.target.tgid.into()))],
            ..self.draft(EventType::SignalSend, request.sender)
        });
    }

    /// Asks about a signal to one process.
    fn ask_signal(
        &self,
        request: &SignalRequest<'_>,
        rules: &Rules,
        verdict: &Verdict<'_>,
        program: &[u8],
    ) -> SignalDecision {
        let tgid = request.target.tgid;
        let Ok(stat) = TaskStat::read(tgid) else {
            return SignalDecision::Deny(Errno::SRCH);
        };
        let ask = Ask {
            bound: Bound::signal(&name(request.signal), program, (tgid, stat.started), verdict.rule),
            command: Some(self.command()),
            pid: request.sender,
            message: message(verdict, program),
            timeout: verdict.timeout,
        };
        request.caller.will_block();
        let (approval, why) = match self.session().ask(&ask, &|| request.caller.interruption()) {
            Answered::Yes(id) => (Some(id), None),
            Answered::No(id, why) => (id, Some(why)),
            Answered::Interrupted(seen) => return SignalDecision::Interrupted(seen),
        };
        let outcome = Outcome {
            effective: if why.is_none() { Recorded::Allow } else { Recorded::Deny },
            message: why.as_deref(),
            approval: approval.as_deref(),
            ..Outcome::plain(decision_of(verdict), verdict.rule)
        };
        self.record_signal(request, program, outcome, why.is_some());
        match (why, rules.policy.after_yes(verdict)) {
            (None, Some(then)) => decision(&then),
            (None, None) => SignalDecision::Allow,
            (Some(_), _) => SignalDecision::Deny(Errno::PERM),
        }
    }
}

impl SignalJudge for CommandJudge {
    fn signal(&self, request: &SignalRequest<'_>) -> SignalDecision {
        let relation = request.target.relation;
        let tgid = request.target.tgid;
        let program = program(request);
        let rules = self.session().rules();
        let verdict = rules.policy.signal(&SignalQuery {
            signal: request.signal,
            target: targets(relation),
            program: &program,
            pid: tgid.cast_unsigned(),
        });
        let ours = !relation.member && is_ours(tgid);
        let decision = match verdict.decision {
            _ if ours => SignalDecision::Deny(Errno::PERM),
            Decision::Approve => return self.ask_signal(request, &rules, &verdict, &program),
            _ => decision(&verdict),
        };
        // A program's signals to itself (abort, threads that are told to stop) are its own affair.
        if relation.itself && verdict.decision == Decision::Allow {
            return decision;
        }
        let message = message(&verdict, &program);
        let denied = matches!(decision, SignalDecision::Deny(_));
        let outcome = match ours {
            true => Outcome::deny(Some(OURSELVES), None),
            false => Outcome {
                message: message.as_deref(),
                ..Outcome::plain(decision_of(&verdict), verdict.rule)
            },
        };
        self.record_signal(request, &program, outcome, denied);
        decision
    }

    fn reaches(&self, request: &SignalRequest<'_>, by_signal: bool) -> bool {
        let Target { tgid, relation, .. } = request.target;
        let program = program(request);
        let rules = self.session().rules();
        let of = |signal| {
            rules.policy.signal(&SignalQuery {
                signal,
                target: targets(relation),
                program: &program,
                pid: tgid.cast_unsigned(),
            })
        };
        // What may come is not known: all that could must be free.
        let stops = by_signal
            .then(|| (1..=libc::SIGSYS).map(of).find(|verdict| !verdict.decision.passes()))
            .flatten();
        if relation.member && stops.is_none() {
            return true;
        }
        let rule = stops.and_then(|verdict| verdict.rule);
        let outcome = Outcome::deny(
            rule.or(Some(OURSELVES)),
            Some("another process is not to be reached so"),
        );
        self.record_signal(request, &program, outcome, true);
        false
    }

    fn is_member(&self, tgid: i32, stat: &TaskStat) -> bool {
        self.session().shared.members.has(tgid, stat)
    }
}
