//! Who decides about a notified call.

use std::sync::Arc;

use rustix::io::Errno;

use crate::caller::Caller;
use crate::outcome::Outcome;

/// Judges and carries out calls of one command. Called on many threads at once; may block (others
/// are served meanwhile), but then it watches [`Caller::interruption`].
pub trait Handler: Send + Sync {
    /// Handles one call. Before the first effect of anything read from the caller,
    /// [`Caller::still_valid`] must have been asked: a thread id that is reused names somebody else.
    fn handle(&self, caller: &Caller<'_>) -> Outcome;
}

/// Handlers by call number; a call without one fails with `ENOSYS`: what is notified and not
/// understood is not let through.
#[derive(Default)]
pub struct Table {
    handlers: Vec<Option<Arc<dyn Handler>>>,
}

impl Table {
    /// A table that refuses everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `handler` answer the calls `numbers` (`libc::SYS_*`); a later entry replaces an earlier one.
    pub fn insert(&mut self, numbers: &[i64], handler: &Arc<dyn Handler>) {
        for number in numbers {
            let Ok(index) = usize::try_from(*number) else { continue };
            if self.handlers.len() <= index {
                self.handlers.resize(index + 1, None);
            }
            self.handlers[index] = Some(Arc::clone(handler));
        }
    }

    /// The numbers that have a handler, ascending: what the filter must notify.
    pub fn numbers(&self) -> Vec<i64> {
        (0..)
            .zip(&self.handlers)
            .filter_map(|(number, handler)| handler.as_ref().map(|_| number))
            .collect()
    }
}

impl Handler for Table {
    fn handle(&self, caller: &Caller<'_>) -> Outcome {
        let handler = usize::try_from(caller.notification().nr)
            .ok()
            .and_then(|index| self.handlers.get(index));
        match handler {
            Some(Some(handler)) => handler.handle(caller),
            _ => Outcome::Errno(Errno::NOSYS),
        }
    }
}
