//! Which session a person works in, and what the prompt says of it.

use std::path::{Path, PathBuf};

use agentsh_protocol::Bytes;
use agentsh_protocol::api::{CreateSession, SessionInfo, SessionState};

use crate::client;
use crate::context::Context;
use crate::error::Error;
use crate::render::{self, Style};
use crate::verbs::config;
use crate::verbs::session::create;
use crate::verbs::shell::Shell as Wanted;

/// The session that was named; else, if no policy was asked for, the running one whose workspace holds the current folder
/// most closely; else a new one.
pub fn find(wanted: &Wanted, context: &Context) -> Result<SessionInfo, Error> {
    let broker = context.broker()?;
    if let Some(word) = &wanted.session {
        return Ok(broker.get(&client::path(&["sessions", word]))?);
    }
    let cwd = std::env::current_dir().map_err(|source| Error::io("the current folder", source))?;
    if wanted.policy.is_none() {
        let sessions: Vec<SessionInfo> = broker.get(&client::path(&["sessions"]))?;
        if let Some(session) = closest(sessions, &cwd) {
            return Ok(session);
        }
    }
    let home = context.account().home;
    let shared = [Path::new("/"), Path::new("/tmp")].contains(&cwd.as_path()) || home == cwd;
    let request = CreateSession {
        workspace: (!shared).then(|| Bytes::from(cwd.as_path())),
        policy: wanted.policy.clone().map(create::policy).transpose()?,
        name: None,
    };
    let session: SessionInfo = broker.post(&client::path(&["sessions"]), &request)?;
    match session.not_held.len() {
        0 => {}
        _ if !config::load(context)?.config.security.warn_degraded => {}
        count => render::say(&format!(
            "{count} {} of the policy not held on this host or by this build: `:session` lists them",
            if count == 1 { "part" } else { "parts" }
        )),
    }
    Ok(session)
}

/// Whether it still runs.
pub fn lives(session: &SessionInfo, context: &Context) -> bool {
    let known = context.running_broker().ok().flatten();
    let now = known.and_then(|broker| {
        broker
            .get::<SessionInfo>(&client::path(&["sessions", &session.id]))
            .ok()
    });
    now.is_some_and(|session| session.state == SessionState::Running)
}

fn closest(sessions: Vec<SessionInfo>, cwd: &Path) -> Option<SessionInfo> {
    let depth = |session: &SessionInfo| {
        let workspace = session.workspace.as_ref()?;
        let workspace: &Path = Path::new(std::str::from_utf8(&workspace.0).ok()?);
        cwd.starts_with(workspace).then(|| workspace.components().count())
    };
    let running = sessions
        .into_iter()
        .filter(|session| session.state == SessionState::Running);
    let fitting = running.filter_map(|session| Some((depth(&session)?, session)));
    fitting
        .max_by(|(one, a), (two, b)| one.cmp(two).then_with(|| a.id.cmp(&b.id)))
        .map(|(_, session)| session)
}

/// Its name, or the end of its id: the beginnings of ids of one day are alike.
pub fn label(session: &SessionInfo) -> String {
    let end = session.id.len().saturating_sub(6);
    session
        .name
        .as_deref()
        .map_or_else(|| session.id.get(end..).unwrap_or_default().to_owned(), render::visible)
}

/// The prompt, plain and in colours: session, policy, folder, and whether the last command failed.
pub fn prompt(session: &SessionInfo, status: i32, home: &Path, style: Style) -> (String, String) {
    let cwd = std::env::current_dir().unwrap_or_default();
    let workspace = session.workspace.as_ref().map(|path| PathBuf::from(path.lossy()));
    let folder = match workspace
        .as_ref()
        .and_then(|workspace| cwd.strip_prefix(workspace).ok())
    {
        Some(inside) if inside.as_os_str().is_empty() => ".".to_owned(),
        Some(inside) => inside.display().to_string(),
        None => match cwd.strip_prefix(home) {
            Ok(inside) if inside.as_os_str().is_empty() => "~".to_owned(),
            Ok(inside) => format!("~/{}", inside.display()),
            Err(_) => cwd.display().to_string(),
        },
    };
    let (label, folder) = (label(session), render::visible(&folder));
    let policy = format!(
        "{}/{}",
        render::visible(&session.policy),
        render::visible(&session.mode)
    );
    let plain = format!("{label} {policy} {folder} > ");
    let sign = if status == 0 { style.green(">") } else { style.red(">") };
    let coloured = format!("{} {} {} {sign} ", style.bold(&label), style.dim(&policy), folder);
    (plain, coloured)
}

/// The file of the workspace's history, which nothing inside a session can read; `None` if there can be none.
pub fn history(session: &SessionInfo, context: &Context) -> Option<PathBuf> {
    let folder = context.account().state_dir().join("history");
    std::fs::create_dir_all(&folder).ok()?;
    let workspace = session.workspace.clone().unwrap_or_default();
    let name = blake3::hash(&workspace.0).to_hex();
    Some(folder.join(name.get(..16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str, workspace: &str, state: &str) -> Result<SessionInfo, serde_json::Error> {
        serde_json::from_str(&format!(
            r#"{{"id": "{id}", "name": null, "workspace": "{workspace}", "policy": "default", "mode": "seccomp",
                "path": "/x", "created": "", "state": "{state}", "uid": 0, "automatic": false}}"#
        ))
    }

    #[test]
    fn the_running_session_with_the_closest_workspace_is_taken() -> Result<(), serde_json::Error> {
        let sessions = vec![
            session("a-000001", "/work", "running")?,
            session("a-000002", "/work/deep", "running")?,
            session("a-000003", "/work/deep", "ended")?,
            session("a-000004", "/workshop", "running")?,
        ];
        let found = |cwd: &str| closest(sessions.clone(), Path::new(cwd)).map(|session| session.id);
        assert_eq!(found("/work/deep/x").as_deref(), Some("a-000002"));
        assert_eq!(found("/work/other").as_deref(), Some("a-000001"));
        assert_eq!(found("/elsewhere"), None);
        Ok(())
    }

    #[test]
    fn the_prompt_names_session_policy_and_mode() -> Result<(), serde_json::Error> {
        let (plain, coloured) = prompt(
            &session("a-000001", "/nowhere", "running")?,
            0,
            Path::new("/nobody"),
            Style::new(false),
        );
        assert!(
            plain.starts_with("000001 default/seccomp /") && plain.ends_with(" > "),
            "{plain}"
        );
        assert_eq!(plain, coloured);
        Ok(())
    }
}
