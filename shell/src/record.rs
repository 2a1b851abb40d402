//! The caller's record on disk: read there, so that it can be read with or without a broker.

use std::collections::HashSet;

use agentsh_audit::read::{self, ReadProblem};
use agentsh_audit::{Event, SessionDir, Store, Stream};
use agentsh_protocol::api::{CommandInfo, SessionInfo};

use crate::client::{self, ClientError};
use crate::context::Context;
use crate::error::Error;
use crate::render;

/// The caller's sessions.
pub fn store(context: &Context) -> Store {
    Store::new(&context.account().state_dir())
}

/// The session that `word` means, or the newest one.
///
/// # Errors
/// There is none, or several begin so.
pub fn session(context: &Context, word: Option<&str>) -> Result<SessionDir, Error> {
    match word {
        Some(word) => Ok(store(context).find(word)?),
        None => newest(&store(context)),
    }
}

/// Has the supervisors of those of `sessions` that live write what they accepted: what a command did stands in the
/// record once it has ended. Without a broker the record is what is on disk.
pub fn settle(context: &Context, sessions: &[SessionDir]) {
    let mut living = sessions.iter().filter(|dir| dir.is_live()).peekable();
    if living.peek().is_none() {
        return;
    }
    let Ok(Some(broker)) = context.running_broker() else {
        return;
    };
    for dir in living {
        // Who is told of commands finds their events; an answer that does not come keeps nobody from reading.
        let told = broker.get::<Vec<CommandInfo>>(&client::path(&["sessions", dir.id(), "commands"]));
        if matches!(told, Err(ClientError::Silent(_))) {
            return;
        }
    }
}

fn newest(store: &Store) -> Result<SessionDir, Error> {
    let newest = dirs(store)?.pop();
    newest.ok_or_else(|| Error::unknown("there is no session yet", "`agentsh session create` makes one"))
}

/// The folder of every session of which there is a record, oldest first: what is read there needs no `session.json`.
///
/// # Errors
/// The state folder itself cannot be read.
pub fn dirs(store: &Store) -> Result<Vec<SessionDir>, Error> {
    let mut dirs = store.dirs()?;
    dirs.retain(|dir| !dir.is_unbegun());
    Ok(dirs)
}

/// Says of which sessions nothing else is told here, because their `session.json` cannot be read.
pub fn say_unread(store: &Store, told: &[SessionInfo]) {
    let known: HashSet<&str> = told.iter().map(|session| session.id.as_str()).collect();
    let unread = dirs(store).unwrap_or_default();
    for dir in unread.iter().filter(|dir| !known.contains(dir.id())) {
        if let Err(problem) = dir.info() {
            render::say(&format!("agentsh: {}", render::visible(&problem.to_string())));
        }
    }
}

/// Every session, oldest first; folders that cannot be read are left out here (`agentsh doctor` names them).
///
/// # Errors
/// The state folder itself cannot be read.
pub fn all(store: &Store) -> Result<Vec<(SessionDir, SessionInfo)>, Error> {
    Ok(store.list()?.sessions)
}

/// The session that has kept output of the command whose id begins with `word`, and the whole id.
///
/// # Errors
/// There is none, or several begin so.
pub fn kept_output(store: &Store, word: &str) -> Result<(SessionDir, String), Error> {
    let mut found = Vec::new();
    for dir in dirs(store)? {
        found.extend(
            commands_with_output(&dir, word)
                .into_iter()
                .map(|command| (dir.clone(), command)),
        );
    }
    match (found.pop(), found.is_empty()) {
        (Some(found), true) => Ok(found),
        (Some(_), false) => Err(Error::unknown(
            format!("several commands begin with {word}"),
            "give more of the id",
        )),
        (None, _) => Err(Error::unknown(
            format!("no output is kept of a command {word}"),
            "`exec --output json` keeps output that is longer than it prints; `record.pipes` of a policy keeps others",
        )),
    }
}

fn commands_with_output(dir: &SessionDir, word: &str) -> Vec<String> {
    let names = std::fs::read_dir(dir.path().join("output"))
        .into_iter()
        .flatten()
        .flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut commands: Vec<String> = names
        .filter_map(|name| Some(name.split_once('.')?.0.to_owned()))
        .collect();
    commands.retain(|command| command.starts_with(word));
    commands.sort();
    commands.dedup();
    commands
}

/// Says which lines of a record are no events.
pub fn say_problems(problems: &[ReadProblem]) {
    problems
        .iter()
        .for_each(|problem| render::say(&format!("agentsh: {}", render::visible(&problem.to_string()))));
}

/// Prints one event as a line of JSON.
///
/// # Errors
/// stdout cannot be written.
pub fn print_json_line(event: &Event) -> Result<(), Error> {
    let mut line = Vec::new();
    let written = read::write_json_lines(&mut line, [event]);
    written.map_err(|source| Error::io("writing an event", source))?;
    render::print(&render::escaped(&String::from_utf8_lossy(&line)))
}

/// Prints events as CSV. It has no escapes of its own: to a person's terminal the lines go made visible.
///
/// # Errors
/// stdout cannot be written.
pub fn print_csv(context: &Context, events: &[Event]) -> Result<(), Error> {
    let mut text = Vec::new();
    read::write_csv(&mut text, events).map_err(|source| Error::io("writing CSV", source))?;
    let text = String::from_utf8_lossy(&text);
    match context.stdout_is_terminal {
        true => render::print(
            &text
                .lines()
                .map(|line| render::visible(line) + "\n")
                .collect::<String>(),
        ),
        false => render::print(&text),
    }
}

/// Both streams, for loops.
pub const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_output_is_found_by_the_beginning_of_an_id() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let store = Store::new(folder.path());
        let (session, command) = (agentsh_protocol::new_id(), agentsh_protocol::new_id());
        let json = format!(
            r#"{{"id": "{session}", "name": null, "workspace": null, "policy": "p", "mode": "m", "path": "/x",
                "created": "", "state": "ended", "uid": 0, "automatic": false}}"#
        );
        let dir = store.create(&serde_json::from_str(&json)?, "")?;
        std::fs::write(dir.output_path(&command, Stream::Stdout)?, "x")?;
        assert_eq!(dirs(&store)?, std::slice::from_ref(&dir));
        // What was kept is found whatever became of the description.
        std::fs::write(dir.path().join("session.json"), "{")?;
        assert_eq!(kept_output(&store, &command[..20])?, (dir, command));
        assert!(kept_output(&store, "zz").is_err());
        Ok(())
    }
}
