//! What waits for an answer, and which answers cover calls to come. No clock, no waiting, no record of its own.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use agentsh_protocol::approvals::{Answer, Approval, Grant, Reply, Scope};

use super::bound::Bound;

/// So many requests wait in one session at most.
pub(super) const MAX_PENDING: usize = 100;

/// So many requests that are not repetitions are put before a person in a minute: a flood hides the bad one.
pub(super) const MAX_NEW: usize = 30;
const MINUTE: Duration = Duration::from_secs(60);

/// An asker that comes back sooner was only interrupted by a signal: its time goes on.
const SAME_ASKER: Duration = Duration::from_secs(2);

/// A process that makes the identical call again so soon after a no looks along its search path: the no holds.
const SAME_CALL: Duration = Duration::from_secs(5);

/// How a request ended.
#[derive(Debug, Clone)]
pub(super) struct Resolution {
    pub answer: Answer,
    /// Why, in words for the record.
    pub why: String,
    /// The yes, for an asker that is found to be gone when it comes.
    pub grant: Option<Grant>,
}

/// A request that waits.
struct Pending {
    approval: Approval,
    bound: Bound,
    deadline: Instant,
    /// Since when nobody waits for it.
    left: Option<Instant>,
    resolution: Arc<OnceLock<Resolution>>,
}

struct Granted {
    grant: Grant,
    bound: Bound,
    until: Option<Instant>,
}

/// One asker's place in the queue.
#[derive(Clone)]
pub(super) struct Ticket {
    pub id: String,
    pub resolution: Arc<OnceLock<Resolution>>,
}

/// What becomes of a call.
pub(super) enum Admission {
    /// An earlier yes covers it: the id of that approval.
    Covered(String),
    /// It waits; the approval if it is a new one.
    Waits(Ticket, Option<Box<Approval>>),
    /// The process was told no a moment ago: the approval, and why.
    Denied(String, String),
    /// It is not even asked.
    Refused(&'static str),
}

/// The queue of one session.
#[derive(Default)]
pub(super) struct Queue {
    pending: Vec<Pending>,
    granted: Vec<Granted>,
    /// Newest denials: the call, its process, when, and what was said.
    denied: VecDeque<(Bound, i32, Instant, String, String)>,
    /// When the newest requests came.
    recent: VecDeque<Instant>,
}

impl Queue {
    /// A call asks; `describe` makes the approval of a new request.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        (bound, pid): (&Bound, i32),
        timeout: Duration,
        describe: impl FnOnce() -> Approval,
    ) -> Admission {
        self.forget_grants(now);
        if let Some(at) = self.granted.iter().position(|granted| granted.bound == *bound) {
            let id = self.granted[at].grant.id.clone();
            if self.granted[at].grant.scope == Scope::Once {
                self.granted.remove(at);
            }
            return Admission::Covered(id);
        }
        self.denied.retain(|(_, _, when, _, _)| now - *when < SAME_CALL);
        if let Some((_, _, _, id, why)) = self
            .denied
            .iter()
            .find(|(same, asker, ..)| same == bound && *asker == pid)
        {
            return Admission::Denied(id.clone(), why.clone());
        }
        if let Some(same) = self.pending.iter_mut().find(|pending| pending.bound == *bound) {
            if same.left.take().is_some_and(|left| now - left > SAME_ASKER) {
                same.deadline = now + timeout;
            }
            same.approval.waiting += 1;
            same.approval.asked += 1;
            return Admission::Waits(same.ticket(), None);
        }
        while self.recent.front().is_some_and(|time| now - *time > MINUTE) {
            self.recent.pop_front();
        }
        if self.pending.len() >= MAX_PENDING {
            return Admission::Refused("too many requests of this session wait for an answer");
        }
        if self.recent.len() >= MAX_NEW {
            return Admission::Refused("this session asks too often: try again in a minute");
        }
        self.recent.push_back(now);
        let approval = describe();
        let pending = Pending {
            approval: approval.clone(),
            bound: bound.clone(),
            deadline: now + timeout,
            left: None,
            resolution: Arc::default(),
        };
        let ticket = pending.ticket();
        self.pending.push(pending);
        Admission::Waits(ticket, Some(Box::new(approval)))
    }

    /// An asker was told no.
    pub(super) fn was_denied(&mut self, now: Instant, (bound, pid): (&Bound, i32), id: &str, why: &str) {
        self.denied
            .push_back((bound.clone(), pid, now, id.to_owned(), why.to_owned()));
        if self.denied.len() > MAX_PENDING {
            self.denied.pop_front();
        }
    }

    /// An asker does not wait any more; the request stays.
    pub(super) fn leave(&mut self, now: Instant, id: &str) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.approval.id == id) {
            pending.approval.waiting = pending.approval.waiting.saturating_sub(1);
            if pending.approval.waiting == 0 {
                pending.left = Some(now);
            }
        }
    }

    /// Ends requests whose time is over: those that somebody waits for at their deadline, the others when no
    /// retry is expected any more. They are the answer.
    pub(super) fn expire(&mut self, now: Instant, retry_window: Duration) -> Vec<Approval> {
        let is_over = |pending: &Pending| match pending.left {
            None => now >= pending.deadline,
            Some(left) => now >= left + retry_window,
        };
        let (over, rest) = std::mem::take(&mut self.pending).into_iter().partition(is_over);
        self.pending = rest;
        let over: Vec<Pending> = over;
        over.into_iter()
            .map(|pending| {
                let _ = pending.resolution.set(Resolution {
                    answer: Answer::Deny,
                    why: "nobody answered in time".to_owned(),
                    grant: None,
                });
                pending.approval
            })
            .collect()
    }

    /// A person answers: the request as it was, and the grant if one was made. `None`: no such request waits.
    pub(super) fn reply(
        &mut self,
        now: Instant,
        id: &str,
        reply: &Reply,
        (created, retry_window, retry_until): (String, Duration, String),
    ) -> Option<(Approval, Option<Grant>)> {
        let at = self.pending.iter().position(|pending| pending.approval.id == id)?;
        let pending = self.pending.remove(at);
        let scope = match pending.bound.lasts {
            true => Scope::Session,
            false => reply.scope,
        };
        let once = scope == Scope::Once;
        let yes = (reply.answer == Answer::Allow).then(|| Grant {
            id: pending.approval.id.clone(),
            session_id: pending.approval.session_id.clone(),
            scope,
            operation: pending.approval.operation.clone(),
            path: pending.approval.path.clone(),
            argv: pending.approval.argv.clone(),
            cwd: pending.approval.cwd.clone(),
            rule: pending.approval.rule.clone(),
            created,
            expires: once.then_some(retry_until),
        });
        // Whoever waits is covered by the answer itself.
        // What is allowed for good is written down elsewhere.
        let kept = scope == Scope::Session || once && pending.approval.waiting == 0;
        let grant = yes.clone().filter(|_| kept);
        if let Some(grant) = &grant {
            self.grant(now, grant, &pending.bound, retry_window);
        }
        let said = reply
            .reason
            .as_deref()
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        let _ = pending.resolution.set(Resolution {
            answer: reply.answer,
            grant: yes,
            why: match reply.answer {
                Answer::Allow => format!("a person allowed it{said}"),
                Answer::Deny => format!("a person denied it{said}"),
            },
        });
        Some((pending.approval, grant))
    }

    /// From now on `grant` covers calls that are identical to `bound`. False if it does already.
    pub(super) fn grant(&mut self, now: Instant, grant: &Grant, bound: &Bound, retry_window: Duration) -> bool {
        if self.granted.iter().any(|granted| granted.grant.id == grant.id) {
            return false;
        }
        self.granted.push(Granted {
            grant: grant.clone(),
            bound: bound.clone(),
            until: (grant.scope == Scope::Once).then(|| now + retry_window),
        });
        true
    }

    /// Whether an answer is there for a call.
    pub(super) fn covers(&mut self, now: Instant, bound: &Bound) -> bool {
        self.forget_grants(now);
        self.granted.iter().any(|granted| granted.bound == *bound)
    }

    /// One that waits, and the call that it is about.
    pub(super) fn find(&self, id: &str) -> Option<(Approval, Bound)> {
        let mut pending = self.pending.iter();
        let one = pending.find(|pending| pending.approval.id == id)?;
        Some((one.approval.clone(), one.bound.clone()))
    }

    /// What waits, oldest first.
    pub(super) fn pending(&self) -> Vec<Approval> {
        self.pending.iter().map(|pending| pending.approval.clone()).collect()
    }

    /// The answers that cover calls to come.
    pub(super) fn grants(&mut self, now: Instant) -> Vec<Grant> {
        self.forget_grants(now);
        self.granted.iter().map(|granted| granted.grant.clone()).collect()
    }

    /// Takes a grant back.
    pub(super) fn revoke(&mut self, id: &str) -> Option<Grant> {
        let at = self.granted.iter().position(|granted| granted.grant.id == id)?;
        Some(self.granted.remove(at).grant)
    }

    fn forget_grants(&mut self, now: Instant) {
        self.granted
            .retain(|granted| granted.until.is_none_or(|until| now < until));
    }
}

impl Pending {
    fn ticket(&self) -> Ticket {
        Ticket {
            id: self.approval.id.clone(),
            resolution: Arc::clone(&self.resolution),
        }
    }
}
