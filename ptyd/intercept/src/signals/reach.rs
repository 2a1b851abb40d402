//! Ways to end or slow another process that are no signal calls: signals that the kernel sends by arrangement
//! (`F_SETOWN`, `fcntl(2)`), limits (`prlimit(2)`), scheduling and priorities. All name the process in a register; what
//! is arranged by a descriptor alone is in `arranged.rs`.

use std::sync::Arc;

use nix::unistd::getpgid;
use rustix::io::Errno;

use super::target::{self, Surroundings};
use super::{SignalJudge, SignalRequest, carry};
use crate::caller::Caller;
use crate::exec::Guard;
use crate::handler::Handler;
use crate::outcome::Outcome;
use crate::process::is_inside;

/// `IOPRIO_WHO_*` begin at 1, `PRIO_*` at 0.
const BY_PROCESS: u32 = 0;
const BY_GROUP: u32 = 1;

/// Handles the calls of one command that reach another process.
pub struct Reach {
    guard: Arc<Guard>,
    judge: Arc<dyn SignalJudge>,
}

/// Whom a call reaches.
enum Whom {
    Itself,
    One(i32),
    Group(i32),
    /// All processes of a user.
    User,
}

impl Reach {
    /// Calls with the process in register 0, which need no look if that is zero.
    pub const BY_FIRST: [i64; 5] = [
        libc::SYS_prlimit64,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setattr,
    ];

    /// Calls with a kind of target in register 0 and the target in register 1.
    pub const BY_KIND: [i64; 2] = [libc::SYS_setpriority, libc::SYS_ioprio_set];

    /// [`Reach::BY_KIND`], each with its word for a task. With 0 as the task that is the caller, which needs no look.
    pub const ONE_TASK: [(i64, u64); 2] = [(libc::SYS_setpriority, 0), (libc::SYS_ioprio_set, 1)];

    /// The request of `fcntl(2)`, in register 1, that names who is signalled about a descriptor.
    pub const OWNER: i32 = libc::F_SETOWN;

    /// A handler for the command whose processes `guard` knows.
    pub fn new(guard: Arc<Guard>, judge: Arc<dyn SignalJudge>) -> Self {
        Reach { guard, judge }
    }

    fn whom(caller: &Caller<'_>) -> Result<Whom, Errno> {
        let (first, second, third) = (caller.arg_i32(0), caller.arg_i32(1), caller.arg_i32(2));
        let one = |pid| match pid {
            0 => Ok(Whom::Itself),
            pid if pid > 0 => Ok(Whom::One(pid)),
            _ => Err(Errno::INVAL),
        };
        match caller.notification().nr {
            // Without new limits it only reads them.
            libc::SYS_prlimit64 if caller.arg(2) == 0 => Ok(Whom::Itself),
            libc::SYS_fcntl => match third {
                i32::MIN => Err(Errno::INVAL),
                group if group < 0 => Ok(Whom::Group(-group)),
                pid => one(pid),
            },
            nr @ (libc::SYS_setpriority | libc::SYS_ioprio_set) => {
                let kind = caller.arg_u32(0).wrapping_sub(u32::from(nr == libc::SYS_ioprio_set));
                match (kind, second) {
                    (BY_PROCESS, pid) => one(pid),
                    (BY_GROUP, 0) => {
                        let own = getpgid(Some(nix::unistd::Pid::from_raw(caller.tid()))).map_err(|_| Errno::SRCH)?;
                        Ok(Whom::Group(own.as_raw()))
                    }
                    (BY_GROUP, group) => Ok(Whom::Group(group)),
                    _ => Ok(Whom::User),
                }
            }
            _ => one(first),
        }
    }

    fn answer(&self, caller: &Caller<'_>) -> Result<Outcome, Errno> {
        let by_signal = caller.notification().nr == libc::SYS_fcntl;
        if by_signal && caller.arg_i32(1) != Reach::OWNER {
            return self.arrange(caller);
        }
        let sender = self.process_of(caller)?;
        let members = match Reach::whom(caller)? {
            Whom::Itself => Vec::new(),
            Whom::One(pid) => vec![pid],
            Whom::Group(group) => target::group(group),
            Whom::User => return Err(Errno::PERM),
        };
        self.all(caller, sender, &members, by_signal)?;
        Ok(Outcome::Continue)
    }

    pub(super) fn process_of(&self, caller: &Caller<'_>) -> Result<i32, Errno> {
        self.guard.process_of(caller)
    }

    /// Whether the sender may reach all of these.
    pub(super) fn all(&self, caller: &Caller<'_>, sender: i32, pids: &[i32], by_signal: bool) -> Result<(), Errno> {
        let around = Surroundings {
            judge: &*self.judge,
            inside: &is_inside,
            sender,
        };
        for pid in pids
            .iter()
            .copied()
            .filter(|pid| *pid != sender && *pid != caller.tid())
        {
            // Who is not there is the kernel's to tell.
            let Ok(pidfd) = carry::open(pid) else { continue };
            let Ok(target) = around.look(pid) else { continue };
            let request = SignalRequest {
                caller,
                sender,
                signal: libc::SIGIO,
                target,
            };
            if !target.relation.itself && !self.judge.reaches(&request, by_signal) {
                return Err(Errno::PERM);
            }
            carry::lives(&pidfd)?;
        }
        Ok(())
    }
}

impl Handler for Reach {
    fn handle(&self, caller: &Caller<'_>) -> Outcome {
        self.answer(caller).unwrap_or_else(Outcome::Errno)
    }
}
