//! Making a session: policy, plan, folder, record.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agentsh_audit::{EventDraft, EventType, RecordError, Recorder, SessionDir, Store, Value};
use agentsh_netgate::Told;
use agentsh_policy::config;
use agentsh_protocol::Bytes;
use agentsh_protocol::api::{ApiError, ErrorKind, SessionInfo, SessionState};
use agentsh_protocol::control::Setup;
use agentsh_protocol::places::{self, Account};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::approvals;
use super::control::Notice;
use super::files;
use super::network;
use super::plan::{self, PlanError, Planned};
use super::policy::Choice;
use super::proof::Proof;
use super::session::{Parts, Session};
use super::shared::Shared;
use crate::diagnostics;

/// A session that stands, and what its loop listens to.
pub(super) struct Made {
    pub session: Arc<Session>,
    pub notices: UnboundedReceiver<Notice>,
}

fn error(kind: ErrorKind, message: impl std::fmt::Display) -> ApiError {
    ApiError {
        error: kind,
        message: message.to_string(),
        hint: None,
    }
}

pub(super) fn failed(message: impl std::fmt::Display) -> ApiError {
    error(ErrorKind::Failed, message)
}

pub(super) fn refused(problem: PlanError) -> ApiError {
    let hint = Some("`agentsh detect` says what this host can hold".to_owned());
    ApiError {
        error: ErrorKind::Refused,
        message: problem.to_string(),
        hint,
    }
}

fn unheld(problem: String) -> ApiError {
    ApiError {
        hint: Some("`agentsh detect` says what this host can hold".to_owned()),
        ..error(ErrorKind::Refused, problem)
    }
}

/// Makes the session; what is missing for it is an error, never a lesser session. Of one that fails nothing stays.
pub(super) fn make(setup: Setup) -> Result<Made, ApiError> {
    let account = Account::of(rustix::process::geteuid().as_raw());
    let dir = SessionDir::new(&account.state_dir(), &setup.session_id).map_err(failed)?;
    stand(setup, account).inspect_err(|_| {
        if let Err(error) = agentsh_audit::gc::discard(&dir) {
            tracing::error!("{}: what was made of it stays: {error}", dir.path().display());
        }
    })
}

fn stand(setup: Setup, account: Account) -> Result<Made, ApiError> {
    let config = config::load(&account.config_dir()).map_err(|problem| error(ErrorKind::Invalid, problem))?;
    diagnostics::start(&account.state_dir(), &config.log.level, config.log.format);
    let workspace = setup.workspace.as_ref().map(workspace).transpose()?;
    let choice = Choice::new(setup.policy.as_deref(), workspace.as_deref(), &config)?;
    let policy = choice.resolve(&account, &config, None)?;
    let mut planned = plan::plan(policy, &config, &account, workspace.as_deref()).map_err(refused)?;
    let network = planned.rules.private.then(network::make).transpose().map_err(unheld)?;
    // Connections to providers of models may have to go by way of the proxy.
    let wall = (planned.rules.wall, !config.proxy.providers.is_empty());
    let shared = Shared::new(&places::run_dir(account.uid), network, wall).map_err(failed)?;
    if let Some(why) = &shared.no_wall {
        planned.without_wall(why.clone()).map_err(failed)?;
    }
    let store = Store::new(&account.state_dir());
    let info = info(&setup, workspace.as_deref(), &account, &planned)?;
    let nobody = approvals::warning(&planned.rules.policy, setup.watchers);
    let dir = store.create(&info, &planned.rules.policy.text()).map_err(failed)?;
    planned.rules.also_readable(dir.policy_path()).map_err(failed)?;
    let recorder = Recorder::open(&dir, agentsh_audit::Options::default()).map_err(failed)?;
    record_created(&recorder, &info, nobody).map_err(failed)?;
    let (send, notices) = mpsc::unbounded_channel();
    let session = Session::new(Parts {
        proof: Proof::start()
            .map_err(|problem| failed(format!("the helper that tells who calls cannot be started: {problem}")))?,
        shared,
        account,
        config,
        workspace,
        choice,
        dir,
        recorder,
        notices: send,
        rules: planned.rules,
        info,
    });
    session.approvals.set_watchers(setup.watchers);
    let session = Arc::new(session);
    let files = files::engine(&session).map_err(failed)?;
    // Set once, here.
    let _ = session.shared.files.set(files);
    let engine = &session.shared.engine;
    let started = engine.start(Arc::clone(&session) as Arc<dyn Told>);
    started
        .and_then(|()| engine.apply(&session.rules().policy))
        .map_err(|error| failed(format!("the network engine `{}`: {error}", engine.name())))?;
    network::forward(&session);
    Ok(Made { session, notices })
}

/// The workspace as the kernel names it: links resolved, a folder.
fn workspace(path: &Bytes) -> Result<PathBuf, ApiError> {
    let path = Path::new(path.as_os_str());
    let invalid = |problem: &dyn std::fmt::Display| error(ErrorKind::Invalid, format!("{}: {problem}", path.display()));
    let resolved = std::fs::canonicalize(path).map_err(|problem| invalid(&problem))?;
    if resolved.is_dir() {
        Ok(resolved)
    } else {
        Err(invalid(&"not a folder"))
    }
}

fn info(
    setup: &Setup,
    workspace: Option<&Path>,
    account: &Account,
    planned: &Planned,
) -> Result<SessionInfo, ApiError> {
    let path = account.session_dir(&setup.session_id);
    Ok(SessionInfo {
        id: setup.session_id.clone(),
        name: setup.name.clone(),
        workspace: workspace.map(Bytes::from),
        policy: planned.rules.policy.name().to_owned(),
        mode: planned.mode.name().to_owned(),
        path: path
            .into_os_string()
            .into_string()
            .map_err(|_| failed("the home folder's path is not UTF-8"))?,
        created: agentsh_audit::time::now_rfc3339(),
        ended: None,
        state: SessionState::Running,
        uid: account.uid,
        automatic: setup.automatic,
        supervisor_pid: Some(std::process::id() as i32),
        commands_running: 0,
        layers: planned.layers.clone(),
        not_held: planned.not_held.clone(),
        not_observed: planned.not_observed.clone(),
        policy_refused: None,
    })
}

fn record_created(recorder: &Recorder, info: &SessionInfo, nobody: Option<String>) -> Result<(), RecordError> {
    let texts = |list: &[String]| -> serde_json::Value { list.iter().map(String::as_str).collect() };
    let not_held: Vec<String> = info.not_held.iter().cloned().chain(nobody).collect();
    let (not_held, not_observed) = (texts(&not_held), texts(&info.not_observed));
    recorder.emit(EventDraft {
        path: info.workspace.as_ref().map(|workspace| workspace.0.as_slice()),
        fields: &[
            ("policy", Value::Text(&info.policy)),
            ("mode", Value::Text(&info.mode)),
            ("automatic", Value::Bool(info.automatic)),
            ("not_held", Value::Json(&not_held)),
            ("not_observed", Value::Json(&not_observed)),
        ],
        ..EventDraft::new(EventType::SessionCreated)
    })
}
