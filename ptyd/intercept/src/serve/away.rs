//! Answers that are given from another processor than the serving thread's.
//!
//! An exec looks for an idle processor first (`sched_exec`), and leaves its own if anybody else wants to run there, as
//! the serving thread does that has just answered: it moves, away from everything that it has in its caches, and its parent
//! finds its own place taken when it ends. Answered from elsewhere it goes on where it was, alone.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock};

use super::Service;
use crate::caller::Caller;
use crate::outcome::Outcome;

/// A call that goes on: whose, and its number there.
type Call = (Arc<Service>, u64);

/// None where there is only one processor, or no thread to be had.
static AWAY: LazyLock<Option<Sender<Call>>> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let (sender, calls) = channel();
    let thread = std::thread::Builder::new().name("away".into()).stack_size(128 << 10);
    let started = processors > 1 && thread.spawn(move || answer(&calls)).is_ok();
    started.then_some(sender)
});

/// Makes ready before the first call.
pub(super) fn prepare() {
    LazyLock::force(&AWAY);
}

/// Answers an exec that goes on; false if it is to be answered here.
pub(super) fn takes(service: &Arc<Service>, caller: &Caller<'_>, outcome: &Outcome) -> bool {
    let call = caller.notification();
    let goes_on = matches!(outcome, Outcome::Continue) && [libc::SYS_execve, libc::SYS_execveat].contains(&call.nr);
    let send = |sender: &Sender<Call>| sender.send((Arc::clone(service), call.id)).is_ok();
    goes_on && AWAY.as_ref().is_some_and(send)
}

fn answer(calls: &Receiver<Call>) {
    for (service, id) in calls {
        let response = libc::seccomp_notif_resp {
            id,
            val: 0,
            error: 0,
            flags: libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        };
        // Whoever is gone needs no answer.
        let _ = super::elsewhere(service.listener(), response);
    }
}
