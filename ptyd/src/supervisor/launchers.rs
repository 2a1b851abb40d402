//! The threads that take commands in: each serves its command afterwards.
//!
//! One waits while none is needed, since a caller waits for whatever a new thread costs.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Stack of such a thread, in bytes; only what is touched costs memory.
const STACK: usize = 1 << 20;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub(crate) struct Launchers(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    came: Condvar,
}

#[derive(Default)]
struct State {
    /// Threads that wait for a job, or are about to.
    waiting: usize,
    jobs: VecDeque<Job>,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Job {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return job;
            }
            state = self.came.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Launchers {
    /// Has `job` done at once, on a thread that waits for it or on a new one.
    ///
    /// # Errors
    /// If no thread can be started; the job is dropped.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut state = self.0.state();
        if state.waiting == 0 {
            drop(state);
            return spawn(job);
        }
        state.waiting -= 1;
        state.jobs.push_back(Box::new(job));
        drop(state);
        self.0.came.notify_one();
        Ok(())
    }

    /// Sees to it that a thread waits for the next job.
    pub(crate) fn keep_one(&self) {
        let mut state = self.0.state();
        if state.waiting > 0 {
            return;
        }
        let inner = Arc::clone(&self.0);
        let wait = move || {
            agentsh_intercept::begin();
            inner.next()();
        };
        match spawn(wait) {
            Ok(()) => state.waiting += 1,
            // The next job will try for itself.
            Err(error) => tracing::warn!(%error, "no thread to wait for the next command"),
        }
    }
}

fn spawn(job: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("launch".into()).stack_size(STACK);
    thread.spawn(job).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread::ThreadId;

    use super::*;

    fn ran_on(launchers: &Launchers) -> Option<ThreadId> {
        let (tell, told) = channel();
        let job = move || {
            let _ = tell.send(std::thread::current().id());
        };
        launchers.run(job).ok()?;
        told.recv().ok()
    }

    #[test]
    fn a_job_runs_on_the_thread_that_waits_and_the_next_on_another() {
        let launchers = Launchers::default();
        launchers.keep_one();
        launchers.keep_one();
        assert_eq!(launchers.0.state().waiting, 1);
        let (first, second) = (ran_on(&launchers), ran_on(&launchers));
        assert!(first.is_some() && second.is_some());
        assert_ne!(first, second);
        assert_eq!(launchers.0.state().waiting, 0);
    }
}
