//! The verbs of `api.sock`; see `agentsh_protocol::api` for the table.

use std::rc::Rc;

use agentsh_protocol::api::{
    ApiError, CommandInfo, CreateSession, ErrorKind, Kill, Killed, ProxyInfo, SCHEMA_VERSION, SessionInfo,
    SessionState, Status,
};
use agentsh_protocol::control::{Answer, Call};
use hyper::{Method, Response};
use serde::de::DeserializeOwned;

use super::http::{Body, events, json};
use super::registry::{KILLED, Registry, api_error, store_error};
use super::{approvals, path};
use crate::build;

type Reply = Result<Response<Body>, ApiError>;

/// Answers one request.
pub(super) async fn answer(registry: &Rc<Registry>, method: &Method, path: &str, body: &[u8]) -> Reply {
    let parts = path::parts(path)?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["v1", "status"]) => json(&status(registry)),
        ("POST", ["v1", "stop"]) => {
            registry.stop();
            json(&status(registry))
        }
        ("POST", ["v1", "kill"]) => json(&kill(registry, parse(body)?).await?),
        ("POST", ["v1", "lift"]) => {
            registry
                .kill_switch
                .lift()
                .map_err(|error| api_error(ErrorKind::Failed, error))?;
            json(&status(registry))
        }
        ("GET", ["v1", "sessions"]) => json(&registry.all()?),
        ("POST", ["v1", "sessions"]) => json(&create(registry, parse(body)?).await?),
        ("GET", ["v1", "sessions", id]) => json(&session(registry, id).await?),
        ("DELETE", ["v1", "sessions", id]) => json(&end(registry, id).await?),
        ("POST", ["v1", "sessions", id, "reload"]) => {
            registry.find_running(id)?.call(Call::Reload).await?;
            json(&session(registry, id).await?)
        }
        ("POST", ["v1", "sessions", id, "acts"]) => {
            let act = parse(body)?;
            registry.find_running(id)?.call(Call::Note { act }).await?;
            json(&())
        }
        ("GET", ["v1", "sessions", id, "proxy"]) => json(&proxy(registry, id).await?),
        ("GET", ["v1", "sessions", id, "commands"]) => json(&commands(registry, id).await?),
        ("GET", ["v1", "sessions", id, "commands", command]) => json(&command_of(registry, id, command).await?),
        ("GET", ["v1", "approvals"]) => json(&approvals::pending(registry).await?),
        ("GET", ["v1", "approvals", "watch"]) => Ok(events(approvals::watch(registry, None).await?)),
        ("GET", ["v1", "sessions", id, "approvals", "watch"]) => {
            Ok(events(approvals::watch(registry, Some(id)).await?))
        }
        ("GET", ["v1", "approvals", id]) => json(&approvals::find(registry, id).await?),
        ("POST", ["v1", "approvals", id]) => json(&approvals::reply(registry, id, parse(body)?).await?),
        ("GET", ["v1", "grants"]) => json(&approvals::grants(registry).await?),
        ("DELETE", ["v1", "grants", id]) => json(&approvals::revoke(registry, id).await?),
        _ => Err(api_error(ErrorKind::NotFound, format!("{method} {path}: no such call"))),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| api_error(ErrorKind::Invalid, format!("the request is malformed: {error}")))
}

fn status(registry: &Registry) -> Status {
    let running = registry.running();
    Status {
        schema_version: SCHEMA_VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: build::COMMIT.to_owned(),
        uid: registry.account.uid,
        pid: std::process::id() as i32,
        started: registry.started.clone(),
        sessions: running.len(),
        commands: running
            .iter()
            .map(|supervisor| supervisor.info.borrow().commands_running)
            .sum(),
        killed: registry.kill_switch.is_on(),
        mode: registry.mode(),
    }
}

async fn create(registry: &Rc<Registry>, wanted: CreateSession) -> Result<SessionInfo, ApiError> {
    let supervisor = registry.create(wanted).await?;
    let info = supervisor.info.borrow().clone();
    Ok(info)
}

async fn session(registry: &Rc<Registry>, word: &str) -> Result<SessionInfo, ApiError> {
    match registry.find_running(word) {
        Ok(supervisor) => match supervisor.ask(Call::Info).await? {
            Answer::Info { info } => Ok(*info),
            _ => Err(api_error(ErrorKind::Failed, "the supervisor answered something else")),
        },
        Err(error) if error.error == ErrorKind::Refused => stored(registry, word),
        Err(error) => Err(error),
    }
}

async fn proxy(registry: &Rc<Registry>, word: &str) -> Result<ProxyInfo, ApiError> {
    match registry.find_running(word) {
        Ok(supervisor) => match supervisor.ask(Call::Proxy).await? {
            Answer::Proxy { proxy } => Ok(*proxy),
            _ => Err(api_error(ErrorKind::Failed, "the supervisor answered something else")),
        },
        Err(error) if error.error == ErrorKind::Refused => {
            let dir = registry.store.find(word).map_err(store_error)?;
            let read = agentsh_audit::read::llm_use(&dir);
            let (usage, problems) = read.map_err(|error| api_error(ErrorKind::Failed, error))?;
            for problem in problems {
                tracing::warn!("{problem}");
            }
            Ok(ProxyInfo {
                session_id: dir.id().to_owned(),
                usage,
                ..ProxyInfo::default()
            })
        }
        Err(error) => Err(error),
    }
}

fn stored(registry: &Registry, word: &str) -> Result<SessionInfo, ApiError> {
    let mut info = registry
        .store
        .find(word)
        .and_then(|dir| dir.info())
        .map_err(store_error)?;
    if info.state == SessionState::Running {
        info.state = SessionState::Dead;
    }
    Ok(info)
}

async fn end(registry: &Rc<Registry>, word: &str) -> Result<SessionInfo, ApiError> {
    let supervisor = registry.find_running(word)?;
    registry.end(&supervisor, "destroyed").await?;
    stored(registry, &supervisor.id())
}

async fn commands(registry: &Rc<Registry>, word: &str) -> Result<Vec<CommandInfo>, ApiError> {
    match registry.find_running(word) {
        Ok(supervisor) => match supervisor.ask(Call::Commands).await? {
            Answer::Commands { commands } => Ok(commands),
            _ => Err(api_error(ErrorKind::Failed, "the supervisor answered something else")),
        },
        Err(error) if error.error == ErrorKind::Refused => {
            let dir = registry.store.find(word).map_err(store_error)?;
            let (commands, problems) =
                agentsh_audit::read::commands(&dir).map_err(|error| api_error(ErrorKind::Failed, error))?;
            for problem in problems {
                tracing::warn!("{problem}");
            }
            Ok(commands)
        }
        Err(error) => Err(error),
    }
}

async fn command_of(registry: &Rc<Registry>, word: &str, command: &str) -> Result<CommandInfo, ApiError> {
    let all = commands(registry, word).await?;
    let mut found = all.into_iter().filter(|info| info.id.starts_with(command));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(api_error(
            ErrorKind::NotFound,
            format!("no command `{command}` in session {word}"),
        )),
        (Some(_), Some(_)) => Err(api_error(
            ErrorKind::Ambiguous,
            format!("`{command}` means several commands"),
        )),
    }
}

async fn kill(registry: &Rc<Registry>, kill: Kill) -> Result<Killed, ApiError> {
    match kill {
        Kill::Command { session, command } if session.is_empty() || command.is_empty() => Err(api_error(
            ErrorKind::Invalid,
            "the id of the session or of the command is empty",
        )),
        Kill::Session { session } if session.is_empty() => {
            Err(api_error(ErrorKind::Invalid, "the id or name of the session is empty"))
        }
        Kill::Command { session, command } => {
            match registry
                .find_running(&session)?
                .call(Call::KillCommand { command })
                .await?
            {
                Answer::Killed { killed } => Ok(killed),
                _ => Err(api_error(ErrorKind::Failed, "the supervisor answered something else")),
            }
        }
        Kill::Session { session } if registry.forsaken.is_there(&session) => {
            let left = usize::from(!registry.forsaken.end(&session).await);
            Ok(Killed {
                sessions: 1,
                left,
                ..Killed::default()
            })
        }
        Kill::Session { session } => {
            let supervisor = registry.find_running(&session)?;
            registry.end(&supervisor, KILLED).await
        }
        Kill::All => {
            let kept = registry.kill_switch.set();
            let killed = registry.end_all(KILLED).await;
            kept.map_err(|error| not_kept(registry, &killed, &error))?;
            Ok(killed)
        }
    }
}

/// Everything was ended, and whoever starts the next broker has to know what it will not know.
fn not_kept(registry: &Registry, killed: &Killed, error: &std::io::Error) -> ApiError {
    let left = match killed.left {
        0 => String::new(),
        left => format!(" (of {left} of them something may live still)"),
    };
    let message = format!(
        "ended: {} sessions, {} processes{left}; no command starts as long as this broker lives, but the kill switch \
         will not outlast it: {}: {error}",
        killed.sessions,
        killed.processes,
        registry.kill_switch.path().display()
    );
    ApiError {
        hint: Some("make room for the file, then say `agentsh kill --all` again".into()),
        ..api_error(ErrorKind::Failed, message)
    }
}
