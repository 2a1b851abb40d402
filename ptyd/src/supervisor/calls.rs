//! Answers to the broker's calls.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use agentsh_protocol::api::{ApiError, ErrorKind, Killed};
use agentsh_protocol::control::{Answer, Call};

use super::session::Session;
use super::{end, reload};

/// How long writing what was accepted may take before an answer goes out without it.
const WRITTEN_WITHIN: Duration = Duration::from_millis(200);

/// Answers one call. `End` does not come here: the loop itself ends with it.
pub(super) fn answer(session: &Arc<Session>, call: Call, fds: Vec<OwnedFd>) -> Answer {
    match call {
        Call::Info => Answer::Info {
            info: Box::new(session.info()),
        },
        Call::Commands => {
            let commands = session.commands();
            // Who sees a command's end here finds its events in the record. A full disk is told elsewhere.
            let _ = session.recorder.flush(WRITTEN_WITHIN);
            Answer::Commands { commands }
        }
        Call::Proxy => Answer::Proxy {
            proxy: Box::new(session.proxy_info()),
        },
        Call::KillCommand { command } => kill(session, &command).map_or_else(error, |killed| Answer::Killed { killed }),
        Call::Attach { command, watch } => attach(session, &command, watch, fds).map_or_else(error, |()| Answer::Done),
        Call::Note { act } => match session.note_act(&act) {
            Ok(()) => Answer::Done,
            Err(problem) => error(ApiError {
                error: ErrorKind::Failed,
                message: format!("the record takes nothing: {problem}"),
                hint: None,
            }),
        },
        Call::Reload => reload::reload(session).map_or_else(error, |()| Answer::Done),
        Call::Watchers { count } => {
            session.approvals.set_watchers(count);
            Answer::Done
        }
        Call::Approvals => Answer::Approvals {
            approvals: session.approvals_pending(),
        },
        Call::Reply { id, reply } => match session.reply(&id, &reply) {
            Ok(None) => error(answered_already(&id)),
            Ok(Some(approval)) => Answer::Approvals {
                approvals: vec![approval],
            },
            Err(problem) => error(cannot_keep(&problem)),
        },
        Call::Grants => Answer::Grants {
            grants: session.grants(),
        },
        Call::Revoke { id } => session.revoke(&id).map_or_else(
            || error(answered_already(&id)),
            |grant| Answer::Grants { grants: vec![grant] },
        ),
        Call::End { .. } => Answer::Killed {
            killed: end::kill_all(session),
        },
    }
}

fn answered_already(id: &str) -> ApiError {
    ApiError {
        error: ErrorKind::NotFound,
        message: format!("{id} is not there any more"),
        hint: Some("it was answered, or its time is over".to_owned()),
    }
}

fn cannot_keep(problem: &std::io::Error) -> ApiError {
    ApiError {
        error: ErrorKind::Failed,
        message: format!("a yes for good cannot be written down: {problem}"),
        hint: Some("it was not answered; `--session` or `--once` need no file".to_owned()),
    }
}

fn error(error: ApiError) -> Answer {
    Answer::Error { error }
}

fn attach(session: &Session, word: &str, watch: bool, fds: Vec<OwnedFd>) -> Result<(), ApiError> {
    let failure = |error, message| ApiError {
        error,
        message,
        hint: None,
    };
    let Ok([stream]) = <[OwnedFd; 1]>::try_from(fds) else {
        return Err(failure(
            ErrorKind::Failed,
            "the client came without its connection".into(),
        ));
    };
    let [id] = <[String; 1]>::try_from(session.find_commands(word)).map_err(|found| match found.len() {
        0 => failure(ErrorKind::NotFound, format!("no command `{word}` in this session")),
        many => failure(ErrorKind::Ambiguous, format!("`{word}` means {many} commands")),
    })?;
    if session.terminals.attach(&id, stream, watch) {
        return Ok(());
    }
    Err(failure(
        ErrorKind::Refused,
        format!("command {id} has no open terminal"),
    ))
}

fn kill(session: &Session, word: &str) -> Result<Killed, ApiError> {
    let failure = |error, message| ApiError {
        error,
        message,
        hint: None,
    };
    match session.find_commands(word).as_slice() {
        [] => Err(failure(
            ErrorKind::NotFound,
            format!("no command `{word}` in this session"),
        )),
        [id] => Ok(session.end_command(id)),
        several => Err(failure(
            ErrorKind::Ambiguous,
            format!("`{word}` means {} commands", several.len()),
        )),
    }
}
