//! What runs now, in whichever session.

use agentsh_protocol::api::{CommandInfo, SessionInfo, SessionState};
use serde::de::DeserializeOwned;

use crate::client::{self, Client, ClientError};
use crate::error::Error;
use crate::render;

/// The sessions that run.
///
/// # Errors
/// The broker cannot be asked.
pub fn sessions(broker: &Client) -> Result<Vec<SessionInfo>, Error> {
    let mut sessions: Vec<SessionInfo> = broker.get(&client::path(&["sessions"]))?;
    sessions.retain(|session| session.state == SessionState::Running);
    Ok(sessions)
}

/// What each of them answers to `GET /v1/sessions/ID/what`. One that does not answer is named on stderr, and keeps nobody
/// from hearing the others.
///
/// # Errors
/// The broker cannot be asked.
pub fn each<T: DeserializeOwned>(broker: &Client, what: &str) -> Result<Vec<T>, Error> {
    let mut answers = Vec::new();
    for session in sessions(broker)? {
        match broker.get(&client::path(&["sessions", &session.id, what])) {
            Ok(answer) => answers.push(answer),
            Err(ClientError::Api(error)) => render::say(&format!(
                "agentsh: session {} is left out: {}",
                session.id,
                render::visible(&error.message)
            )),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(answers)
}

/// The one command whose id begins with `word`, if any does.
///
/// # Errors
/// Several do, or the broker cannot be asked.
pub fn command(broker: &Client, word: &str) -> Result<Option<CommandInfo>, Error> {
    let commands = each::<Vec<CommandInfo>>(broker, "commands")?.into_iter().flatten();
    let mut found = commands.filter(|command| command.id.starts_with(word));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(Error::unknown(
            format!("several commands begin with {}", render::visible(word)),
            "give more characters of the id",
        )),
        (found, _) => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fake::Fake;

    fn session(id: &str, state: &str) -> String {
        format!(
            r#"{{"id": "{id}", "name": null, "workspace": null, "policy": "p", "mode": "m", "path": "/x",
                "created": "", "state": "{state}", "uid": 0, "automatic": false}}"#
        )
    }

    #[test]
    fn a_session_that_does_not_answer_keeps_nobody_from_the_commands_of_others()
    -> Result<(), Box<dyn std::error::Error>> {
        let all = [("1", "running"), ("2", "ended"), ("3", "running")].map(|(id, state)| session(id, state));
        let fake = Fake::serve(vec![
            (200, format!("[{}]", all.join(", "))),
            (
                500,
                r#"{"error": "failed", "message": "its supervisor is stopped"}"#.to_owned(),
            ),
            (200, format!("[{}, {}]", command_json("ab"), command_json("ac"))),
        ])?;
        let found = command(&fake.client(), "ac")?;
        assert_eq!(found.map(|command| command.id).as_deref(), Some("ac"));
        assert_eq!(
            fake.requests()?,
            [
                "GET /v1/sessions",
                "GET /v1/sessions/1/commands",
                "GET /v1/sessions/3/commands"
            ]
        );
        Ok(())
    }

    fn command_json(id: &str) -> String {
        format!(
            r#"{{"id": "{id}", "session_id": "3", "argv": [], "cwd": "/", "pid": 1, "started": "", "state": "running",
                "policy": {{"decision": "allow"}}}}"#
        )
    }
}
