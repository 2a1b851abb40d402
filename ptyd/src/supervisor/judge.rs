//! Policy and record as the interception of one command asks and tells them.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use agentsh_audit::{Argv, EventDraft, EventType, Layer, Outcome, Value};
use agentsh_intercept::files::FileEngine;
use agentsh_intercept::{
    Beginning, Errno, ExecRequest, ExecSettled, Fork, Guard, Guarded, Handler, Judge, Observer, Reach, Requests,
    Serving, Signals, SocketJudge, Sockets, Subject, Table,
};
use agentsh_sandbox::hull::Hull;

use super::execs::words;
use super::session::Session;

/// The judge and observer of one command.
pub(crate) struct CommandJudge {
    session: Arc<Session>,
    command: String,
    /// What its ruleset lets its processes do.
    hull: Arc<Hull>,
    /// The walls around it.
    pub(super) ruleset: OwnedFd,
    /// Whether the wall in the kernel is one of them.
    pub(super) walled: bool,
}

/// What a command went behind.
pub(crate) struct Walls {
    pub hull: Arc<Hull>,
    pub ruleset: OwnedFd,
    /// Which rules they were made from.
    pub generation: u64,
    /// Whether the wall in the kernel is around it.
    pub walled: bool,
}

impl CommandJudge {
    /// Serves the listener of a command that begins so, until nobody lives under its filter; then `at_end` is called. The guard knows the command's processes.
    pub(crate) fn serve(
        session: &Arc<Session>,
        command: &str,
        beginning: &Beginning,
        listener: OwnedFd,
        walls: Walls,
        at_end: impl FnOnce() + Send + 'static,
    ) -> io::Result<(Arc<Guard>, Serving)> {
        let judge = Arc::new(CommandJudge {
            session: Arc::clone(session),
            command: command.to_owned(),
            hull: Arc::clone(&walls.hull),
            ruleset: walls.ruleset,
            walled: walls.walled,
        });
        let shared = &session.shared;
        let mut table = Table::new();
        let Some(files) = shared.files.get() else {
            return Err(io::Error::other("the session has no file engine"));
        };
        let files: Arc<dyn Handler> = Arc::clone(files) as Arc<dyn Handler>;
        table.insert(&FileEngine::numbers(), &files);
        let sockets: Arc<dyn Handler> = Arc::new(Sockets::new(
            Arc::clone(&shared.locator),
            Arc::clone(&judge) as Arc<dyn SocketJudge>,
            Arc::clone(&shared.inside),
            Arc::clone(&shared.endpoints),
        ));
        table.insert(&Sockets::CALLS, &sockets);
        let guard = Guard::new(
            beginning,
            Arc::clone(&shared.locator),
            Arc::clone(&judge) as Arc<dyn Judge>,
            Arc::clone(&judge) as Arc<dyn Observer>,
        );
        let signals: Arc<dyn Handler> = Arc::new(Signals::new(Arc::clone(&guard), Arc::clone(&judge) as _));
        table.insert(&Signals::CALLS, &signals);
        let reach = Arc::new(Reach::new(Arc::clone(&guard), judge));
        let requests: Arc<dyn Handler> = Arc::new(Requests::new(Arc::clone(&reach), files));
        table.insert(&[libc::SYS_ioctl], &requests);
        let reach: Arc<dyn Handler> = reach;
        table.insert(&Reach::BY_FIRST, &reach);
        table.insert(&Reach::BY_KIND, &reach);
        table.insert(&[libc::SYS_fcntl], &reach);
        shared.members.add(command, &guard, walls.hull, walls.generation);
        let handler = Arc::new(Guarded::new(Arc::clone(&guard), Arc::new(table)));
        let serving = agentsh_intercept::prepare(listener, handler, at_end)?;
        Ok((guard, serving))
    }

    /// The command's id.
    pub(super) fn command(&self) -> &str {
        &self.command
    }

    /// The session that it belongs to.
    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// What the kernel lets its processes do.
    pub(super) fn hull(&self) -> &Hull {
        &self.hull
    }

    pub(super) fn draft<'a>(&'a self, kind: EventType, pid: i32) -> EventDraft<'a> {
        EventDraft {
            command: Some(&self.command),
            pid,
            layer: Some(Layer::Notify),
            ..EventDraft::new(kind)
        }
    }

    /// Tells what cannot be refused any more.
    pub(super) fn note(&self, draft: EventDraft<'_>) {
        if let Err(error) = self.session.emit(draft) {
            tracing::error!(command = self.command, "recording {}: {error}", draft.kind.as_str());
        }
    }

    pub(super) fn exec_draft<'a>(
        &'a self,
        request: &ExecRequest<'_>,
        subject: &'a Subject,
        argv: &'a [&'a [u8]],
    ) -> EventDraft<'a> {
        EventDraft {
            ppid: request.ppid,
            exe: subject.place.path().map(|path| path.as_os_str().as_bytes()),
            argv: Argv::Slices(argv),
            operation: Some("exec"),
            path: Some(subject.called.as_bytes()),
            ..self.draft(EventType::ProcessExec, request.tgid)
        }
    }
}

impl Observer for CommandJudge {
    fn forked(&self, fork: Fork) {
        self.note(EventDraft {
            ppid: fork.ppid,
            fields: &[("start_time", Value::Unsigned(fork.started))],
            ..self.draft(EventType::ProcessFork, fork.tgid)
        });
    }

    fn exited(&self, tgid: i32, status: u8) {
        self.session.settle_files();
        self.note(EventDraft {
            fields: &[("exit_code", Value::Unsigned(status.into()))],
            ..self.draft(EventType::ProcessExit, tgid)
        });
    }

    fn exec_refused(&self, request: &ExecRequest<'_>, errno: Errno) {
        let Some(subject) = request.subjects.first() else {
            return;
        };
        let argv = words(&subject.argv);
        self.note(EventDraft {
            policy: Some(Outcome::deny(
                None,
                Some("a file without a name (a memory file, a deleted file) does not run"),
            )),
            result: Some(errno.raw_os_error()),
            ..self.exec_draft(request, subject, &argv)
        });
    }

    fn exec_settled(&self, tgid: i32, settled: &ExecSettled) {
        let (subjects, killed) = match settled {
            ExecSettled::Ran | ExecSettled::Failed => return,
            ExecSettled::Replaced(subjects) => (subjects, false),
            ExecSettled::Killed(subjects) => (subjects, true),
        };
        let first = subjects.first();
        let argv = first.map(|subject| words(&subject.argv)).unwrap_or_default();
        let message = "something else ran than what was judged";
        self.note(EventDraft {
            exe: first
                .and_then(|subject| subject.place.path())
                .map(|path| path.as_os_str().as_bytes()),
            argv: Argv::Slices(&argv),
            operation: Some("exec"),
            policy: Some(if killed {
                Outcome::deny(None, Some(message))
            } else {
                Outcome {
                    message: Some(message),
                    ..Outcome::allow(None)
                }
            }),
            fields: &[("verified", Value::Bool(false)), ("killed", Value::Bool(killed))],
            ..self.draft(EventType::ProcessExec, tgid)
        });
    }
}
