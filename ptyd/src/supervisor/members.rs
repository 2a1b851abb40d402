//! Which processes belong to the session, for all who must not touch others'.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use agentsh_intercept::Guard;
use agentsh_intercept::files::Tasks;

/// The guards of the commands that are served.
#[derive(Default)]
pub(crate) struct Members(RwLock<Vec<Weak<Guard>>>);

impl Members {
    /// A command is served from now on.
    pub(crate) fn add(&self, guard: &Arc<Guard>) {
        let mut guards = self.0.write().unwrap_or_else(PoisonError::into_inner);
        guards.retain(|guard| guard.strong_count() > 0);
        guards.push(Arc::downgrade(guard));
    }
}

impl Tasks for Members {
    fn contains(&self, tgid: i32) -> bool {
        let guards = self.0.read().unwrap_or_else(PoisonError::into_inner);
        guards.iter().filter_map(Weak::upgrade).any(|guard| guard.contains(tgid))
    }
}
