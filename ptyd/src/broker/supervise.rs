//! One supervisor, seen from the broker.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::rc::Rc;
use std::time::{Duration, Instant};

use agentsh_protocol::api::{ApiError, ErrorKind, SessionInfo};
use agentsh_protocol::approvals::{self, Change};
use agentsh_protocol::control::{Answer, Call, FromSupervisor, Peer, Setup, ToSupervisor};
use agentsh_protocol::frame::{self, FrameError};
use agentsh_protocol::launch::LaunchRequest;
use rustix::process::Signal;
use tokio::io::unix::AsyncFd;
use tokio::process::Child;
use tokio::sync::oneshot;

use super::watchers::Watchers;
use crate::process::Identity;
use crate::sys;

/// A supervisor that does not read for this long is stuck, and counts as dead.
const SEND_LIMIT: Duration = Duration::from_secs(5);

/// How long it may take to say what it knows.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How long a session may take to be made.
const BEGIN_LIMIT: Duration = Duration::from_secs(30);

/// A running session.
pub(super) struct Supervisor {
    pub info: RefCell<SessionInfo>,
    /// Its process.
    process: Identity,
    control: UnixStream,
    pending: RefCell<HashMap<u64, oneshot::Sender<Answer>>>,
    next_call: Cell<u64>,
    /// The commands that were started here: what is ended if the supervisor dies.
    roots: RefCell<Vec<Identity>>,
    busy: Cell<usize>,
    idle_since: Cell<Instant>,
    gone: Cell<bool>,
    /// What people are asked, and have not answered.
    asked: RefCell<BTreeSet<String>>,
    watchers: Rc<Watchers>,
}

/// What a supervisor leaves when its process has ended.
pub(super) struct Ended {
    pub supervisor: Rc<Supervisor>,
    pub status: io::Result<std::process::ExitStatus>,
}

fn failed(message: impl std::fmt::Display) -> ApiError {
    ApiError {
        error: ErrorKind::Failed,
        message: message.to_string(),
        hint: None,
    }
}

impl Supervisor {
    /// Starts a supervisor process and waits until its session stands. `ended` is called once, when
    /// the process has ended after that.
    pub(super) async fn start(
        setup: Setup,
        watchers: Rc<Watchers>,
        ended: impl FnOnce(Ended) + 'static,
    ) -> Result<Rc<Supervisor>, ApiError> {
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        ours.set_write_timeout(Some(SEND_LIMIT)).map_err(failed)?;
        let mut child = tokio::process::Command::new("/proc/self/exe")
            .arg("supervise")
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(format!("cannot start a supervisor: {error}")))?;
        frame::send(&ours, &ToSupervisor::Begin { setup: Box::new(setup) }, &[]).map_err(failed)?;
        let reader = sys::readable(ours.try_clone().map_err(failed)?.into()).map_err(failed)?;
        let info = match begin(&reader).await {
            Ok(info) => info,
            Err(error) => {
                // What it has made is nobody's once this returns, so it must not make more.
                if tokio::time::timeout(SEND_LIMIT, child.wait()).await.is_err() {
                    let _ = child.kill().await;
                }
                return Err(error);
            }
        };
        let pid = child.id().ok_or_else(|| failed("the supervisor died"))?;
        let supervisor = Rc::new(Supervisor {
            process: Identity::of(pid as i32).map_err(|error| unseen(&error))?,
            info: RefCell::new(*info),
            control: ours,
            pending: RefCell::default(),
            next_call: Cell::new(0),
            roots: RefCell::default(),
            busy: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            gone: Cell::new(false),
            asked: RefCell::default(),
            watchers,
        });
        tokio::task::spawn_local(Rc::clone(&supervisor).listen(reader, child, ended));
        Ok(supervisor)
    }

    async fn listen(self: Rc<Self>, reader: AsyncFd<OwnedFd>, mut child: Child, ended: impl FnOnce(Ended)) {
        while let Ok(message) = receive(&reader).await {
            match message {
                FromSupervisor::Answer { id, answer } => {
                    if let Some(waiting) = self.pending.borrow_mut().remove(&id) {
                        let _ = waiting.send(*answer);
                    }
                }
                FromSupervisor::Busy { commands } => self.set_busy(commands),
                FromSupervisor::Info { info } => *self.info.borrow_mut() = *info,
                FromSupervisor::Approval { change } => self.tell(&change),
                FromSupervisor::Ready { .. } | FromSupervisor::Failed { .. } => break,
            }
        }
        self.gone.set(true);
        // Whoever waits for an answer learns that none comes, and whoever is asked that none is needed.
        self.pending.borrow_mut().clear();
        let asked = self.asked.take();
        for id in asked {
            self.tell(&Change::Resolved {
                id,
                answer: approvals::Answer::Deny,
                by: "session_end".to_owned(),
            });
        }
        // A supervisor that closed its socket has ended, or does not do its work any more.
        if tokio::time::timeout(SEND_LIMIT, child.wait()).await.is_err() {
            let _ = child.start_kill();
        }
        let status = child.wait().await;
        ended(Ended {
            supervisor: self,
            status,
        });
    }

    /// Tells those who watch this session.
    fn tell(&self, change: &Change) {
        match change {
            Change::Asked { approval } => self.asked.borrow_mut().insert(approval.id.clone()),
            Change::Resolved { id, .. } => self.asked.borrow_mut().remove(id),
        };
        self.watchers.tell(&self.id(), change);
    }

    fn set_busy(&self, commands: usize) {
        if commands == 0 && self.busy.get() > 0 {
            self.idle_since.set(Instant::now());
        }
        self.busy.set(commands);
        self.info.borrow_mut().commands_running = commands;
        self.roots.borrow_mut().retain(|root| root.lives());
    }

    /// The session's id.
    pub(super) fn id(&self) -> String {
        self.info.borrow().id.clone()
    }

    /// How long nothing has run here; `None` while something does.
    pub(super) fn idle(&self) -> Option<Duration> {
        (self.busy.get() == 0).then(|| self.idle_since.get().elapsed())
    }

    /// Whether its process is there and talks to us.
    pub(super) fn is_alive(&self) -> bool {
        !self.gone.get()
    }

    /// The commands that were started in this session and may live.
    pub(super) fn roots(&self) -> Vec<Identity> {
        self.roots.borrow().clone()
    }

    /// Hands a shim's connection over.
    pub(super) fn launch(
        &self,
        request: LaunchRequest,
        peer: Peer,
        connection: BorrowedFd<'_>,
        pidfd: BorrowedFd<'_>,
    ) -> Result<(), FrameError> {
        let pid = peer.pid;
        frame::send(
            &self.control,
            &ToSupervisor::Launch {
                request: Box::new(request),
                peer,
            },
            &[connection, pidfd],
        )?;
        self.idle_since.set(Instant::now());
        // The caller waits for its supervisor, not for this; one that is gone by now is no root.
        if let Ok(identity) = Identity::of(pid) {
            self.roots.borrow_mut().push(identity);
        }
        Ok(())
    }

    /// Asks for what it knows, or tells it something: what is answered at once, or never.
    pub(super) async fn ask(&self, call: Call) -> Result<Answer, ApiError> {
        match tokio::time::timeout(ANSWER_LIMIT, self.call(call)).await {
            Ok(answer) => answer,
            Err(_) => Err(ApiError {
                hint: Some(format!("`agentsh kill {}` ends the session", self.id())),
                ..failed(format_args!(
                    "the session's supervisor (process {}) does not answer",
                    self.process.pid
                ))
            }),
        }
    }

    /// Has it do something, and waits for the answer as long as it takes.
    pub(super) async fn call(&self, call: Call) -> Result<Answer, ApiError> {
        self.call_with(call, &[]).await
    }

    /// The same with descriptors.
    pub(super) async fn call_with(&self, call: Call, fds: &[OwnedFd]) -> Result<Answer, ApiError> {
        let id = self.next_call.get();
        self.next_call.set(id + 1);
        let (answer, waiting) = oneshot::channel();
        self.pending.borrow_mut().insert(id, answer);
        let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
        frame::send(&self.control, &ToSupervisor::Call { id, call }, &fds)
            .map_err(|error| failed(format!("the session's supervisor does not answer: {error}")))?;
        tokio::select! {
            answer = waiting => match answer {
                Ok(Answer::Error { error }) => Err(error),
                Ok(answer) => Ok(answer),
                Err(_) => Err(failed("the session's supervisor ended")),
            },
            () = self.process.stays_stopped() => Err(ApiError {
                hint: Some(format!("`kill -CONT {}`, or `agentsh kill {}`", self.process.pid, self.id())),
                ..failed(format_args!("the session's supervisor (process {}) is stopped", self.process.pid))
            }),
        }
    }

    /// Ends it at once; its session is then ended from outside.
    pub(super) fn kill(&self) {
        self.process.signal(Signal::KILL);
    }
}

/// A supervisor shows nobody what is in its memory, and a procfs with `hidepid` shows no such process to its own user.
fn unseen(error: &io::Error) -> ApiError {
    failed(format_args!(
        "/proc does not show this session's supervisor ({error}): if it is mounted with hidepid, a gid= of a group of this user's shows it"
    ))
}

/// Waits until the session stands.
async fn begin(reader: &AsyncFd<OwnedFd>) -> Result<Box<SessionInfo>, ApiError> {
    match tokio::time::timeout(BEGIN_LIMIT, receive(reader)).await {
        Ok(Ok(FromSupervisor::Ready { info })) => Ok(info),
        Ok(Ok(FromSupervisor::Failed { error })) => Err(error),
        Ok(Ok(_)) => Err(failed("the supervisor answered out of turn")),
        Ok(Err(error)) => Err(failed(format!(
            "the supervisor died while it made the session: {error}"
        ))),
        Err(_) => Err(failed("the session could not be made in time")),
    }
}

/// One message. A frame is sent in one piece, so that what follows the first byte is there or coming.
async fn receive(reader: &AsyncFd<OwnedFd>) -> Result<FromSupervisor, FrameError> {
    // Readiness is reported once for any number of frames: look before waiting.
    while !sys::has_input(reader.get_ref().as_fd()) {
        let mut guard = reader.readable().await.map_err(|source| FrameError::Io {
            call: "epoll_wait",
            source,
        })?;
        guard.clear_ready();
    }
    frame::receive(reader.get_ref()).map(|(message, _)| message)
}
