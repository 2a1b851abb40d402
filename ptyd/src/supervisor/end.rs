//! Ends: of one command's process, and of the session.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agentsh_audit::{EventDraft, EventType, Value};
use agentsh_protocol::api::Killed;
use tokio::sync::mpsc::UnboundedReceiver;

use super::control::Notice;
use super::session::Session;
use super::{limits, stragglers};
use crate::process::{self, Identity};
use crate::sys;

/// How long the ends of killed commands may take to be reported.
const LAST_ENDS: Duration = Duration::from_secs(3);

/// How long a zombie's parent may leave it before its end is taken as unknown.
const REAPED: Duration = Duration::from_secs(2);

/// Waits for a process that is nobody's child here; its wait status, if the kernel says it.
pub(super) async fn wait(pidfd: OwnedFd) -> Option<i32> {
    let pidfd = sys::readable(pidfd).ok()?;
    let _ = pidfd.readable().await.ok()?;
    // The status is there once the parent has reaped it, which it does in its own time.
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_micros(100);
    while waited < REAPED {
        if let Some(status) = sys::exit_status(pidfd.get_ref().as_fd()) {
            return Some(status);
        }
        tokio::time::sleep(pause).await;
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    None
}

/// Kills every process of the session.
pub(super) fn kill_all(session: &Session) -> Killed {
    session.begin_end();
    for group in session.groups.all() {
        group.kill();
    }
    Killed {
        sessions: 1,
        ..kill(session, None)
    }
}

/// What those who were killed get to end before it is looked again.
const AFTER_PASS: Duration = Duration::from_millis(2);

/// Within this the kernel mostly says so; later it is looked who else there is.
const AT_ONCE: Duration = Duration::from_millis(20);

/// How long the kernel may take to say that nobody is left, once all known are gone. Where zombies keep a filter in use
/// (before Linux 6.11) it says so later.
const SOON: Duration = Duration::from_secs(1);

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Kills the processes of a command, or of all, with their descendants, until the kernel says that nobody lives under
/// the filter any more.
///
/// No call of theirs is answered from here on: none of them starts another program. Who makes no notified call (a fork is
/// none) and is nobody's descendant is known by what it executes; who cannot be known by that either is killed at its
/// next call, and counts as left until then.
pub(super) fn kill(session: &Session, command: Option<&str>) -> Killed {
    session.shared.members.hold(command);
    let begun = Instant::now();
    let (mut processes, mut gone) = (0, None);
    let known = || match command {
        Some(id) => session.processes_of(id),
        None => session.processes(),
    };
    let is_over = || match command {
        Some(id) => !session.is_served(id),
        None => !session.is_busy(),
    };
    while begun.elapsed() < LIMIT {
        let living: Vec<Identity> = known().into_iter().filter(|process| process.lives()).collect();
        if !living.is_empty() {
            processes += process::end_trees(living);
            gone = None;
        } else if is_over() {
            return killed(processes, 0);
        } else {
            let gone_for = gone.get_or_insert_with(Instant::now).elapsed();
            if gone_for > SOON {
                break;
            }
            if gone_for > AT_ONCE
                && let unseen @ 1.. = stragglers::end(&session.shared.members.guards(command))
            {
                processes += unseen;
                gone = None;
            }
        }
        // The kernel ends each in its own time.
        std::thread::sleep(AFTER_PASS);
    }
    tracing::error!(command, "something of it may live, and cannot be found");
    killed(processes, 1)
}

fn killed(processes: usize, left: usize) -> Killed {
    Killed {
        sessions: 0,
        processes,
        left,
    }
}

/// Lets the ends of the commands come in.
pub(super) async fn await_commands(session: &Arc<Session>, notices: &mut UnboundedReceiver<Notice>) {
    let limit = tokio::time::sleep(LAST_ENDS);
    tokio::pin!(limit);
    while session.any_running() {
        tokio::select! {
            () = &mut limit => return,
            Some(notice) = notices.recv() => if let Notice::Started { command, pidfd } = notice {
                let status = wait(pidfd).await;
                session.command_ended(&command, status);
            },
            () = tokio::time::sleep(Duration::from_millis(2)) => {}
        }
    }
}

/// How long recordings may take to be closed.
const LAST_BYTES: Duration = Duration::from_secs(5);

/// Closes recordings and record.
pub(super) fn close(session: &Session, reason: &str) -> io::Result<()> {
    session.settle_files();
    for command in session.groups.commands() {
        limits::tell(session, &command, true);
    }
    let (own, shared) = (session.groups.all(), session.enclosures.all());
    let shared = shared.iter().map(|enclosure| enclosure.group());
    for group in own
        .iter()
        .map(AsRef::as_ref)
        .chain(shared)
        .filter(|group| !limits::close(group))
    {
        let folders: Vec<String> = group.folders().map(|folder| folder.display().to_string()).collect();
        tracing::error!("a control group is still in use: {}", folders.join(", "));
    }
    session.terminals.close_all(LAST_BYTES);
    let network = &session.shared.engine;
    network.stop();
    let counters = network.counters();
    session
        .recorder
        .emit(EventDraft {
            fields: &[
                ("reason", Value::Text(reason)),
                ("connections_closed", Value::Unsigned(counters.closed)),
                ("ends_lost", Value::Unsigned(counters.lost)),
            ],
            ..EventDraft::new(EventType::SessionDestroyed)
        })
        .and_then(|()| session.recorder.seal())
        .map_err(io::Error::other)?;
    session.close_info().map_err(io::Error::other)
}
