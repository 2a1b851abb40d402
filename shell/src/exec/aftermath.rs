//! What is known of a command after its end: the supervisor's word, and its events once they are written.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use agentsh_audit::{Event, EventType, SessionDir, read};
use agentsh_protocol::Bytes;
use agentsh_protocol::api::{CommandInfo, CommandState, ErrorKind, PolicyOutcome};

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
    /// What became of `command`; `None` if it was not judged, or did not get in. Where the broker or the session is gone
    /// the record is asked.
    ///
    /// # Errors
    /// The supervisor does not answer and the record does not know the command, or cannot be read.
    pub fn of(broker: &Client, session: &SessionDir, command: &str, mark: &Mark) -> Result<Option<Aftermath>, Error> {
        let end = Instant::now() + SETTLED_WITHIN;
        let path = client::path(&["sessions", session.id(), "commands", command]);
        let ended = |command: &CommandInfo| command.state != CommandState::Running;
        // A session's last words are written while it ends: an error is no answer until the time is over.
        let seen = look_until(
            end,
            || Ok(known(broker.get(&path)).or_else(|error| recorded(session, command).map(Some).ok_or(error))),
            |seen| seen.as_ref().is_ok_and(|known| known.as_ref().is_none_or(ended)),
        )?;
        let Some(command) = seen? else {
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

    /// What is left of a command that nobody tells of any more, or that never ran: that it ended.
    pub fn unknown(session: &SessionDir, command: &str, argv: &[OsString]) -> Aftermath {
        let command = CommandInfo {
            id: command.to_owned(),
            session_id: session.id().to_owned(),
            argv: argv.iter().map(|arg| Bytes::from(arg.as_os_str())).collect(),
            cwd: None,
            pid: 0,
            state: CommandState::Finished,
            started: String::new(),
            ended: None,
            exit_code: None,
            signal: None,
            limit: None,
            terminal: false,
            policy: PolicyOutcome::default(),
        };
        Aftermath {
            command,
            events: Vec::new(),
        }
    }
}

/// Whether policy let the command start and it did not get in: a failure of ours, which the shim has told.
fn never_entered(command: &CommandInfo) -> bool {
    command.state == CommandState::Refused && matches!(command.policy.decision.as_str(), "" | "allow" | "audit")
}

fn recorded(session: &SessionDir, command: &str) -> Option<CommandInfo> {
    let (commands, _) = read::commands(session).ok()?;
    commands.into_iter().find(|known| known.id == command)
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
