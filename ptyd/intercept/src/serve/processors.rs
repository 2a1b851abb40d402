//! Answers that are given by a thread of ours on the processor where the caller is to go on: mostly its own.
//!
//! Whoever is answered there goes on there ([`SYNC_WAKE_UP`]). An ordinary wake-up would do that as well, were it not
//! that the kernel takes the idle processors of a virtual machine for busy ones: then the caller goes on where it was
//! answered, beside others, and its own processor is idle for milliseconds.
//!
//! [`SYNC_WAKE_UP`]: crate::sys::listener::SYNC_WAKE_UP

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, OnceLock};

use rustix::thread::CpuSet;

use super::Service;
use crate::caller::held::{self, Held};
use crate::files::actor;
use crate::process::procfs::Stat;

/// A call that is answered, and how.
type Answer = (Arc<Service>, libc::seccomp_notif_resp);

struct Processor {
    number: usize,
    /// Its thread, started when it is needed first; none if it cannot be had.
    thread: OnceLock<Option<Sender<Answer>>>,
}

/// Those that we may run on; none where that is only one.
static ALL: LazyLock<Vec<Processor>> = LazyLock::new(|| {
    let allowed = rustix::thread::sched_getaffinity(None).unwrap_or_default();
    let numbers = (0..CpuSet::MAX_CPU).filter(|number| allowed.count() > 1 && allowed.is_set(*number));
    let all = numbers.map(|number| Processor {
        number,
        thread: OnceLock::new(),
    });
    all.collect()
});

/// Finds out which there are.
pub(super) fn prepare() {
    LazyLock::force(&ALL);
}

/// The one that task `tid` called from.
pub(super) fn of(tid: i32) -> Option<usize> {
    Stat::of_task(tid).ok()?.processor()
}

/// Another than `here`, each in its turn.
pub(super) fn other(here: usize) -> Option<usize> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let start = NEXT.fetch_add(1, Ordering::Relaxed) % ALL.len().max(1);
    let mut round = ALL.iter().cycle().skip(start).take(ALL.len()).map(|one| one.number);
    round.find(|number| *number != here)
}

/// Answers task `tid` on processor `number`; false if there is no way to.
pub(super) fn answer(number: usize, tid: i32, service: &Arc<Service>, response: libc::seccomp_notif_resp) -> bool {
    let processor = ALL.iter().find(|one| one.number == number);
    let thread = processor.and_then(|one| one.thread.get_or_init(|| start(number)).as_ref());
    // A task that has not quite left the queue of a processor would be woken there.
    drop(Held::on(number, tid));
    thread.is_some_and(|thread| thread.send((Arc::clone(service), response)).is_ok())
}

fn start(number: usize) -> Option<Sender<Answer>> {
    let (sender, answers) = channel();
    let thread = held::thread("answers").stack_size(128 << 10);
    thread.spawn(move || run(number, &answers)).ok().map(|_| sender)
}

fn run(number: usize, answers: &Receiver<Answer>) {
    // Who starts it may act for a caller.
    actor::begin();
    let mut here = CpuSet::new();
    here.set(number);
    // Elsewhere it answers as well, and only speed is lost.
    let _ = rustix::thread::sched_setaffinity(None, &here);
    for (service, response) in answers {
        // Whoever is gone needs no answer.
        super::respond(service.listener(), response);
    }
}
