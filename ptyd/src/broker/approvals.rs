//! Questions to people: the calls of `api.sock`, passed on to the sessions' supervisors.

use std::rc::Rc;

use agentsh_protocol::api::{ApiError, ErrorKind};
use agentsh_protocol::approvals::{Approval, Change, Grant, Reply};
use agentsh_protocol::control::{Answer, Call};
use futures_util::future::join_all;

use super::registry::{Registry, api_error};
use super::supervise::Supervisor;
use super::watchers::Events;
use crate::standing::{self, Standing};

fn unexpected() -> ApiError {
    api_error(ErrorKind::Failed, "the supervisor answered something else")
}

/// What waits in all sessions, oldest first.
pub(super) async fn pending(registry: &Registry) -> Result<Vec<Approval>, ApiError> {
    Ok(all(registry).await?.into_iter().map(|(_, approval)| approval).collect())
}

async fn all(registry: &Registry) -> Result<Vec<(Rc<Supervisor>, Approval)>, ApiError> {
    let mut found = Vec::new();
    for (supervisor, answer) in ask_all(registry, |_| Call::Approvals).await {
        if let Answer::Approvals { approvals } = answer {
            found.extend(approvals.into_iter().map(|approval| (Rc::clone(&supervisor), approval)));
        }
    }
    found.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
    Ok(found)
}

/// What the running sessions answer, all asked at once. One that does not answer keeps nobody from hearing the others.
async fn ask_all(registry: &Registry, call: impl Fn(&Supervisor) -> Call) -> Vec<(Rc<Supervisor>, Answer)> {
    let asked = registry.running().into_iter().map(|supervisor| {
        let call = call(&supervisor);
        async move {
            let answer = supervisor.ask(call).await;
            answer
                .inspect_err(|error| tracing::debug!(session = supervisor.id(), "{error}"))
                .ok()
                .map(|answer| (supervisor, answer))
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// The one that an id or the beginning of one means.
fn only<T>(found: Vec<T>, what: &str, word: &str, gone: &str) -> Result<T, ApiError> {
    let several = found.len();
    let mut found = found.into_iter();
    match (found.next(), several) {
        (Some(one), 1) => Ok(one),
        (None, _) => Err(ApiError {
            error: ErrorKind::NotFound,
            message: format!("no {what} `{word}`"),
            hint: Some(gone.to_owned()),
        }),
        _ => Err(api_error(
            ErrorKind::Ambiguous,
            format!("`{word}` means {several} of them"),
        )),
    }
}

async fn place(registry: &Registry, word: &str) -> Result<(Rc<Supervisor>, Approval), ApiError> {
    let mut found = all(registry).await?;
    found.retain(|(_, approval)| approval.id.starts_with(word));
    let gone = "it was answered, or its time is over; `agentsh approve list` shows what waits";
    only(found, "approval", word, gone)
}

/// One that waits.
pub(super) async fn find(registry: &Registry, word: &str) -> Result<Approval, ApiError> {
    Ok(place(registry, word).await?.1)
}

/// A person's answer.
pub(super) async fn reply(registry: &Registry, word: &str, reply: Reply) -> Result<Approval, ApiError> {
    let (supervisor, approval) = place(registry, word).await?;
    match supervisor.call(Call::Reply { id: approval.id, reply }).await? {
        Answer::Approvals { mut approvals } => approvals.pop().ok_or_else(unexpected),
        _ => Err(unexpected()),
    }
}

async fn all_grants(registry: &Registry) -> Vec<(Rc<Supervisor>, Grant)> {
    let mut found = Vec::new();
    for (supervisor, answer) in ask_all(registry, |_| Call::Grants).await {
        if let Answer::Grants { grants } = answer {
            found.extend(grants.into_iter().map(|grant| (Rc::clone(&supervisor), grant)));
        }
    }
    found
}

/// The yeses for good of the broker's user.
fn standing(registry: &Registry) -> Result<Vec<Grant>, ApiError> {
    let all = standing::all(&registry.account).map_err(|error| kept(registry, &error))?;
    Ok(all.iter().map(Standing::grant).collect())
}

fn kept(registry: &Registry, error: &std::io::Error) -> ApiError {
    let place = standing::place(&registry.account);
    api_error(ErrorKind::Failed, format!("{}: {error}", place.display()))
}

/// The answers that cover calls to come: of all sessions, and for good.
pub(super) async fn grants(registry: &Registry) -> Result<Vec<Grant>, ApiError> {
    let mut found: Vec<Grant> = all_grants(registry).await.into_iter().map(|(_, grant)| grant).collect();
    found.extend(standing(registry)?);
    Ok(found)
}

/// Takes one back.
pub(super) async fn revoke(registry: &Registry, word: &str) -> Result<Grant, ApiError> {
    let own = all_grants(registry)
        .await
        .into_iter()
        .map(|(supervisor, grant)| (Some(supervisor), grant));
    let mut found: Vec<(Option<Rc<Supervisor>>, Grant)> = own.collect();
    found.extend(standing(registry)?.into_iter().map(|grant| (None, grant)));
    found.retain(|(_, grant)| grant.id.starts_with(word));
    let gone = "it was revoked, or its session has ended; `agentsh grants list` shows those that hold";
    let (supervisor, grant) = only(found, "grant", word, gone)?;
    let Some(supervisor) = supervisor else {
        standing::remove(&registry.account, &grant.id).map_err(|error| kept(registry, &error))?;
        return Ok(grant);
    };
    match supervisor.call(Call::Revoke { id: grant.id }).await? {
        Answer::Grants { mut grants } => grants.pop().ok_or_else(unexpected),
        _ => Err(unexpected()),
    }
}

/// What waits now, then every change, of one session or of all. Once this is answered these sessions know that somebody
/// watches.
pub(super) async fn watch(registry: &Registry, session: Option<&str>) -> Result<Events, ApiError> {
    let session = session.map(|word| registry.find_running(word)).transpose()?;
    let session = session.map(|supervisor| supervisor.id());
    let events = registry.watchers.open(session.clone());
    tell_all(registry).await;
    for approval in pending(registry).await? {
        if session.as_ref().is_none_or(|own| *own == approval.session_id) {
            events.begin_with(&Change::Asked {
                approval: Box::new(approval),
            });
        }
    }
    Ok(events)
}

async fn tell_all(registry: &Registry) {
    let watchers = |supervisor: &Supervisor| Call::Watchers {
        count: registry.watchers.count(&supervisor.id()),
    };
    ask_all(registry, watchers).await;
}

/// Keeps all sessions told how many people watch.
pub(super) async fn keep_told(registry: Rc<Registry>) {
    loop {
        registry.watchers.changed().await;
        tell_all(&registry).await;
    }
}
