//! Receives the notifications of one command and answers them.
//!
//! One thread waits in the receive call. A handler that will block says so, and another thread waits
//! from then on; one that blocks unannounced is noticed within milliseconds. So nobody waits for an
//! approval, a connect, or a process that itself waits for a call which only we can answer.

mod processors;
mod turns;
mod watch;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use self::turns::Turns;
use crate::caller::held;
use crate::caller::{AddDescriptor, Caller};
use crate::files::actor;
use crate::handler::Handler;
use crate::notification::Notification;
use crate::outcome::Outcome;
use crate::sys::interrupt::ThreadId;
use crate::sys::listener;

/// Threads that may serve one command; beyond them its own calls wait (a command that holds a thousand
/// calls at once delays only itself).
const LIMIT: usize = 1024;

/// Stack of a serving thread, in bytes; only what is touched costs memory.
const STACK: usize = 512 << 10;

type AtEnd = Box<dyn FnOnce() + Send>;

/// The threads that serve one listener.
pub(crate) struct Service {
    listener: OwnedFd,
    handler: Arc<dyn Handler>,
    /// Threads that wait in the receive call, or are about to.
    waiting: AtomicUsize,
    threads: Mutex<Vec<ThreadId>>,
    /// Threads that run or are being started.
    count: AtomicUsize,
    /// Calls received so far.
    received: AtomicU64,
    /// `received` when the watch looked last.
    looked: AtomicU64,
    /// Whether the last call that could have taken long did.
    slow: AtomicBool,
    at_end: Mutex<Option<AtEnd>>,
}

/// A listener whose calls wait to be received.
pub struct Serving(Arc<Service>);

/// Takes on the listener of one command. Dropped before it runs, it closes the listener, and every notified call fails.
///
/// # Errors
/// If what looks after serving threads cannot be started.
pub fn prepare(
    listener: OwnedFd,
    handler: Arc<dyn Handler>,
    at_end: impl FnOnce() + Send + 'static,
) -> io::Result<Serving> {
    // Before Linux 6.6 there is no such flag, and only speed is lost.
    let _ = listener::set_flags(listener.as_fd(), listener::SYNC_WAKE_UP);
    let service = Arc::new(Service {
        listener,
        handler,
        waiting: AtomicUsize::new(1),
        threads: Mutex::default(),
        count: AtomicUsize::new(1),
        received: AtomicU64::new(0),
        looked: AtomicU64::new(0),
        slow: AtomicBool::new(false),
        at_end: Mutex::new(Some(Box::new(at_end))),
    });
    watch::add(&service)?;
    processors::prepare();
    Ok(Serving(service))
}

impl Serving {
    /// Serves on the calling thread until nobody lives under the filter (or it cannot be read any more), then calls
    /// `at_end` once. Other threads come in where calls block, and the last of them to leave is the one that calls it.
    pub fn run(self) {
        self.0.serve();
    }
}

impl Service {
    fn add_thread(self: &Arc<Self>) -> io::Result<()> {
        let own = Arc::clone(self);
        self.count.fetch_add(1, Ordering::AcqRel);
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let started = held::thread("intercept").stack_size(STACK).spawn(move || {
            // Who starts it may act for a caller, whose rights it then begins with.
            actor::begin();
            own.serve();
        });
        started.map(|_| ()).inspect_err(|_| {
            self.count.fetch_sub(1, Ordering::AcqRel);
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        })
    }

    /// One thread's life, which has been counted.
    fn serve(self: &Arc<Self>) {
        let thread = ThreadId::current();
        self.threads().push(thread);
        self.run();
        held::release();
        self.threads().retain(|other| *other != thread);
        self.leave();
    }

    fn threads(&self) -> MutexGuard<'_, Vec<ThreadId>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives and answers; the thread counts as waiting at entry and not at the end.
    fn run(self: &Arc<Self>) {
        let mut turns = Turns::new();
        loop {
            let elsewhere = turns.next_is_elsewhere(self.listener.as_fd());
            match listener::receive(self.listener.as_fd()) {
                Ok(call) => {
                    self.waiting.fetch_sub(1, Ordering::AcqRel);
                    self.received.fetch_add(1, Ordering::AcqRel);
                    watch::call_received();
                    let home = turns.took(call.pid as i32, goes_on(&call), elsewhere);
                    held::call_received(turns.alone());
                    let caller = Caller::served(Notification::from(call), self, home);
                    let outcome = self.handled(&caller);
                    answer(&caller, outcome);
                    // In one step: of two threads that finish together, the one that leaves must not be
                    // counted, or the other would leave as well and nobody would receive.
                    let only = self.waiting.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire);
                    if only.is_err() {
                        return;
                    }
                }
                // A signal; or the caller died between being announced and being received; or the end.
                Err(Errno::INTR | Errno::NOENT) if !listener::hung_up(self.listener.as_fd()) => {}
                Err(_) => break,
            }
        }
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }

    /// Sees to it that a thread waits for calls, because the calling one will not for a while.
    pub(crate) fn relieve(self: &Arc<Self>) {
        held::release();
        if self.waiting.load(Ordering::Acquire) == 0 && self.count.load(Ordering::Acquire) < LIMIT {
            // Without a new thread this one still serves; only concurrency is lost.
            if let Err(error) = self.add_thread() {
                tracing::warn!(%error, "no thread to serve calls while others block");
            }
        }
    }

    /// Whether the last call that could have taken long did.
    pub(crate) fn was_slow(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }

    /// A call that could have taken long is over.
    pub(crate) fn took(&self, long: bool) {
        self.slow.store(long, Ordering::Relaxed);
    }

    /// The watch's look: whether a call was received since the last or is being handled. One that is
    /// being handled for that long, or keeps others waiting, is relieved.
    fn look(self: &Arc<Self>) -> bool {
        let received = self.received.load(Ordering::Acquire);
        let looked = self.looked.swap(received, Ordering::AcqRel);
        let busy = self.waiting.load(Ordering::Acquire) == 0;
        let late = busy && (received == looked || listener::pending(self.listener.as_fd()));
        // One that only waits for a processor is not helped by another.
        if late && !self.threads().iter().any(|thread| thread.runs()) {
            self.relieve();
        }
        busy || received != looked
    }

    /// Interrupts the waiting threads if nobody lives under the filter any more.
    fn look_for_hang_up(&self) {
        if listener::hung_up(self.listener.as_fd()) {
            self.threads().iter().for_each(|thread| thread.interrupt());
        }
    }

    pub(crate) fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// A handler that panics has not judged: the call is refused, and its caller does not wait for ever.
    fn handled(&self, caller: &Caller<'_>) -> Outcome {
        let handled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.handler.handle(caller)));
        handled.unwrap_or_else(|_| {
            tracing::error!(
                call = caller.notification().nr,
                "a handler panicked; the call is refused"
            );
            Outcome::Errno(Errno::ACCESS)
        })
    }

    fn leave(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            let at_end = self.at_end.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(at_end) = at_end {
                at_end();
            }
        }
    }
}

/// Whether a call is one that goes on once it was looked at, most times: a start of a program, an open to read.
fn goes_on(call: &libc::seccomp_notif) -> bool {
    const CHANGES: u64 = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) as u64;
    let flags = match i64::from(call.data.nr) {
        libc::SYS_execve | libc::SYS_execveat => return true,
        libc::SYS_openat => call.data.args[2],
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open => call.data.args[1],
        _ => return false,
    };
    flags & CHANGES == 0
}

/// Sends `outcome`; false if the caller is gone.
///
/// Who executes a program is kept where it is meanwhile: the kernel looks for an idle processor before the program is
/// loaded, and moves the caller away from all that it has in its caches if anybody else is about to run where it is,
/// as this thread is. It is free again before any call of the program is answered, and almost always before it is loaded.
pub(crate) fn answer(caller: &Caller<'_>, outcome: Outcome) -> bool {
    let stays = matches!(outcome, Outcome::Execute) && caller.home().is_none();
    let stay = stays.then(|| caller.stay());
    let (val, error, flags) = match outcome {
        Outcome::Continue | Outcome::Execute => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Outcome::Errno(errno) => (0, -errno.raw_os_error(), 0),
        Outcome::Value(value) => (value, 0, 0),
        Outcome::Restart => (0, -listener::RESTART_SYSCALL, 0),
        Outcome::Again => (0, -crate::sys::traced::RESTART_ALWAYS, 0),
        Outcome::Answered => return true,
        Outcome::Descriptor { fd, cloexec } => match AddDescriptor::to(caller).finish(fd, cloexec) {
            Ok(_) => return true,
            Err(Errno::NOENT) => return false,
            Err(errno) => (0, -errno.raw_os_error(), 0),
        },
    };
    let response = libc::seccomp_notif_resp {
        id: caller.notification().id,
        val,
        error,
        flags,
    };
    if let (Some(home), Some(service)) = (caller.home(), caller.service())
        && caller.still_valid()
        && processors::answer(home, caller.tid(), service, response)
    {
        return true;
    }
    if let Some(stay) = stay {
        stay.begin(caller.tid());
    }
    let sent = respond(caller.listener(), response);
    if let Some(stay) = stay {
        stay.end();
    }
    sent
}

fn respond(listener: BorrowedFd<'_>, response: libc::seccomp_notif_resp) -> bool {
    loop {
        match listener::respond(listener, response) {
            Ok(()) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
