//! What all commands of a session share.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use agentsh_audit::{Decision, EventDraft, EventType, Health, Outcome, RecordError, Recorder, SessionDir, Value};
use agentsh_intercept::{Beginning, Serving};
use agentsh_policy::config::Config;
use agentsh_protocol::api::{CommandInfo, CommandState, Killed, PolicyOutcome, SessionInfo, SessionState};
use agentsh_protocol::places::Account;
use agentsh_sandbox::cgroup::Group;
use tokio::sync::mpsc::UnboundedSender;

use super::approvals::{self, Approvals};
use super::command::{Command, Commands};
use super::control::Notice;
use super::end;
use super::judge::{CommandJudge, Walls};
use super::launchers::Launchers;
use super::limits::{Enclosures, Groups};
use super::network::Passing;
use super::pipes::Pipes;
use super::policy::Choice;
use super::proof::Proof;
use super::proxy::SessionProxy;
use super::rules::Rules;
use super::shared::Shared;
use super::terminal::Terminals;
use crate::process::Identity;

/// One session.
pub(crate) struct Session {
    pub id: String,
    pub account: Account,
    pub config: Config,
    pub workspace: Option<PathBuf>,
    pub dir: SessionDir,
    pub recorder: Recorder,
    pub proof: Proof,
    pub choice: Choice,
    pub shared: Shared,
    pub approvals: Approvals,
    /// The control groups of its commands.
    pub groups: Groups,
    /// Those that its commands share behind the wall.
    pub enclosures: Enclosures,
    /// Connections that the wall is about to judge.
    pub passing: Passing,
    pub launchers: Launchers,
    pub terminals: Terminals,
    pub pipes: Pipes,
    pub proxy: SessionProxy,
    notices: UnboundedSender<Notice>,
    rules: RwLock<Arc<Rules>>,
    info: Mutex<SessionInfo>,
    commands: Mutex<Commands>,
    /// Set once the session ends: nothing starts any more.
    ending: AtomicBool,
    generation: AtomicU64,
}

/// How long an answer from the record may wait for what is on its way there.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// Why no command may start now: a line for its caller.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotNow {
    #[error("the session is ending")]
    Ending,
    #[error("the session takes no command while its record cannot be written: {0}")]
    Record(String),
}

/// Locks whose holders never leave them half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who is in some groups now.
fn members(groups: impl IntoIterator<Item = Arc<Group>>) -> Vec<Identity> {
    let pids = groups.into_iter().flat_map(|group| group.processes());
    pids.filter_map(|pid| Identity::of(pid).ok()).collect()
}

/// The parts that [`Session::new`] is made from.
pub(crate) struct Parts {
    pub account: Account,
    pub config: Config,
    pub workspace: Option<PathBuf>,
    pub dir: SessionDir,
    pub recorder: Recorder,
    pub proof: Proof,
    pub choice: Choice,
    pub shared: Shared,
    pub notices: UnboundedSender<Notice>,
    pub rules: Rules,
    pub info: SessionInfo,
}

impl Session {
    pub(crate) fn new(parts: Parts) -> Session {
        Session {
            id: parts.info.id.clone(),
            account: parts.account,
            config: parts.config,
            workspace: parts.workspace,
            dir: parts.dir,
            recorder: parts.recorder,
            proof: parts.proof,
            choice: parts.choice,
            shared: parts.shared,
            approvals: Approvals::default(),
            groups: Groups::default(),
            enclosures: Enclosures::default(),
            passing: Passing::default(),
            launchers: Launchers::default(),
            terminals: Terminals::default(),
            pipes: Pipes::default(),
            proxy: SessionProxy::default(),
            notices: parts.notices,
            rules: RwLock::new(Arc::new(parts.rules)),
            info: Mutex::new(parts.info),
            commands: Mutex::default(),
            ending: AtomicBool::new(false),
            generation: AtomicU64::new(0),
        }
    }

    /// The rules in force now.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts the changes of the rules.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Puts other rules in force, for every judgement from now on.
    pub(crate) fn set_rules(&self, rules: Rules, not_held: Vec<String>, not_observed: Vec<String>) {
        {
            let mut info = lock(&self.info);
            info.policy = rules.policy.name().to_owned();
            info.not_held = not_held;
            info.not_observed = not_observed;
            info.policy_refused = None;
            self.write_info(&info);
        }
        self.generation.fetch_add(1, Ordering::AcqRel);
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        self.tell(Notice::Info);
    }

    /// Keeps in mind why a changed policy is not taken; whether that is news.
    pub(crate) fn refuse_policy(&self, why: &str) -> bool {
        {
            let mut info = lock(&self.info);
            if info.policy_refused.as_deref() == Some(why) {
                return false;
            }
            info.policy_refused = Some(why.to_owned());
            self.write_info(&info);
        }
        self.tell(Notice::Info);
        true
    }

    /// Whether the policy that its files say now was not taken.
    pub(crate) fn is_policy_refused(&self) -> bool {
        lock(&self.info).policy_refused.is_some()
    }

    fn write_info(&self, info: &SessionInfo) {
        if let Err(error) = self.dir.write_info(info) {
            tracing::error!("writing the session's state: {error}");
        }
    }

    /// Whether a command may start.
    pub(crate) fn may_start(&self) -> Result<(), NotNow> {
        if self.ending.load(Ordering::Acquire) {
            return Err(NotNow::Ending);
        }
        self.may_record()
    }

    /// Whether the record takes what happens.
    fn may_record(&self) -> Result<(), NotNow> {
        match self.recorder.health() {
            Health::Good => Ok(()),
            Health::Full { message } | Health::Failed { message } => Err(NotNow::Record(message)),
        }
    }

    /// Nothing starts from now on.
    pub(crate) fn begin_end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    pub(crate) fn has_command(&self, id: &str) -> bool {
        lock(&self.commands).contains(id)
    }

    pub(crate) fn insert(&self, command: Command) {
        lock(&self.commands).insert(command);
    }

    /// A command that was let in and failed on its way.
    pub(crate) fn command_never_ran(&self, id: &str) {
        if let Some(command) = lock(&self.commands).get_mut(id) {
            command.info.state = CommandState::Refused;
            command.info.exit_code = Some(126);
            command.served = false;
        }
        self.groups.entered(id);
        self.tell(Notice::Gone { command: id.to_owned() });
        self.tell_busy();
    }

    /// Prepares to serve a command's notifications until its last process is gone.
    pub(crate) fn serve(
        self: &Arc<Self>,
        id: &str,
        beginning: &Beginning,
        listener: OwnedFd,
        walls: Walls,
    ) -> io::Result<Serving> {
        let (session, command) = (Arc::clone(self), id.to_owned());
        let (guard, serving) =
            CommandJudge::serve(self, id, beginning, listener, walls, move || session.all_gone(&command))?;
        if let Some(command) = lock(&self.commands).get_mut(id) {
            command.guard = Some(guard);
        }
        Ok(serving)
    }

    /// Nobody lives under a command's filter any more.
    fn all_gone(&self, id: &str) {
        if let Some(command) = lock(&self.commands).get_mut(id) {
            command.served = false;
            command.guard = None;
        }
        self.tell(Notice::Gone { command: id.to_owned() });
        self.tell_busy();
    }

    /// Whether a command has living processes.
    pub(crate) fn is_served(&self, id: &str) -> bool {
        lock(&self.commands).get_mut(id).is_some_and(|command| command.served)
    }

    /// Whether any command has.
    pub(crate) fn is_busy(&self) -> bool {
        lock(&self.commands).served() > 0
    }

    /// A command is ended because it reached a limit.
    pub(crate) fn mark_limit(&self, id: &str, limit: &str) {
        if let Some(command) = lock(&self.commands).get_mut(id) {
            command.info.limit = Some(limit.to_owned());
        }
    }

    /// A command runs: its own end is to be watched and recorded.
    pub(crate) fn command_runs(&self, id: &str, pidfd: OwnedFd) {
        self.tell(Notice::Started {
            command: id.to_owned(),
            pidfd,
        });
        self.tell_busy();
    }

    /// The command's own process has ended with this wait status; `None` if the kernel did not say.
    pub(crate) fn command_ended(&self, id: &str, status: Option<i32>) {
        let (code, signal) = match status {
            Some(status) if libc::WIFSIGNALED(status) => (None, Some(libc::WTERMSIG(status))),
            Some(status) => (Some(libc::WEXITSTATUS(status)), None),
            None => (None, None),
        };
        let (mut pid, mut limit) = (0, None);
        if let Some(command) = lock(&self.commands).get_mut(id) {
            command.info.state = CommandState::Finished;
            command.info.ended = Some(agentsh_audit::time::now_rfc3339());
            command.info.exit_code = code;
            command.info.signal = signal;
            pid = command.info.pid;
            limit.clone_from(&command.info.limit);
        }
        let mut fields = Vec::new();
        match (code, signal) {
            (Some(code), _) => fields.push(("exit_code", Value::Signed(code.into()))),
            (None, Some(_)) => {}
            (None, None) => fields.push(("end", Value::Text("unknown: the kernel did not say how it ended"))),
        }
        if let Some(limit) = &limit {
            fields.push(("limit", Value::Text(limit)));
        }
        // What the kernel has let through or stopped meanwhile comes first.
        self.shared.engine.settle();
        let draft = EventDraft {
            command: Some(id),
            pid,
            signal,
            fields: &fields,
            ..EventDraft::new(EventType::CommandFinished)
        };
        if let Err(error) = self.recorder.emit(draft) {
            tracing::error!(command = id, "recording its end: {error}");
        }
        self.terminals.command_ended(id, status);
    }

    /// Ends a command with everything that it started.
    pub(crate) fn end_command(&self, id: &str) -> Killed {
        end::kill(self, Some(id))
    }

    /// The process that its caller takes for the command was killed: so is the command.
    pub(crate) fn relay_lost(&self, id: &str) {
        let root = lock(&self.commands).get_mut(id).and_then(|command| {
            let running = command.info.state == CommandState::Running;
            command.root.filter(|_| running)
        });
        if let Some(root) = root {
            root.kill_group();
        }
        self.terminals.hang_up(id);
    }

    /// Records which variables policy kept from a command: names, never values.
    pub(crate) fn environment_filtered(&self, id: &str, pid: i32, names: &[String]) -> Result<(), RecordError> {
        if names.is_empty() {
            return Ok(());
        }
        let distinct: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let distinct: Vec<&str> = distinct.into_iter().collect();
        self.recorder.emit(EventDraft {
            command: Some(id),
            pid,
            fields: &[("names", Value::List(&distinct))],
            ..EventDraft::new(EventType::EnvFiltered)
        })
    }

    /// An outcome in the record's words.
    pub(crate) fn recorded<'a>(&self, policy: &'a PolicyOutcome) -> Outcome<'a> {
        let decision = policy.decision.parse().unwrap_or(Decision::Deny);
        let mut outcome = Outcome::plain(decision, policy.rule.as_deref());
        // What is asked about is asked at the exec itself, and told there.
        if !matches!(decision, Decision::Allow | Decision::Audit | Decision::Approve) {
            outcome.effective = Decision::Deny;
        }
        outcome.message = policy.message.as_deref();
        outcome
    }

    /// New versions of files that nobody writes any more take their places, or do not.
    pub(crate) fn settle_files(&self) {
        if let Some(files) = self.shared.files.get() {
            files.settle();
        }
    }

    /// Puts an operation on record; a denial also into the recording of its command's terminal.
    pub(crate) fn emit(&self, draft: EventDraft<'_>) -> Result<(), RecordError> {
        self.recorder.emit(draft)?;
        if let (Some(Decision::Deny), Some(command)) = (draft.policy.map(|policy| policy.effective), draft.command) {
            self.terminals.denied(command, || {
                let object = draft.path.or(draft.exe).map(String::from_utf8_lossy);
                let object = object.or(draft.remote.map(Into::into)).unwrap_or_default();
                format!("{} {object}", draft.kind.as_str())
            });
        }
        Ok(())
    }

    fn tell_busy(&self) {
        let served = lock(&self.commands).served();
        self.tell(Notice::Busy(served));
    }

    /// Tells the control loop. If it is gone the session is over, and nobody needs to know.
    pub(crate) fn tell(&self, notice: Notice) {
        let _ = self.notices.send(notice);
    }

    /// What the session is now.
    pub(crate) fn info(&self) -> SessionInfo {
        let mut info = lock(&self.info).clone();
        info.commands_running = lock(&self.commands).served();
        let watchers = self.approvals.watchers();
        info.not_held.extend(approvals::warning(&self.rules().policy, watchers));
        info
    }

    /// All commands that are remembered.
    pub(crate) fn commands(&self) -> Vec<CommandInfo> {
        let mut commands: Vec<CommandInfo> = lock(&self.commands).all().map(|command| command.info.clone()).collect();
        for command in &mut commands {
            command.terminal = self.terminals.get(&command.id).is_some();
        }
        commands
    }

    /// Ids of the commands that have living processes.
    pub(crate) fn running_commands(&self) -> Vec<String> {
        lock(&self.commands)
            .all()
            .filter(|command| command.served)
            .map(|command| command.info.id.clone())
            .collect()
    }

    /// The newest denials of a command, newest first, as the record has them.
    pub(crate) fn denials_of(&self, command: &str, most: usize) -> Result<Vec<serde_json::Value>, String> {
        self.recorder.flush(FLUSH_LIMIT).map_err(|error| error.to_string())?;
        super::denials::newest(&self.dir, command, most)
    }

    /// The known processes of all commands that are served, each with its command.
    pub(crate) fn processes_by_command(&self) -> Vec<(String, Identity)> {
        let commands = lock(&self.commands);
        let served = commands.all().filter(|command| command.served);
        let each = |command: &Command| {
            let id = command.info.id.clone();
            command
                .processes()
                .into_iter()
                .map(move |process| (id.clone(), process))
        };
        served.flat_map(each).collect()
    }

    /// Ids of the commands that a word means.
    pub(crate) fn find_commands(&self, word: &str) -> Vec<String> {
        lock(&self.commands)
            .matching(word)
            .map(|command| command.info.id.clone())
            .collect()
    }

    /// The known processes of one command.
    pub(crate) fn processes_of(&self, id: &str) -> Vec<Identity> {
        let known = lock(&self.commands).get_mut(id).map(|command| command.processes());
        let grouped = members(self.groups.of(id));
        known.into_iter().flatten().chain(grouped).collect()
    }

    /// The known processes of all commands.
    pub(crate) fn processes(&self) -> Vec<Identity> {
        let known: Vec<Identity> = lock(&self.commands).all().flat_map(Command::processes).collect();
        let enclosed = self.enclosures.all();
        let enclosed = enclosed.iter().flat_map(|enclosure| enclosure.group().processes());
        let enclosed = enclosed.filter_map(|pid| Identity::of(pid).ok());
        known
            .into_iter()
            .chain(members(self.groups.all()))
            .chain(enclosed)
            .collect()
    }

    /// Whether the own process of some command has not been seen to end.
    pub(crate) fn any_running(&self) -> bool {
        lock(&self.commands)
            .all()
            .any(|command| command.info.state == CommandState::Running)
    }

    /// Marks the session as ended, in memory and in its folder.
    pub(crate) fn close_info(&self) -> Result<(), agentsh_audit::StoreError> {
        let mut info = lock(&self.info);
        info.state = SessionState::Ended;
        info.ended = Some(agentsh_audit::time::now_rfc3339());
        info.commands_running = 0;
        info.supervisor_pid = None;
        self.dir.write_info(&info)
    }
}
