//! The sessions of one user.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use agentsh_audit::{SessionDir, Store, StoreError};
use agentsh_policy::config::Config;
use agentsh_protocol::api::{ApiError, CreateSession, ErrorKind, Killed, SessionInfo, SessionState};
use agentsh_protocol::control::{Answer, Call, Setup};
use agentsh_protocol::places::Account;
use agentsh_protocol::{Bytes, new_id};
use agentsh_sandbox::probe::{Host, Mode};
use futures_util::future::join_all;

use super::forsaken::Forsaken;
use super::killswitch::KillSwitch;
use super::supervise::{Ended, Supervisor};
use super::watchers::Watchers;
use super::{orphans, workspace};
use crate::process;

/// How long the end of a session may take.
const END_LIMIT: Duration = Duration::from_secs(45);

/// Why all sessions end.
pub(super) const STOPPED: &str = "broker stopped";
pub(super) const KILLED: &str = "killed";

/// All that the broker knows.
pub(super) struct Registry {
    pub account: Account,
    pub kill_switch: KillSwitch,
    pub store: Store,
    pub started: String,
    /// Who waits for questions to people.
    pub watchers: Rc<Watchers>,
    config: Config,
    host: Host,
    running: RefCell<BTreeMap<String, Rc<Supervisor>>>,
    /// Sessions of a broker before this one that still have a supervisor.
    pub forsaken: Forsaken,
    /// One session is made at a time, so that shims that race for a workspace share it.
    making: tokio::sync::Mutex<()>,
    stop: tokio::sync::Notify,
    stopping: Cell<bool>,
}

pub(super) fn api_error(error: ErrorKind, message: impl std::fmt::Display) -> ApiError {
    ApiError {
        error,
        message: message.to_string(),
        hint: None,
    }
}

/// What the store could not find or read, in the API's words.
pub(super) fn store_error(error: StoreError) -> ApiError {
    let kind = match &error {
        StoreError::NotFound(_) => ErrorKind::NotFound,
        StoreError::Ambiguous { .. } => ErrorKind::Ambiguous,
        StoreError::NoId(_) => ErrorKind::Invalid,
        _ => ErrorKind::Failed,
    };
    api_error(kind, error)
}

impl Registry {
    pub(super) fn new(account: Account, config: Config, forsaken: Forsaken) -> Registry {
        let state = account.state_dir();
        Registry {
            kill_switch: KillSwitch::of(&state),
            store: Store::new(&state),
            started: agentsh_audit::time::now_rfc3339(),
            watchers: Rc::default(),
            account,
            config,
            host: Host::probe(),
            running: RefCell::default(),
            forsaken,
            making: tokio::sync::Mutex::new(()),
            stop: tokio::sync::Notify::new(),
            stopping: Cell::new(false),
        }
    }

    /// The best security mode of this host, or why there is none.
    pub(super) fn mode(&self) -> String {
        Mode::best(&self.host).map_or_else(|| "none".to_owned(), |mode| mode.to_string())
    }

    /// The running sessions, oldest first.
    pub(super) fn running(&self) -> Vec<Rc<Supervisor>> {
        self.running
            .borrow()
            .values()
            .filter(|supervisor| supervisor.is_alive())
            .cloned()
            .collect()
    }

    /// Ends the broker, soon.
    pub(super) fn stop(&self) {
        self.stopping.set(true);
        self.stop.notify_one();
    }

    pub(super) async fn stopped(&self) {
        self.stop.notified().await;
    }

    /// The running session that an id, the beginning of one, or a name means.
    pub(super) fn find_running(&self, word: &str) -> Result<Rc<Supervisor>, ApiError> {
        let running = self.running();
        if let Some(exact) = running.iter().find(|supervisor| supervisor.id() == word) {
            return Ok(Rc::clone(exact));
        }
        let named = |supervisor: &&Rc<Supervisor>| supervisor.info.borrow().name.as_deref() == Some(word);
        let mut found: Vec<_> = running.iter().filter(named).collect();
        if found.is_empty() && !word.is_empty() {
            found = running
                .iter()
                .filter(|supervisor| supervisor.id().starts_with(word))
                .collect();
        }
        match found.as_slice() {
            [one] => Ok(Rc::clone(one)),
            [] => Err(match self.store.find(word) {
                Ok(_) => api_error(ErrorKind::Refused, format!("session {word} has ended")),
                Err(error) => store_error(error),
            }),
            several => Err(api_error(
                ErrorKind::Ambiguous,
                format!("`{word}` means {} sessions: say more of it", several.len()),
            )),
        }
    }

    /// The session for a shim in `cwd`, if there is one.
    pub(super) fn for_shim(&self, cwd: Option<&Path>, named: Option<&str>) -> Option<Rc<Supervisor>> {
        named
            .and_then(|word| self.named_around(word, cwd))
            .or_else(|| self.around(cwd))
    }

    /// The session for a folder that none was around, made if nobody has done so meanwhile.
    pub(super) async fn make_around(self: &Rc<Self>, cwd: Option<PathBuf>) -> Result<Rc<Supervisor>, ApiError> {
        let _one_at_a_time = self.making.lock().await;
        if let Some(supervisor) = self.around(cwd.as_deref()) {
            return Ok(supervisor);
        }
        let workspace = cwd.and_then(|cwd| workspace::around(&cwd, &self.account.home));
        let wanted = CreateSession {
            workspace: workspace.map(|path| Bytes::from(path.as_path())),
            policy: None,
            name: None,
        };
        self.make(wanted, true).await
    }

    /// A session named in the environment is honoured only if its workspace contains the caller's folder.
    fn named_around(&self, word: &str, cwd: Option<&Path>) -> Option<Rc<Supervisor>> {
        let supervisor = self.running().into_iter().find(|supervisor| supervisor.id() == word)?;
        let contains =
            workspace_of(&supervisor.info.borrow()).is_some_and(|dir| cwd.is_some_and(|cwd| cwd.starts_with(dir)));
        contains.then_some(supervisor)
    }

    /// The running session whose workspace contains `cwd`, the innermost; without such a workspace the
    /// session that has none, if `cwd` would get none.
    fn around(&self, cwd: Option<&Path>) -> Option<Rc<Supervisor>> {
        let running = self.running();
        let depth = |supervisor: &Rc<Supervisor>| {
            let workspace = workspace_of(&supervisor.info.borrow())?;
            cwd?.starts_with(&workspace).then(|| workspace.components().count())
        };
        let containing = running
            .iter()
            .filter(|supervisor| depth(supervisor).is_some())
            .max_by_key(|supervisor| depth(supervisor));
        if let Some(supervisor) = containing {
            return Some(Rc::clone(supervisor));
        }
        if cwd.and_then(|cwd| workspace::around(cwd, &self.account.home)).is_some() {
            return None;
        }
        running.into_iter().find(|supervisor| {
            let info = supervisor.info.borrow();
            info.automatic && info.workspace.is_none()
        })
    }

    /// Makes a session that was asked for by name.
    pub(super) async fn create(self: &Rc<Self>, wanted: CreateSession) -> Result<Rc<Supervisor>, ApiError> {
        if wanted.name.as_ref().is_some_and(|name| name.trim().is_empty()) {
            return Err(api_error(ErrorKind::Invalid, "the name of the session is empty"));
        }
        let _one_at_a_time = self.making.lock().await;
        if let Some(name) = &wanted.name
            && self
                .running()
                .iter()
                .any(|supervisor| supervisor.info.borrow().name.as_ref() == Some(name))
        {
            return Err(api_error(
                ErrorKind::Invalid,
                format!("a session named {name} is running already"),
            ));
        }
        self.make(wanted, false).await
    }

    async fn make(self: &Rc<Self>, wanted: CreateSession, automatic: bool) -> Result<Rc<Supervisor>, ApiError> {
        self.refuse_if_killed()?;
        let session_id = new_id();
        let setup = Setup {
            watchers: self.watchers.count(&session_id),
            session_id,
            name: wanted.name,
            workspace: wanted.workspace,
            policy: wanted.policy,
            automatic,
        };
        let watchers = setup.watchers;
        let id = setup.session_id.clone();
        let registry = Rc::downgrade(self);
        let started = Supervisor::start(setup, Rc::clone(&self.watchers), move |ended| {
            if let Some(registry) = registry.upgrade() {
                registry.ended(&ended);
            }
        });
        let supervisor = match started.await {
            Ok(supervisor) => supervisor,
            Err(error) => {
                self.discard(&id);
                return Err(error);
            }
        };
        // What was told to end everything meanwhile did not know of this one. Nobody else runs between this look and
        // the moment in which it becomes known.
        if let Err(refusal) = self.refuse_if_killed() {
            let reason = if self.stopping.get() { STOPPED } else { KILLED };
            self.end(&supervisor, reason).await?;
            return Err(refusal);
        }
        self.running
            .borrow_mut()
            .insert(supervisor.id(), Rc::clone(&supervisor));
        let count = self.watchers.count(&supervisor.id());
        if count != watchers {
            supervisor.call(Call::Watchers { count }).await?;
        }
        Ok(supervisor)
    }

    /// A supervisor that fails leaves nothing of its session; one that was killed meanwhile could not see to it.
    fn discard(&self, session: &str) {
        let Ok(dir) = SessionDir::new(self.store.path(), session) else {
            return;
        };
        if let Err(error) = agentsh_audit::gc::discard(&dir) {
            tracing::error!(session, "what was made of it stays: {error}");
        }
    }

    /// Nothing new starts while the kill switch is on, or the broker is about to end.
    pub(super) fn refuse_if_killed(&self) -> Result<(), ApiError> {
        let on = self.kill_switch.state().map_err(|error| {
            let path = self.kill_switch.path().display();
            let message = "nobody can tell whether the kill switch is on, so no command starts";
            api_error(ErrorKind::Refused, format!("{message}: {path}: {error}"))
        })?;
        if on {
            return Err(ApiError {
                error: ErrorKind::Refused,
                message: "the kill switch is on: no command starts".into(),
                hint: Some("agentsh kill --lift".into()),
            });
        }
        if self.stopping.get() {
            return Err(api_error(ErrorKind::Refused, "the broker is stopping"));
        }
        Ok(())
    }

    /// A supervisor's process is gone: the session with it, and everything that it served.
    fn ended(&self, ended: &Ended) {
        let id = ended.supervisor.id();
        self.running.borrow_mut().remove(&id);
        if ended.status.as_ref().is_ok_and(std::process::ExitStatus::success) {
            tracing::info!(session = id, "session ended");
            return;
        }
        // Who was still to be let in is told by the end of its connection, and asks again.
        let roots = ended.supervisor.roots().into_iter().filter(|root| root.has_begun());
        let killed = process::end_trees(roots);
        tracing::error!(session = id, status = ?ended.status, killed, "supervisor died; its commands were killed");
        if let Err(error) = orphans::close(&self.store, &id) {
            tracing::error!(session = id, "closing the record of a dead session: {error}");
        }
    }

    /// Ends one session and waits until its supervisor is gone. One that does not do it is killed, and what it served
    /// with it ([`Registry::ended`]).
    pub(super) async fn end(&self, supervisor: &Rc<Supervisor>, reason: &str) -> Result<Killed, ApiError> {
        let call = supervisor.call(Call::End {
            reason: reason.to_owned(),
        });
        let killed = match tokio::time::timeout(END_LIMIT, call).await {
            Ok(Ok(Answer::Killed { killed })) => killed,
            failed => {
                tracing::error!(
                    session = supervisor.id(),
                    ?failed,
                    "its supervisor does not end it and is killed"
                );
                supervisor.kill();
                Killed {
                    sessions: 1,
                    ..Killed::default()
                }
            }
        };
        while supervisor.is_alive() || self.running.borrow().contains_key(&supervisor.id()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(killed)
    }

    /// Ends all sessions. Call it once new ones are refused: the one that is being made ends itself.
    pub(super) async fn end_all(&self, reason: &str) -> Killed {
        let mut all = Killed::default();
        // All at once: one that resists keeps no other alive.
        let (forsaken, running) = (self.forsaken.names(), self.running());
        let forsaken = forsaken.iter().map(|session| self.forsaken.end(session));
        let ends = running
            .iter()
            .map(async |supervisor| (supervisor, self.end(supervisor, reason).await));
        let (forsaken, running) = tokio::join!(join_all(forsaken), join_all(ends));
        all.sessions += forsaken.len() + running.len();
        all.left += forsaken.iter().filter(|ended| !**ended).count();
        for (supervisor, ended) in running {
            match ended {
                Ok(killed) => {
                    all.processes += killed.processes;
                    all.left += killed.left;
                }
                Err(error) => {
                    all.left += 1;
                    tracing::error!(session = supervisor.id(), "ending it: {error}");
                }
            }
        }
        // Nothing is left once this returns.
        drop(self.making.lock().await);
        all
    }

    /// Whether it has no session.
    pub(super) fn serves_nothing(&self) -> bool {
        self.running.borrow().is_empty() && self.forsaken.names().is_empty() && self.making.try_lock().is_ok()
    }

    /// Ends the automatic sessions in which nothing has run for the idle time, and every one in which nothing runs if
    /// nobody finds this broker, so that nothing can be started there.
    pub(super) async fn end_idle(&self, found: bool) {
        let limit = self.config.sessions.idle_end;
        for supervisor in self.running() {
            let limit = match (found, supervisor.info.borrow().automatic) {
                (false, _) => Duration::ZERO,
                (true, true) => limit,
                (true, false) => continue,
            };
            let idle = supervisor.idle().is_some_and(|idle| idle >= limit);
            if idle && let Err(error) = self.end(&supervisor, "idle").await {
                tracing::error!(session = supervisor.id(), "ending an idle session: {error}");
            }
        }
    }

    /// Every session, running and past, oldest first; one that runs also where nothing is left of its folder.
    pub(super) fn all(&self) -> Result<Vec<SessionInfo>, ApiError> {
        let listing = self.store.list().map_err(store_error)?;
        for problem in &listing.problems {
            tracing::warn!("{problem}");
        }
        let running = self.running.borrow();
        let current = |stored: SessionInfo| match running.get(&stored.id) {
            Some(supervisor) => supervisor.info.borrow().clone(),
            None if stored.state == SessionState::Running => SessionInfo {
                state: SessionState::Dead,
                ..stored
            },
            None => stored,
        };
        let mut all: BTreeMap<String, SessionInfo> = running
            .iter()
            .map(|(id, supervisor)| (id.clone(), supervisor.info.borrow().clone()))
            .collect();
        all.extend(
            listing
                .sessions
                .into_iter()
                .map(|(_, info)| (info.id.clone(), current(info))),
        );
        Ok(all.into_values().collect())
    }
}

fn workspace_of(info: &SessionInfo) -> Option<PathBuf> {
    info.workspace
        .as_ref()
        .map(|workspace| PathBuf::from(workspace.as_os_str()))
}
