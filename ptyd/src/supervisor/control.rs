//! The supervisor's main loop: the broker's requests, ends of commands, signals.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use agentsh_intercept::OwnSocket;
use agentsh_protocol::approvals::Change;
use agentsh_protocol::control::{Answer, Call, FromSupervisor, ToSupervisor};
use agentsh_protocol::frame::{self, FrameError};
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::AbortHandle;

use super::follow::Followed;
use super::inside::{self, Insider};
use super::launch::{self, Launch};
use super::limits::{self, Clock};
use super::make::Made;
use super::mounts::Mounts;
use super::session::Session;
use super::{calls, end};
use crate::sys;

/// What other threads tell the loop.
pub(crate) enum Notice {
    /// A command started; its pidfd is to be watched.
    Started { command: String, pidfd: OwnedFd },
    /// A process of the session has connected to one of the broker's sockets.
    Inside {
        socket: OwnSocket,
        stream: UnixStream,
        insider: Insider,
    },
    /// Nobody of a command lives any more.
    Gone { command: String },
    /// How many commands have living processes now.
    Busy(usize),
    /// What is known of the session has changed.
    Info,
    /// A person is asked, or is not any more.
    Approval(Change),
}

/// Serves until the session is to end, then ends it.
pub(super) fn serve(made: Made, control: OwnedFd) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(made, control))
}

async fn run(made: Made, control: OwnedFd) -> io::Result<()> {
    let Made { session, mut notices } = made;
    let control = sys::readable(control)?;
    let mut terminate = signal(SignalKind::terminate())?;
    send(
        &control,
        &FromSupervisor::Ready {
            info: Box::new(session.info()),
        },
    );
    let mounts = watch_mounts();
    let mut policy = Followed::new(&session);
    let mut broker_lives = true;
    let mut busy = 0;
    let mut clock = Clock::start();
    let mut timers = Timers::default();
    let reason = loop {
        tokio::select! {
            message = receive(&control), if broker_lives => match message {
                Ok((ToSupervisor::Launch { request, peer }, fds)) => start(&session, *request, peer, fds),
                Ok((ToSupervisor::Call { id, call: Call::End { reason } }, _)) => {
                    let killed = finish(&session, &mut notices, &reason).await?;
                    send(&control, &FromSupervisor::Answer { id, answer: Box::new(Answer::Killed { killed }) });
                    return Ok(());
                }
                Ok((ToSupervisor::Call { id, call }, fds)) => {
                    let answer = Box::new(calls::answer(&session, call, fds));
                    send(&control, &FromSupervisor::Answer { id, answer });
                }
                Ok((ToSupervisor::Begin { .. }, _)) => break "the broker began twice",
                // The commands go on; nobody can start one here any more, so the last one's end is ours.
                Err(_) => {
                    broker_lives = false;
                    if busy == 0 {
                        break "its broker died";
                    }
                }
            },
            Some(notice) = notices.recv() => match notice {
                Notice::Started { command, pidfd } => {
                    timers.start(&session, &command);
                    watch_end(&session, command, pidfd);
                }
                Notice::Gone { command } => timers.stop(&session, &command),
                Notice::Inside { socket, stream, insider } => inside::accept(&session, socket, stream, insider),
                Notice::Info => send(&control, &FromSupervisor::Info { info: Box::new(session.info()) }),
                Notice::Approval(change) => send(&control, &FromSupervisor::Approval { change }),
                Notice::Busy(commands) => {
                    busy = commands;
                    clock.busy(commands);
                    send(&control, &FromSupervisor::Busy { commands });
                    if commands == 0 && !broker_lives {
                        break "its broker died";
                    }
                }
            },
            () = policy.changed() => policy.take(&session),
            // Names may fold elsewhere now, and other files may lie where the policy's lay.
            () = mounted(mounts.as_ref()) => policy.take(&session),
            limit = clock.over(&session) => {
                limits::ask_to_end(&session).await;
                break limit;
            }
            _ = terminate.recv() => break "terminated",
        }
    };
    finish(&session, &mut notices, reason).await.map(drop)
}

/// What runs beside the loop for each command that is limited.
#[derive(Default)]
struct Timers(HashMap<String, Vec<AbortHandle>>);

impl Timers {
    fn start(&mut self, session: &Arc<Session>, command: &str) {
        let mut handles = Vec::new();
        if let Some(limit) = session.rules().limited.command {
            let task = limits::run_out(Arc::clone(session), command.to_owned(), limit);
            handles.push(tokio::task::spawn_local(task).abort_handle());
        }
        if session.groups.of(command).is_some() {
            let task = limits::watch(Arc::clone(session), command.to_owned());
            handles.push(tokio::task::spawn_local(task).abort_handle());
        }
        if !handles.is_empty() {
            self.0.insert(command.to_owned(), handles);
        }
    }

    /// Nobody is left to be limited: what was reached is told, and the group goes.
    fn stop(&mut self, session: &Arc<Session>, command: &str) {
        for handle in self.0.remove(command).unwrap_or_default() {
            handle.abort();
        }
        if session.groups.of(command).is_some() {
            limits::tell(session, command, true);
            tokio::task::spawn_local(sweep(Arc::clone(session)));
        }
    }
}

/// Removes the groups of commands that are over. Their last processes may still be on their way out.
async fn sweep(session: Arc<Session>) {
    let mut pause = Duration::from_millis(1);
    let is_over = |command: &str| !session.is_served(command);
    while !session.groups.sweep(is_over) && pause < LONGEST_SWEEP {
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// A group that is in use for longer is left to the session's end.
const LONGEST_SWEEP: Duration = Duration::from_secs(10);

async fn mounted(mounts: Option<&Mounts>) {
    let told = match mounts {
        Some(mounts) => mounts.changed().await,
        None => std::future::pending().await,
    };
    if let Err(error) = told {
        tracing::error!("watching the mounts: {error}");
        std::future::pending::<()>().await;
    }
}

/// Without a watch rules hold for the spellings that they held for when they were read.
fn watch_mounts() -> Option<Mounts> {
    Mounts::new()
        .inspect_err(|error| tracing::error!("changes of the mounts are not noticed: {error}"))
        .ok()
}

async fn finish(
    session: &Arc<Session>,
    notices: &mut UnboundedReceiver<Notice>,
    reason: &str,
) -> io::Result<agentsh_protocol::api::Killed> {
    let killed = end::kill_all(session);
    // Ends that are already known to the kernel are recorded before the record is closed.
    end::await_commands(session, notices).await;
    end::close(session, reason)?;
    Ok(killed)
}

/// Has the command taken in, and then served, by a thread of its own.
fn start(
    session: &Arc<Session>,
    request: agentsh_protocol::launch::LaunchRequest,
    peer: agentsh_protocol::control::Peer,
    fds: Vec<OwnedFd>,
) {
    let Ok([connection, pidfd]) = <[OwnedFd; 2]>::try_from(fds) else {
        tracing::error!("a launch came without its descriptors");
        return;
    };
    let launch = Launch {
        request,
        peer,
        connection,
        pidfd,
    };
    let own = Arc::clone(session);
    if let Err(error) = session.launchers.run(move || launch::launch(&own, launch)) {
        tracing::error!("no thread for a launch: {error}");
    }
}

/// Records the end of the command's own process when it comes.
fn watch_end(session: &Arc<Session>, command: String, pidfd: OwnedFd) {
    let session = Arc::clone(session);
    tokio::task::spawn_local(async move {
        let status = end::wait(pidfd).await;
        session.command_ended(&command, status);
    });
}

/// A broker that is gone needs no answer.
fn send(control: &AsyncFd<OwnedFd>, message: &FromSupervisor) {
    if let Err(error) = frame::send(control.get_ref(), message, &[]) {
        tracing::debug!("telling the broker: {error}");
    }
}

async fn receive(control: &AsyncFd<OwnedFd>) -> Result<(ToSupervisor, Vec<OwnedFd>), FrameError> {
    // Readiness is reported once for any number of frames: look before waiting.
    while !sys::has_input(control.get_ref().as_fd()) {
        let mut guard = control.readable().await.map_err(|source| FrameError::Io {
            call: "epoll_wait",
            source,
        })?;
        guard.clear_ready();
    }
    frame::receive(control.get_ref())
}
