//! Sessions whose supervisor lives on without the broker that made it: their commands run to their end, or to the kill
//! switch.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use agentsh_audit::{SessionDir, Store};
use agentsh_protocol::api::SessionState;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::orphans;
use super::registry::Registry;
use crate::process::Identity;
use crate::sys;

/// How often it is looked whether a dying supervisor is gone.
const LOOK: Duration = Duration::from_millis(20);

/// How long one may take to end its session.
const END_LIMIT: Duration = Duration::from_secs(30);

/// Them, each with its supervisor if that is known.
#[derive(Default)]
pub(super) struct Forsaken(RefCell<BTreeMap<String, Option<Identity>>>);

impl Forsaken {
    pub(super) fn add(&mut self, session: &str, supervisor: Option<i32>) {
        let supervisor = supervisor.and_then(|pid| Identity::of(pid).ok());
        self.0.get_mut().insert(session.to_owned(), supervisor);
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.borrow().keys().cloned().collect()
    }

    fn supervisor(&self, session: &str) -> Option<Identity> {
        self.0.borrow().get(session).copied().flatten()
    }

    pub(super) fn is_there(&self, session: &str) -> bool {
        self.0.borrow().contains_key(session)
    }

    /// Has its supervisor end a session; one that does not is killed. Whether it has ended.
    pub(super) async fn end(&self, session: &str) -> bool {
        let Some(supervisor) = self.supervisor(session) else {
            return !self.is_there(session);
        };
        let gone = async {
            while self.is_there(session) {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::pin!(gone);
        supervisor.signal(Signal::TERM);
        tokio::select! {
            () = &mut gone => return true,
            () = supervisor.stays_stopped() => {}
            () = tokio::time::sleep(END_LIMIT) => {}
        }
        supervisor.signal(Signal::KILL);
        tokio::time::timeout(END_LIMIT, gone).await.is_ok()
    }

    /// Attends to all of them.
    pub(super) fn attend(registry: &Rc<Registry>) {
        for session in registry.forsaken.names() {
            let registry = Rc::clone(registry);
            tokio::task::spawn_local(async move {
                let supervisor = registry.forsaken.supervisor(&session);
                outlive(&registry.store, &session, supervisor).await;
                registry.forsaken.0.borrow_mut().remove(&session);
            });
        }
    }
}

/// Waits for the end of a supervisor that is nobody's child any more. If it was no regular one, the session is
/// closed as [`orphans::end`] does it.
async fn outlive(store: &Store, session: &str, supervisor: Option<Identity>) {
    let pidfd = supervisor
        .and_then(|supervisor| Pid::from_raw(supervisor.pid))
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    if let Some(Ok(pidfd)) = pidfd.map(sys::readable) {
        // A number that was given to somebody else meanwhile only makes this wait longer.
        let _ = pidfd.readable().await;
    }
    let Ok(dir) = SessionDir::new(store.path(), session) else {
        return;
    };
    // The lock goes with the last of its threads.
    while dir.is_live() {
        tokio::time::sleep(LOOK).await;
    }
    let died = dir.info().is_ok_and(|info| info.state == SessionState::Running);
    if died && let Err(error) = orphans::close(store, session) {
        tracing::error!(session, "closing the record of a dead session: {error}");
    }
}
