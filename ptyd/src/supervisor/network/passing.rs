//! Connections that were left to the kernel, until it tells what became of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// The oldest of more are forgotten: the kernel was never asked about them.
const MOST: usize = 1_024;

/// By socket (`SO_COOKIE`), whose they are: the command of a process of which only the number is told cannot be known
/// for sure once it has ended.
#[derive(Default)]
pub(crate) struct Passing(Mutex<VecDeque<(u64, Arc<str>)>>);

impl Passing {
    /// A command is about to connect this socket.
    pub(crate) fn begins(&self, cookie: u64, command: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == MOST {
            all.pop_front();
        }
        all.push_back((cookie, command.into()));
    }

    /// The kernel has told of it: whose it was.
    pub(crate) fn told(&self, cookie: u64) -> Option<Arc<str>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|(known, _)| *known == cookie)?;
        all.remove(at).map(|(_, command)| command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_and_the_oldest_of_too_many_are_forgotten() {
        let passing = Passing::default();
        for cookie in 0..=MOST as u64 {
            passing.begins(cookie, "one");
        }
        passing.begins(7, "two");
        assert_eq!(passing.told(0), None);
        assert_eq!(passing.told(7).as_deref(), Some("one"));
        assert_eq!(passing.told(7).as_deref(), Some("two"));
        assert_eq!(passing.told(7), None);
    }
}
