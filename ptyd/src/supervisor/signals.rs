//! Policy on signals, as the interception of one command asks it.

use agentsh_audit::{Decision as Recorded, EventDraft, EventType, Outcome, Value};
use agentsh_intercept::{Errno, FileId, Relation, SignalDecision, SignalJudge, SignalRequest};
use agentsh_policy::{Decision, Redirect, SignalQuery, Subject, TargetType, Targets};

use super::execs::decision_of;
use super::judge::CommandJudge;

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

impl SignalJudge for CommandJudge {
    fn signal(&self, request: &SignalRequest<'_>) -> SignalDecision {
        let relation = request.target.relation;
        let tgid = request.target.tgid;
        let program = match relation.itself {
            // Named by no rule that would not name the sender as well; asked for only where it counts.
            true => Vec::new(),
            false => std::fs::read_link(format!("/proc/{tgid}/exe"))
                .map(|path| path.into_os_string().into_encoded_bytes())
                .unwrap_or_default(),
        };
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
            Decision::Allow | Decision::Audit => SignalDecision::Allow,
            Decision::Absorb => SignalDecision::Absorb,
            Decision::Redirect => match verdict.redirect {
                Redirect::Signal { signal, .. } => SignalDecision::Instead(signal),
                _ => SignalDecision::Deny(Errno::PERM),
            },
            // Nobody can be asked in this build: approve is a no.
            _ => SignalDecision::Deny(Errno::PERM),
        };
        // A program's signals to itself (abort, threads that are told to stop) are its own affair.
        if relation.itself && verdict.decision == Decision::Allow {
            return decision;
        }
        let message = verdict.message(&Subject {
            command: &program,
            operation: "signal",
            ..Subject::default()
        });
        let denied = matches!(decision, SignalDecision::Deny(_));
        let outcome = match ours {
            true => Outcome::deny(Some(OURSELVES), None),
            false => Outcome {
                message: message.as_deref(),
                ..Outcome::plain(decision_of(&verdict), verdict.rule)
            },
        };
        self.note(EventDraft {
            operation: Some("signal"),
            path: (!program.is_empty()).then_some(&program),
            signal: Some(request.signal),
            policy: Some(match denied {
                true => Outcome {
                    effective: Recorded::Deny,
                    ..outcome
                },
                false => outcome,
            }),
            result: denied.then_some(Errno::PERM.raw_os_error()),
            fields: &[("target", Value::Signed(tgid.into()))],
            ..self.draft(EventType::SignalSend, request.sender)
        });
        decision
    }

    fn is_member(&self, tgid: i32, started: u64) -> bool {
        self.session().shared.members.knows(tgid, started)
    }
}
