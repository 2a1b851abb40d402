//! `agentsh exec`: starts the command, stays with it, tells its end.

mod capture;
mod child;
mod watch;

use std::path::Path;
use std::process::Child;
use std::time::Instant;

use agentsh_protocol::api::{self, CommandInfo, CommandState, Killed, SessionInfo};
use agentsh_protocol::{is_id, new_id};

use crate::client;
use crate::context::Context;
use crate::error::Error;
use crate::exit::{self, Exit};
use crate::render;
use crate::sys::Watch;
use crate::verbs::exec::{Exec, Output};
use capture::Stream;
use watch::{Outcome, Running};

/// Runs `exec`.
///
/// # Errors
/// Everything that kept the command from running, or its end from being known.
pub fn run(exec: &Exec, context: &Context) -> Result<Exit, Error> {
    match exec.output {
        Output::Human => human(exec, context),
        Output::Json => human(exec, context),
    }
}

fn human(exec: &Exec, context: &Context) -> Result<Exit, Error> {
    // A whole id needs no question: the supervisor checks it anyway.
    let session = match is_id(&exec.session) {
        true => exec.session.clone(),
        false => session(exec, context)?.id,
    };
    let command = new_id();
    let outcome = go(exec, context, &session, &command, None)?;
    Ok(exit_of(&outcome))
}

fn session(exec: &Exec, context: &Context) -> Result<SessionInfo, Error> {
    Ok(context.broker()?.get(&client::path(&["sessions", &exec.session]))?)
}

/// Starts the command and waits for its end. Streams beyond the limit go to files in `overflow`.
fn go(exec: &Exec, context: &Context, session: &str, command: &str, overflow: Option<&Path>) -> Result<Outcome, Error> {
    let watch = Watch::start().map_err(|source| Error::io("watching for signals", source))?;
    let started = Instant::now();
    let mut child = child::start(exec, session, command, &watch)?;
    let streams = streams(&mut child, command, overflow).map_err(|source| Error::io("capturing output", source))?;
    let running = Running {
        child,
        started,
        streams,
        timeout: exec.timeout,
    };
    let outcome = running.wait(&watch, || end(context, session, command));
    outcome.map_err(|source| Error::io("waiting for the command", source))
}

fn streams(child: &mut Child, command: &str, overflow: Option<&Path>) -> std::io::Result<[Option<Stream>; 2]> {
    let Some(folder) = overflow else {
        return Ok([None, None]);
    };
    let file = |name: &str| folder.join(format!("{command}.{name}"));
    let stdout = child
        .stdout
        .take()
        .map(|pipe| Stream::new(pipe.into(), file("stdout")))
        .transpose()?;
    let stderr = child
        .stderr
        .take()
        .map(|pipe| Stream::new(pipe.into(), file("stderr")))
        .transpose()?;
    Ok([stdout, stderr])
}

/// Ends the command with its descendants. A failure is said; the command itself is ended by the caller in any case.
fn end(context: &Context, session: &str, command: &str) {
    let what = api::Kill::Command {
        session: session.to_owned(),
        command: command.to_owned(),
    };
    let ended = context.running_broker().and_then(|broker| {
        Ok(broker
            .map(|broker| broker.post::<Killed>(&client::path(&["kill"]), &what))
            .transpose()?)
    });
    if let Err(error) = ended {
        render::say(&format!(
            "agentsh: descendants of the command may live on: {}",
            render::visible(&error.to_string())
        ));
    }
}

fn exit_of(outcome: &Outcome) -> Exit {
    match (outcome.timed_out, outcome.end.signal, outcome.end.exit_code) {
        (true, ..) => Exit::Status(exit::TIMEOUT),
        (false, Some(signal), _) => Exit::Signal(signal),
        (false, None, code) => Exit::Status(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::OURS)),
    }
}
