//! What is known of a command after its end: the supervisor's word, and its events once they are written.

use std::time::{Duration, Instant};

use agentsh_audit::{Event, EventType};
use agentsh_protocol::api::{CommandInfo, CommandState, ErrorKind};

use super::history::Mark;
use crate::client::{self, Client, ClientError};
use crate::error::Error;

/// How long the supervisor may take to learn of the end and to write what it accepted.
const SETTLED_WITHIN: Duration = Duration::from_secs(3);
/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A command and its events.
#[derive(Debug)]
pub struct Aftermath {
    pub command: CommandInfo,
    pub events: Vec<Event>,
}

impl Aftermath {
    /// What became of `command`; `None` if it was not judged, or did not get in.
    ///
    /// # Errors
    /// The supervisor does not answer, or the record cannot be read.
    pub fn of(broker: &Client, session: &str, command: &str, mark: &Mark) -> Result<Option<Aftermath>, Error> {
        let end = Instant::now() + SETTLED_WITHIN;
        let path = client::path(&["sessions", session, "commands", command]);
        let ended = |command: &CommandInfo| command.state != CommandState::Running;
        let Some(command) = look_until(
            end,
            || known(broker.get(&path)),
            |known| known.as_ref().is_none_or(ended),
        )?
        else {
            return Ok(None);
        };
        let complete = |events: &Vec<Event>| events.iter().any(|event| event.kind == EventType::CommandFinished);
        if never_entered(&command) {
            return Ok(None);
        }
        let refused = command.state == CommandState::Refused;
        let events = look_until(
            end,
            || mark.events_of(&command.id),
            |events| refused || complete(events),
        )?;
        Ok(Some(Aftermath { command, events }))
    }
}

/// Whether policy let the command start and it did not get in: a failure of ours, which the shim has told.
fn never_entered(command: &CommandInfo) -> bool {
    command.state == CommandState::Refused && matches!(command.policy.decision.as_str(), "" | "allow" | "audit")
}

fn known(answer: Result<CommandInfo, ClientError>) -> Result<Option<CommandInfo>, Error> {
    match answer {
        Ok(command) => Ok(Some(command)),
        Err(ClientError::Api(error)) if error.error == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Looks again and again until what is seen is `enough`, or `end`; the last look is the answer.
fn look_until<T>(end: Instant, look: impl Fn() -> Result<T, Error>, enough: impl Fn(&T) -> bool) -> Result<T, Error> {
    let mut pause = Duration::from_millis(1);
    loop {
        let seen = look()?;
        if enough(&seen) || Instant::now() >= end {
            return Ok(seen);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
