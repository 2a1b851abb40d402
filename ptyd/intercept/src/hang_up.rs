//! Noticing that nobody lives under a filter any more.
//!
//! Since Linux 6.11 a thread in the receive call is told. Before, it sleeps on, and somebody must wait
//! for the hang-up with `poll(2)` and interrupt it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::sys::interrupt::{self, ThreadId};
use crate::sys::listener;

/// The threads that wait in the receive call of one listener.
#[derive(Default)]
pub struct Receivers(Mutex<Vec<ThreadId>>);

impl Receivers {
    /// Counts the calling thread in, until the returned guard goes.
    pub fn enter(&self) -> Receiving<'_> {
        let thread = ThreadId::current();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Receiving(self, thread)
    }

    /// Interrupts all; true if there were any.
    fn interrupt(&self) -> bool {
        let threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        threads.iter().for_each(|thread| thread.interrupt());
        !threads.is_empty()
    }
}

/// A thread's place among the receivers.
pub struct Receiving<'a>(&'a Receivers, ThreadId);

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        self.0
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|thread| *thread != self.1);
    }
}

/// Whether this kernel wakes receivers itself.
pub fn kernel_wakes_receivers() -> bool {
    let uname = rustix::system::uname();
    let mut numbers = uname.release().to_str().unwrap_or("").split(['.', '-']).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (6u32, 11u32),
        _ => false,
    }
}

/// Starts a thread that waits for the hang-up and then interrupts the receivers until none is left.
///
/// # Errors
/// If the thread cannot be started.
pub fn watch(listener: OwnedFd, receivers: Arc<Receivers>) -> io::Result<()> {
    interrupt::prepare().map_err(io::Error::from)?;
    let wait = move || {
        while !listener::wait_hang_up(listener.as_fd()) {}
        // A receiver may have looked just before the hang-up and sleep just after the interruption.
        while receivers.interrupt() {
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    std::thread::Builder::new()
        .name("hang-up".into())
        .stack_size(64 << 10)
        .spawn(wait)
        .map(|_| ())
}
