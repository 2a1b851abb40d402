//! Signals: judged by registers, for each process that is meant.
//!
//! Pids and signal numbers lie in registers, which nobody can rewrite, so that an allowed call is continued:
//! the kernel checks the caller's rights and the receiver sees the caller's pid. A group is continued only
//! if every member may be signalled; else, and for `-1`, each member that may be is signalled by us through
//! its pidfd, once the rights of the caller have been looked at (`kill(2)`). Descriptors can be exchanged
//! by another thread, so that `pidfd_send_signal(2)` is always carried out, on our own duplicate; the
//! receiver then sees `SI_QUEUE` instead of `SI_USER`, with the caller's pid.
//!
//! What comes to the same without a signal call, by arrangement with the kernel or by limits, is in `reach.rs`.

mod arranged;
mod carry;
mod meant;
mod reach;
mod target;

use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::io::Errno;

pub use arranged::Requests;
pub use reach::Reach;
pub use target::{Relation, Target};

use crate::caller::{Caller, Interruption};
use crate::exec::Guard;
use crate::handler::Handler;
use crate::outcome::Outcome;
use crate::process::{TaskStat, is_inside};
use crate::sys::signal::is_oneself;
use meant::Meant;
use target::Surroundings;

/// A signal for one process.
pub struct SignalRequest<'a> {
    /// The calling thread.
    pub caller: &'a Caller<'a>,
    /// Its process.
    pub sender: i32,
    /// 1 to 64.
    pub signal: i32,
    /// Whom for.
    pub target: Target,
}

/// The answer of a judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalDecision {
    /// It is sent, as far as the caller has the right.
    Allow,
    /// It is not.
    Deny(Errno),
    /// It is not, and the caller is told that it was.
    Absorb,
    /// This one is sent instead.
    Instead(i32),
    /// The caller got a signal, or is gone, while a person was asked.
    Interrupted(Interruption),
}

/// Decides about the signals of one command, and tells of them.
pub trait SignalJudge: Send + Sync {
    /// Decides. It may block for long after [`Caller::will_block`], and then watches [`Caller::interruption`].
    fn signal(&self, request: &SignalRequest<'_>) -> SignalDecision;

    /// Whether the sender may reach another process in a way that can end or slow it; `by_signal`: any signal may
    /// come of it, at any time. Tells of what it refuses.
    fn reaches(&self, request: &SignalRequest<'_>, by_signal: bool) -> bool;

    /// Whether process `tgid`, which looks like this, was seen to be of the session or runs what only its processes do.
    fn is_member(&self, tgid: i32, stat: &TaskStat) -> bool;
}

/// Handles the signal calls of one command.
pub struct Signals {
    guard: Arc<Guard>,
    judge: Arc<dyn SignalJudge>,
}

impl Signals {
    /// The calls that it answers.
    pub const CALLS: [i64; 6] = [
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_tgkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_pidfd_send_signal,
    ];

    /// A handler for the command whose processes `guard` knows.
    pub fn new(guard: Arc<Guard>, judge: Arc<dyn SignalJudge>) -> Self {
        Signals { guard, judge }
    }

    fn answer(&self, caller: &Caller<'_>) -> Result<Outcome, Outcome> {
        let sender = self.guard.process_of(caller)?;
        let (meant, signal) = Meant::of(caller)?;
        let around = Surroundings {
            judge: &*self.judge,
            inside: &is_inside,
            sender,
        };
        // Nothing is sent with 0, and the kernel refuses other numbers.
        if !(1..=64).contains(&signal) && !matches!(meant, Meant::Descriptor(_)) {
            return Ok(Outcome::Continue);
        }
        let decide = |target: Target| {
            self.judge.signal(&SignalRequest {
                caller,
                sender,
                signal,
                target,
            })
        };
        match meant {
            Meant::One(pid) => self.one(caller, (pid, signal), &around, decide),
            Meant::Group(group) => self.several(caller, signal, &target::group(group), true, &around, decide),
            Meant::All => self.several(caller, signal, &target::all(sender), false, &around, decide),
            Meant::Descriptor(number) => self.descriptor(caller, (number, signal), &around, decide),
        }
    }

    fn one(
        &self,
        caller: &Caller<'_>,
        (pid, signal): (i32, i32),
        around: &Surroundings<'_>,
        decide: impl Fn(Target) -> SignalDecision,
    ) -> Result<Outcome, Outcome> {
        // Itself costs no look at procfs.
        if pid == around.sender || pid == caller.tid() {
            let target = Target::itself(around.sender);
            return match decide(target) {
                SignalDecision::Allow => Ok(Outcome::Continue),
                decision => carry::out(caller, pid, signal, decision),
            };
        }
        let pidfd = carry::open(pid)?;
        let target = around.look(pid)?;
        match decide(target) {
            SignalDecision::Allow => {
                // The process that was judged is still the one with this number.
                carry::lives(&pidfd)?;
                Ok(Outcome::Continue)
            }
            decision => carry::through(caller, &pidfd, target.tgid, signal, decision),
        }
    }

    fn several(
        &self,
        caller: &Caller<'_>,
        signal: i32,
        members: &[i32],
        whole: bool,
        around: &Surroundings<'_>,
        decide: impl Fn(Target) -> SignalDecision,
    ) -> Result<Outcome, Outcome> {
        let look = |pid: &i32| Some((carry::open(*pid).ok()?, around.look(*pid).ok()?));
        let mut found: Vec<_> = members.iter().filter_map(look).collect();
        // Nothing can come to the dead, who say nothing for the living.
        if found.iter().any(|(_, target)| !target.ended) {
            found.retain(|(_, target)| !target.ended);
        }
        let mut judged = Vec::new();
        for (pidfd, target) in found {
            let decision = decide(target);
            if let SignalDecision::Interrupted(seen) = decision {
                return Err(carry::interrupted(seen));
            }
            judged.push((pidfd, target, decision));
        }
        if judged.is_empty() {
            return Err(Outcome::Errno(Errno::SRCH));
        }
        if whole && judged.iter().all(|(_, _, decision)| *decision == SignalDecision::Allow) {
            return Ok(Outcome::Continue);
        }
        if !caller.still_valid() {
            return Err(Outcome::Answered);
        }
        // As kill(2): it succeeds if somebody could be signalled. The caller itself comes last, because it
        // may end by it.
        judged.sort_by_key(|(_, target, _)| target.relation.itself);
        let mut result = Err(Outcome::Errno(Errno::PERM));
        for (pidfd, target, decision) in judged {
            let sent = carry::through(caller, &pidfd, target.tgid, signal, decision);
            if sent.is_ok() {
                result = sent;
            }
        }
        result
    }

    fn descriptor(
        &self,
        caller: &Caller<'_>,
        (number, signal): (i32, i32),
        around: &Surroundings<'_>,
        decide: impl Fn(Target) -> SignalDecision,
    ) -> Result<Outcome, Outcome> {
        let pidfd = match number {
            carry::SELF_THREAD if is_oneself(number) => carry::open(caller.tid())?,
            carry::SELF_PROCESS if is_oneself(number) => carry::open_process(around.sender)?,
            _ => caller.fetch_fd(number)?,
        };
        let pid = target::of_pidfd(self.guard.locator(), pidfd.as_fd())?;
        let flags = caller.arg_u32(3);
        if flags & carry::PROCESS_GROUP != 0 {
            return match caller.arg(2) {
                0 => self.several(caller, signal, &target::group(pid), false, around, decide),
                // Information of the caller's own for many: nobody needs it.
                _ => Err(Outcome::Errno(Errno::INVAL)),
            };
        }
        let decision = match (signal, pid == around.sender) {
            (1..=64, true) => decide(Target::itself(around.sender)),
            (1..=64, false) => decide(around.look(pid)?),
            _ => SignalDecision::Allow,
        };
        let info = carry::information(caller, signal)?;
        carry::with(caller, &pidfd, pid, signal, decision, (info, flags))
    }
}

impl Handler for Signals {
    fn handle(&self, caller: &Caller<'_>) -> Outcome {
        self.answer(caller).unwrap_or_else(|outcome| outcome)
    }
}
