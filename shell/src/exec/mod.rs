//! `agentsh exec`: starts the command, stays with it, tells its end.

mod aftermath;
mod capture;
pub mod child;
pub mod guidance;
pub mod history;
mod report;
#[cfg(test)]
mod tests;
mod watch;

use std::path::PathBuf;
use std::process::Child;
use std::time::Instant;

use agentsh_audit::{SessionDir, Stream as Name};
use agentsh_protocol::api::{self, CommandInfo, CommandState, Killed, SessionInfo};
use agentsh_protocol::{is_id, new_id};

use crate::client::{self, Client};
use crate::context::Context;
use crate::error::Error;
use crate::exit::{self, Exit};
use crate::render;
use crate::sys::Watch;
use crate::verbs::exec::{Exec, Output};
use aftermath::Aftermath;
use capture::{Kept, Stream};
use guidance::Fared;
use history::Mark;
use report::Report;
use watch::{Outcome, Running};

/// Runs `exec`.
///
/// # Errors
/// Everything that kept the command from running, or its end from being known.
pub fn run(exec: &Exec, context: &Context) -> Result<Exit, Error> {
    if exec.detach {
        return detached(exec, context);
    }
    match exec.output {
        Output::Human => human(exec, context),
        Output::Json => json(exec, context),
    }
}

/// The command is started on a terminal that is nobody's; its id is all that is told.
fn detached(exec: &Exec, context: &Context) -> Result<Exit, Error> {
    let broker = context.broker()?;
    let session = session(exec, &broker)?;
    let command = new_id();
    let watch = Watch::start().map_err(|source| Error::io("watching for signals", source))?;
    let mut child = child::start(exec, &session.id, &command, &watch)?;
    let status = child
        .wait()
        .map_err(|source| Error::io("starting the command", source))?;
    if !status.success() {
        // The shim has said why.
        return Ok(Exit::Status(
            status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(exit::OURS),
        ));
    }
    let info: CommandInfo = broker.get(&client::path(&["sessions", &session.id, "commands", &command]))?;
    match (info.state, exec.output) {
        (CommandState::Refused, _) => Err(Error::NotRun {
            problem: "it could not enter the session; `agentsh logs` shows why".to_owned(),
        }),
        (_, Output::Human) => render::print(&format!("{command}\n")).map(|()| Exit::DONE),
        (_, Output::Json) => render::json(context, &info).map(|()| Exit::DONE),
    }
}

/// The command has our streams; a failure is looked into afterwards, so that nothing is asked about one that went well.
fn human(exec: &Exec, context: &Context) -> Result<Exit, Error> {
    // A whole id needs no question: the supervisor checks it anyway.
    let session = match is_id(&exec.session) {
        true => exec.session.clone(),
        false => session(exec, &context.broker()?)?.id,
    };
    let dir = SessionDir::new(&context.account().state_dir(), &session)?;
    let (command, mark) = (new_id(), Mark::set(&dir));
    let mut outcome = go(exec, context, &dir, &command)?;
    if outcome.end.exit_code == Some(0) {
        return Ok(Exit::DONE);
    }
    let known = context.running_broker().ok().flatten();
    let known = known.and_then(|broker| Aftermath::of(&broker, &dir, &command, &mark).ok().flatten());
    match known {
        Some(Aftermath { command, events }) => {
            outcome.timed_out |= timed_out(&command);
            let guidance = guidance::of(&command, &outcome, &events);
            if guidance.status == Fared::Blocked {
                render::say(&guidance.text(context.err));
            }
            Ok(exit_of(&outcome))
        }
        // The shim has said why it could not enter, and that was our failure, not policy.
        None if outcome.end.exit_code == Some(exit::REFUSED.into()) => Ok(Exit::Status(exit::OURS)),
        None => Ok(exit_of(&outcome)),
    }
}

/// The command writes into pipes, and one object tells everything.
fn json(exec: &Exec, context: &Context) -> Result<Exit, Error> {
    let broker = context.broker()?;
    let session = session(exec, &broker)?;
    let dir = SessionDir::new(&context.account().state_dir(), &session.id)?;
    let (command, mark) = (new_id(), Mark::set(&dir));
    let mut outcome = go(exec, context, &dir, &command)?;
    for lost in [&outcome.stdout, &outcome.stderr]
        .into_iter()
        .flatten()
        .filter_map(Kept::lost)
    {
        render::say(&format!("agentsh: output beyond the limit is lost: {lost}"));
    }
    // What was captured is nowhere else: whatever ended meanwhile, it is printed.
    let known = Aftermath::of(&broker, &dir, &command, &mark).unwrap_or_else(|error| {
        let error = render::visible(&error.to_string());
        render::say(&format!(
            "agentsh: what policy said and its events are not known: {error}"
        ));
        Some(Aftermath::unknown(&dir, &command, &exec.argv))
    });
    match known {
        Some(Aftermath { command, events }) => {
            outcome.timed_out |= timed_out(&command);
            let exit = exit_of(&outcome);
            render::json(context, &Report::new(&command, outcome, events, exec.events))?;
            Ok(exit)
        }
        // A program that is not there is the command's own end, everything else is our failure.
        None if outcome.end.exit_code == Some(exit::NOT_FOUND.into()) => {
            let (exit, command) = (
                exit_of(&outcome),
                Aftermath::unknown(&dir, &command, &exec.argv).command,
            );
            render::json(context, &Report::new(&command, outcome, Vec::new(), exec.events))?;
            Ok(exit)
        }
        None => Err(not_run(&outcome)),
    }
}

fn session(exec: &Exec, broker: &Client) -> Result<SessionInfo, Error> {
    Ok(broker.get(&client::path(&["sessions", &exec.session]))?)
}

/// What the shim said before it ended without having entered.
fn not_run(outcome: &Outcome) -> Error {
    let said = outcome
        .stderr
        .as_ref()
        .map(|kept| String::from_utf8_lossy(&kept.head).trim().to_owned());
    let said = said
        .filter(|said| !said.is_empty())
        .unwrap_or_else(|| "the shim did not say why".to_owned());
    let problem = said.strip_prefix("agentsh: ").unwrap_or(&said).to_owned();
    Error::NotRun { problem }
}

/// Starts the command and waits for its end. Captured streams that are too long go to files of the session.
fn go(exec: &Exec, context: &Context, dir: &SessionDir, command: &str) -> Result<Outcome, Error> {
    let watch = Watch::start().map_err(|source| Error::io("watching for signals", source))?;
    let started = Instant::now();
    let mut child = child::start(exec, dir.id(), command, &watch)?;
    let overflow = [
        dir.output_path(command, Name::Stdout)?,
        dir.output_path(command, Name::Stderr)?,
    ];
    let streams = streams(&mut child, overflow).map_err(|source| Error::io("capturing output", source))?;
    let running = Running {
        child,
        started,
        streams,
        timeout: exec.timeout,
    };
    let outcome = running.wait(&watch, || end(context, dir.id(), command));
    outcome.map_err(|source| Error::io("waiting for the command", source))
}

fn streams(child: &mut Child, [stdout, stderr]: [PathBuf; 2]) -> std::io::Result<[Option<Stream>; 2]> {
    let stdout = child
        .stdout
        .take()
        .map(|pipe| Stream::new(pipe.into(), stdout))
        .transpose()?;
    let stderr = child
        .stderr
        .take()
        .map(|pipe| Stream::new(pipe.into(), stderr))
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

/// Whether policy's own time for a command ended it.
fn timed_out(command: &CommandInfo) -> bool {
    command.limit.as_deref() == Some("command_timeout")
}

fn exit_of(outcome: &Outcome) -> Exit {
    match (outcome.timed_out, outcome.end.signal, outcome.end.exit_code) {
        (true, ..) => Exit::Status(exit::TIMEOUT),
        (false, Some(signal), _) => Exit::Signal(signal),
        (false, None, code) => Exit::Status(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::OURS)),
    }
}
