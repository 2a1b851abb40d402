//! Receives the notifications of one command and answers them.
//!
//! Threads block in the receive call. One that takes a notification while no other waits starts
//! another first: a handler may block (an approval, a connect, a process that waits for a call which
//! only we can answer) and nobody else waits for it. Threads beyond what is needed end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use crate::caller::{AddDescriptor, Caller};
use crate::handler::Handler;
use crate::hang_up::{self, Receivers};
use crate::notification::Notification;
use crate::outcome::Outcome;
use crate::sys::listener;

/// Threads that keep waiting when nothing happens.
const STANDBY: usize = 2;

/// Threads that may serve one command; beyond them its own calls wait (a command that holds a thousand
/// calls at once delays only itself).
const LIMIT: usize = 1024;

/// Stack of a serving thread, in bytes; only what is touched costs memory.
const STACK: usize = 512 << 10;

type AtEnd = Box<dyn FnOnce() + Send>;

struct Service {
    listener: OwnedFd,
    handler: Arc<dyn Handler>,
    /// Threads that wait in the receive call, or are about to.
    waiting: AtomicUsize,
    /// All serving threads.
    threads: AtomicUsize,
    receivers: Arc<Receivers>,
    at_end: Mutex<Option<AtEnd>>,
}

/// Serves the listener of one command until nobody lives under its filter (or it cannot be read any
/// more), then calls `at_end` once, on a serving thread. Returns as soon as threads wait for calls.
///
/// # Errors
/// If no thread can be started; the listener is then closed, and every notified call fails.
pub fn serve(listener: OwnedFd, handler: Arc<dyn Handler>, at_end: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // Before Linux 6.6 there is no such flag, and only speed is lost.
    let _ = listener::set_flags(listener.as_fd(), listener::SYNC_WAKE_UP);
    let receivers = Arc::new(Receivers::default());
    let watched = if hang_up::kernel_wakes_receivers() {
        None
    } else {
        Some(listener.try_clone()?)
    };
    let service = Arc::new(Service {
        listener,
        handler,
        waiting: AtomicUsize::new(0),
        threads: AtomicUsize::new(0),
        receivers: Arc::clone(&receivers),
        at_end: Mutex::new(Some(Box::new(at_end))),
    });
    for _ in 0..STANDBY {
        add_thread(&service)?;
    }
    watched.map_or(Ok(()), |listener| hang_up::watch(listener, receivers))
}

fn add_thread(service: &Arc<Service>) -> io::Result<()> {
    service.threads.fetch_add(1, Ordering::AcqRel);
    service.waiting.fetch_add(1, Ordering::AcqRel);
    let own = Arc::clone(service);
    let run = move || {
        own.run();
        own.leave();
    };
    let started = std::thread::Builder::new()
        .name("intercept".into())
        .stack_size(STACK)
        .spawn(run);
    started.map(|_| ()).inspect_err(|_| {
        service.threads.fetch_sub(1, Ordering::AcqRel);
        service.waiting.fetch_sub(1, Ordering::AcqRel);
    })
}

impl Service {
    /// One thread's life; it counts as waiting at entry and not at the end.
    fn run(self: &Arc<Self>) {
        let _receiving = self.receivers.enter();
        loop {
            match listener::receive(self.listener.as_fd()) {
                Ok(raw) => {
                    self.taken();
                    let caller = Caller::new(Notification::from(raw), self.listener.as_fd());
                    answer(&caller, self.handler.handle(&caller));
                    if self.waiting.fetch_add(1, Ordering::AcqRel) >= 2 * STANDBY {
                        break;
                    }
                }
                // A signal; or the caller died between being announced and being received; or the end.
                Err(Errno::INTR | Errno::NOENT) if !listener::hung_up(self.listener.as_fd()) => {}
                Err(_) => break,
            }
        }
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }

    /// Keeps somebody waiting while this thread handles.
    fn taken(self: &Arc<Self>) {
        if self.waiting.fetch_sub(1, Ordering::AcqRel) == 1 && self.threads.load(Ordering::Acquire) < LIMIT {
            // Without a new thread this one still serves; only concurrency is lost.
            if let Err(error) = add_thread(self) {
                tracing::warn!(%error, "no thread to serve calls while others block");
            }
        }
    }

    fn leave(&self) {
        if self.threads.fetch_sub(1, Ordering::AcqRel) == 1 {
            let at_end = self.at_end.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(at_end) = at_end {
                at_end();
            }
        }
    }
}

/// Sends `outcome`; false if the caller is gone.
pub(crate) fn answer(caller: &Caller<'_>, outcome: Outcome) -> bool {
    let (val, error, flags) = match outcome {
        Outcome::Continue => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Outcome::Errno(errno) => (0, -errno.raw_os_error(), 0),
        Outcome::Value(value) => (value, 0, 0),
        Outcome::Restart => (0, -listener::RESTART_SYSCALL, 0),
        Outcome::Answered => return true,
        Outcome::Descriptor { fd, cloexec } => match AddDescriptor::to(caller).finish(fd.as_fd(), cloexec) {
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
    loop {
        match listener::respond(caller.listener(), response) {
            Ok(()) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
