//! Asking a person outside of the session, and what the answers cover.

mod bound;
mod judged;
mod notify;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use agentsh_audit::{Argv, Decision, EventDraft, EventType, Outcome, RecordError, Value};
use agentsh_intercept::Interruption;
use agentsh_policy::model::Notify;
use agentsh_policy::{FileOp, Policy};
use agentsh_protocol::approvals::{Answer, Approval, Change, Grant, Reply, Scope};
use agentsh_protocol::{Bytes, new_id};

pub(crate) use bound::Bound;
use queue::{Admission, Queue, Ticket};

use super::control::Notice;
use super::session::Session;
use crate::standing::{self, Standing};

/// How long a person has if neither rule nor policy says.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// How long a late yes waits for the retry if policy does not say.
const RETRY_WINDOW: Duration = Duration::from_secs(10 * 60);

/// How often a waiting caller is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// So many answers are remembered for the events of the calls that they decided.
const REMEMBERED: usize = 256;

/// The questions of one session.
#[derive(Default)]
pub(crate) struct Approvals {
    queue: Mutex<Queue>,
    changed: Condvar,
    watchers: AtomicUsize,
    decided: Mutex<VecDeque<Decided>>,
}

/// A call that was asked about, for the event that tells what became of it.
struct Decided {
    pid: i32,
    operation: String,
    path: Vec<u8>,
    approval: String,
}

/// One call that asks.
pub(crate) struct Ask<'a> {
    pub bound: Bound,
    pub command: Option<&'a str>,
    pub pid: i32,
    pub message: Option<String>,
    /// The rule's own.
    pub timeout: Option<Duration>,
}

/// What the caller of [`Session::ask`] learns.
pub(crate) enum Answered {
    /// Yes, by the approval with this id.
    Yes(String),
    /// No; the approval, if one was made, and why.
    No(Option<String>, String),
    /// The caller has a signal or is gone.
    Interrupted(Interruption),
}

/// What is said when nobody could answer.
pub(crate) const NOBODY: &str = "a person has to approve it, and nobody can be asked: no `agentsh approve --watch` is open, and policy names no approvals.notify";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How people are told, if policy says.
fn notify(policy: &Policy) -> Option<Notify> {
    let notify = policy.settings()?.file.approvals.notify.clone()?;
    (notify.command.is_some() || notify.webhook.is_some()).then_some(notify)
}

/// Whether rules or defaults of the policy ask on execs, files, sockets or requests.
fn asks(policy: &Policy) -> bool {
    policy.asks_on_sockets()
        || policy.services().any(|service| service.asks())
        || policy.command_decisions().contains(agentsh_policy::Decision::Approve)
        || policy.signals_can_ask()
        || FileOp::ALL
            .iter()
            .any(|op| policy.file_decisions(*op).contains(agentsh_policy::Decision::Approve))
}

/// One line if the policy asks people and there are none.
pub(crate) fn warning(policy: &Policy, watchers: usize) -> Option<String> {
    (watchers == 0 && asks(policy) && notify(policy).is_none())
        .then(|| format!("{}: approve: nobody can be asked now, so it is a denial: open `agentsh approve --watch`, or set approvals.notify", policy.name()))
}

fn after(time: Duration) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + time;
    agentsh_audit::time::rfc3339(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

impl Approvals {
    /// How many people watch from now on.
    pub(crate) fn set_watchers(&self, count: usize) {
        self.watchers.store(count, Ordering::Release);
    }

    /// How many people watch.
    pub(crate) fn watchers(&self) -> usize {
        self.watchers.load(Ordering::Acquire)
    }

    /// The approval that decided a call of this process.
    pub(crate) fn decided(&self, pid: i32, operation: &str, path: &[u8]) -> Option<String> {
        let decided = lock(&self.decided);
        let found = decided
            .iter()
            .rev()
            .find(|call| (call.pid, call.operation.as_str(), call.path.as_slice()) == (pid, operation, path));
        found.map(|call| call.approval.clone())
    }

    fn remember(&self, ask: &Ask<'_>, id: &str) {
        let mut decided = lock(&self.decided);
        if decided.len() >= REMEMBERED {
            decided.pop_front();
        }
        decided.push_back(Decided {
            pid: ask.pid,
            operation: ask.bound.operation.clone(),
            path: ask.bound.path.clone(),
            approval: id.to_owned(),
        });
    }
}

impl Session {
    /// Whether anybody would learn of a question.
    pub(crate) fn somebody_listens(&self) -> bool {
        self.approvals.watchers() > 0 || notify(&self.rules().policy).is_some()
    }

    /// Whether the start of a command that policy asks about can come to a yes: somebody listens, or one was given. The
    /// exec itself is what asks.
    pub(crate) fn may_be_answered(&self, program: &Path, argv: &[Bytes]) -> bool {
        if self.somebody_listens() {
            return true;
        }
        let program = std::fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
        let given = standing::all(&self.account).unwrap_or_default();
        let given = given.iter().map(Standing::grant).chain(self.grants());
        let about = |grant: Grant| grant.operation == "exec" && Path::new(grant.path.as_os_str()) == program;
        let same = |grant: &Grant| grant.argv == argv;
        given.filter(same).any(about)
    }

    fn retry_window(&self) -> Duration {
        let rules = self.rules();
        rules
            .policy
            .settings()
            .and_then(|settings| settings.file.approvals.retry_window)
            .map_or(RETRY_WINDOW, |time| time.0)
    }

    /// Asks, and waits for the answer; `interruption` looks at the caller. Blocks for minutes.
    pub(crate) fn ask(&self, ask: &Ask<'_>, interruption: &dyn Fn() -> Interruption) -> Answered {
        let policy = self.rules();
        let settings = policy.policy.settings().map(|settings| &settings.file.approvals);
        let timeout = ask
            .timeout
            .or(settings.and_then(|settings| settings.timeout).map(|time| time.0))
            .unwrap_or(TIMEOUT);
        let describe = || self.describe(ask, timeout);
        // A yes that was given before covers the call whether anybody listens now or not.
        if let Some(id) = self.standing(ask, policy.policy.name()) {
            self.approvals.remember(ask, &id);
            return Answered::Yes(id);
        }
        let listens = self.somebody_listens();
        let admission = {
            let mut queue = lock(&self.approvals.queue);
            if listens || queue.covers(Instant::now(), &ask.bound) {
                queue.admit(Instant::now(), (&ask.bound, ask.pid), timeout, describe)
            } else {
                Admission::Refused(NOBODY)
            }
        };
        let (ticket, new) = match admission {
            Admission::Covered(id) => {
                self.approvals.remember(ask, &id);
                return Answered::Yes(id);
            }
            Admission::Denied(id, why) => return Answered::No(Some(id), why),
            Admission::Refused(why) => return Answered::No(None, why.to_owned()),
            Admission::Waits(ticket, new) => (ticket, new),
        };
        if let Some(approval) = new {
            if let Err(error) = self.record_request(&approval) {
                tracing::error!("a question is not asked because it cannot be recorded: {error}");
                return Answered::No(None, "the question cannot be recorded".to_owned());
            }
            if let Some(notify) = notify(&policy.policy) {
                notify::tell(&notify, &approval, &self.account);
            }
            self.tell(Notice::Approval(Change::Asked { approval }));
        }
        self.approvals.remember(ask, &ticket.id);
        self.wait(ask, &ticket, interruption)
    }

    /// The yes for good that covers a call.
    fn standing(&self, ask: &Ask<'_>, policy: &str) -> Option<String> {
        let all = standing::all(&self.account).unwrap_or_else(|error| {
            tracing::error!("{} is not taken: {error}", standing::place(&self.account).display());
            Vec::new()
        });
        let covers = |one: &&Standing| one.policy == policy && ask.bound.is_covered_by(one);
        all.iter().find(covers).map(|one| one.id.clone())
    }

    fn wait(&self, ask: &Ask<'_>, ticket: &Ticket, interruption: &dyn Fn() -> Interruption) -> Answered {
        let mut signalled = false;
        loop {
            self.expire_requests();
            if let Some(resolution) = ticket.resolution.get() {
                return match resolution.answer {
                    Answer::Allow if interruption() == Interruption::Gone => {
                        self.keep_for_retry(ask, resolution.grant.as_ref());
                        Answered::Interrupted(Interruption::Gone)
                    }
                    Answer::Allow => Answered::Yes(ticket.id.clone()),
                    Answer::Deny => {
                        let call = (&ask.bound, ask.pid);
                        lock(&self.approvals.queue).was_denied(Instant::now(), call, &ticket.id, &resolution.why);
                        Answered::No(Some(ticket.id.clone()), resolution.why.clone())
                    }
                };
            }
            match interruption() {
                Interruption::None => signalled = false,
                // Another thread may be about to take it: only one that stays is this caller's.
                Interruption::Signal if !signalled => signalled = true,
                seen => {
                    lock(&self.approvals.queue).leave(Instant::now(), &ticket.id);
                    return Answered::Interrupted(seen);
                }
            }
            let queue = lock(&self.approvals.queue);
            if ticket.resolution.get().is_none() {
                let waited = self.approvals.changed.wait_timeout(queue, LOOK);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// The asker died before its yes came: the yes covers its retry.
    fn keep_for_retry(&self, ask: &Ask<'_>, yes: Option<&Grant>) {
        let window = self.retry_window();
        let kept = yes.filter(|grant| lock(&self.approvals.queue).grant(Instant::now(), grant, &ask.bound, window));
        if let Some(grant) = kept {
            self.record_grant(EventType::GrantCreated, grant);
        }
    }

    fn describe(&self, ask: &Ask<'_>, timeout: Duration) -> Approval {
        Approval {
            id: new_id(),
            session_id: self.id.clone(),
            command_id: ask.command.map(str::to_owned),
            operation: ask.bound.operation.clone(),
            path: Bytes(ask.bound.path.clone()),
            argv: ask.bound.argv.iter().cloned().map(Bytes).collect(),
            cwd: ask.bound.cwd.as_deref().map(Bytes::from),
            environment: ask.bound.environment.iter().cloned().map(Bytes).collect(),
            pid: ask.pid,
            parents: bound::parents(ask.pid)
                .iter()
                .map(|path| Bytes::from(path.as_path()))
                .collect(),
            rule: ask.bound.rule.clone(),
            message: ask.message.clone(),
            created: agentsh_audit::time::now_rfc3339(),
            expires: after(timeout),
            waiting: 1,
            asked: 1,
            written: None,
        }
    }

    /// Ends what nobody answered in time.
    fn expire_requests(&self) {
        let window = self.retry_window();
        let over = lock(&self.approvals.queue).expire(Instant::now(), window);
        for approval in over {
            self.record_end(&approval, Answer::Deny, "timeout", None);
            self.tell_resolved(approval.id, Answer::Deny, "timeout");
        }
    }

    /// What waits for an answer, oldest first.
    pub(crate) fn approvals_pending(&self) -> Vec<Approval> {
        self.expire_requests();
        lock(&self.approvals.queue).pending()
    }

    /// Takes a person's answer; the request as it was. `None`: no such request waits.
    ///
    /// # Errors
    /// A yes for good that cannot be written down is no answer: the request goes on waiting.
    pub(crate) fn reply(&self, id: &str, reply: &Reply) -> Result<Option<Approval>, std::io::Error> {
        self.expire_requests();
        let mut written = None;
        if (reply.answer, reply.scope) == (Answer::Allow, Scope::Always) {
            let Some((approval, bound)) = lock(&self.approvals.queue).find(id) else {
                return Ok(None);
            };
            let created = agentsh_audit::time::now_rfc3339();
            let standing = Standing::of(&approval, self.rules().policy.name(), bound.programs()?, created);
            written = Some(standing::add(&self.account, standing)?);
        }
        let window = self.retry_window();
        let times = (agentsh_audit::time::now_rfc3339(), window, after(window));
        let Some((mut approval, grant)) = lock(&self.approvals.queue).reply(Instant::now(), id, reply, times) else {
            return Ok(None);
        };
        approval.written = written.as_deref().map(Bytes::from);
        self.record_end(&approval, reply.answer, "person", reply.reason.as_deref());
        if let Some(grant) = &grant {
            self.record_grant(EventType::GrantCreated, grant);
        }
        self.approvals.changed.notify_all();
        self.tell_resolved(approval.id.clone(), reply.answer, "person");
        Ok(Some(approval))
    }

    /// The answers that cover calls to come.
    pub(crate) fn grants(&self) -> Vec<Grant> {
        lock(&self.approvals.queue).grants(Instant::now())
    }

    /// Takes one back. `None`: there is no such.
    pub(crate) fn revoke(&self, id: &str) -> Option<Grant> {
        let grant = lock(&self.approvals.queue).revoke(id)?;
        self.record_grant(EventType::GrantRevoked, &grant);
        Some(grant)
    }

    fn tell_resolved(&self, id: String, answer: Answer, by: &str) {
        let by = by.to_owned();
        self.tell(Notice::Approval(Change::Resolved { id, answer, by }));
    }

    fn record_request(&self, approval: &Approval) -> Result<(), RecordError> {
        self.recorder.emit(EventDraft {
            command: approval.command_id.as_deref(),
            pid: approval.pid,
            argv: Argv::Bytes(&approval.argv),
            operation: Some(&approval.operation),
            path: Some(&approval.path.0),
            policy: Some(Outcome {
                message: approval.message.as_deref(),
                approval: Some(&approval.id),
                ..Outcome::plain(Decision::Approve, approval.rule.as_deref())
            }),
            fields: &[("expires", Value::Text(&approval.expires))],
            ..EventDraft::new(EventType::ApprovalRequested)
        })
    }

    fn record_end(&self, approval: &Approval, answer: Answer, by: &str, reason: Option<&str>) {
        let effective = match answer {
            Answer::Allow => Decision::Allow,
            Answer::Deny => Decision::Deny,
        };
        self.note(EventDraft {
            command: approval.command_id.as_deref(),
            pid: approval.pid,
            operation: Some(&approval.operation),
            path: Some(&approval.path.0),
            policy: Some(Outcome {
                effective,
                message: reason,
                approval: Some(&approval.id),
                ..Outcome::plain(Decision::Approve, approval.rule.as_deref())
            }),
            fields: &[("by", Value::Text(by)), ("asked", Value::Unsigned(approval.asked))],
            ..EventDraft::new(EventType::ApprovalResolved)
        });
    }

    fn record_grant(&self, kind: EventType, grant: &Grant) {
        let scope = match grant.scope {
            Scope::Once => "once",
            Scope::Session => "session",
            Scope::Always => "always",
        };
        self.note(EventDraft {
            argv: Argv::Bytes(&grant.argv),
            operation: Some(&grant.operation),
            path: Some(&grant.path.0),
            fields: &[("approval", Value::Text(&grant.id)), ("scope", Value::Text(scope))],
            ..EventDraft::new(kind)
        });
    }

    fn note(&self, draft: EventDraft<'_>) {
        if let Err(error) = self.recorder.emit(draft) {
            tracing::error!("recording {}: {error}", draft.kind.as_str());
        }
    }
}
