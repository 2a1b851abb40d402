//! One command, from its request to "go". Runs on a thread of its own.

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agentsh_audit::{Argv, EventDraft, EventType, Value};
use agentsh_intercept::{Beginning, Serving};
use agentsh_netgate::private::Private;
use agentsh_policy::Decision;
use agentsh_protocol::api::{CommandInfo, CommandState, PolicyOutcome};
use agentsh_protocol::control::Peer;
use agentsh_protocol::frame;
use agentsh_protocol::launch::{Entered, LaunchReply, LaunchRequest, Plan, Start, Verdict};
use agentsh_protocol::{Bytes, is_id, new_id};
use agentsh_sandbox::verify;
use rustix::process::PidfdGetfdFlags;

use super::approvals::NOBODY;
use super::command::{self, Command};
use super::judge::Walls;
use super::pipes::{self, Piped};
use super::program::program;
use super::refusal::Refusal;
use super::rules::{LetsRun as _, Rules, arguments};
use super::session::Session;
use super::terminal::{self, Opened};
use super::{descriptors, limits};
use crate::foreign;
use crate::process::{self, Identity};

/// How long a shim may take between two of its messages.
const STEP_LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

/// A connection that the broker handed over.
pub(super) struct Launch {
    pub request: LaunchRequest,
    pub peer: Peer,
    pub connection: OwnedFd,
    pub pidfd: OwnedFd,
}

/// What is known of a command before it starts.
struct Candidate {
    id: String,
    program: PathBuf,
    /// The same without links, as policy names it.
    resolved: PathBuf,
    cwd: Option<PathBuf>,
}

/// Goes through all steps, and then serves the command; whatever fails is told to the caller, who ends with it.
pub(super) fn launch(session: &Arc<Session>, launch: Launch) {
    if let Some(serving) = let_in(session, launch) {
        serving.run();
    }
}

fn let_in(session: &Arc<Session>, launch: Launch) -> Option<Serving> {
    if let Err(error) = limit_steps(&launch.connection) {
        tracing::error!("launch connection: {error}");
        return None;
    }
    if let Some(reply) = to_be_reported(session, &launch) {
        let _ = frame::send(&launch.connection, &reply, &[]);
        return None;
    }
    match prepare(session, &launch) {
        Ok((candidate, rules)) => {
            let answered = Cell::new(false);
            enter(session, &launch, &candidate, &rules, &answered)
                .map_err(|refusal| {
                    session.command_never_ran(&candidate.id);
                    tracing::warn!(command = candidate.id, "did not enter: {}", refusal.message);
                    match answered.get() {
                        true => {
                            let message = refusal.message;
                            let _ = frame::send(&launch.connection, &Verdict::Refused { message }, &[]);
                        }
                        false => refuse(&launch, refusal),
                    }
                })
                .ok()
        }
        Err(refusal) => {
            tracing::info!("refused: {}", refusal.message);
            refuse(&launch, refusal);
            None
        }
    }
}

/// The answer to a request that got no plan.
fn refuse(launch: &Launch, Refusal { status, message, .. }: Refusal) {
    let _ = frame::send(&launch.connection, &LaunchReply::Refused { status, message }, &[]);
}

/// The configuration may have a shell without a terminal print one JSON object: `agentsh exec` does that, and comes
/// back here for the shell itself. Login shells are what people and services get in by, and stay themselves.
fn to_be_reported(session: &Session, launch: &Launch) -> Option<LaunchReply> {
    let request = &launch.request;
    let login = request.argv.first().is_some_and(|name| name.0.starts_with(b"-"));
    let wanted = session.config.shim.output == agentsh_policy::config::Output::Json;
    if !wanted || login || request.terminal.is_some() || !matches!(request.start, Start::Shell { .. }) {
        return None;
    }
    let program = program(session, request, launch.peer.pid, None).ok()?;
    Some(LaunchReply::Report {
        session: session.id.clone(),
        program: Bytes::from(program.as_path()),
    })
}

fn limit_steps(connection: &OwnedFd) -> rustix::io::Result<()> {
    use rustix::net::sockopt::{Timeout, set_socket_timeout};
    // The broker read from it without blocking; here a thread waits for each step.
    rustix::io::ioctl_fionbio(connection, false)?;
    set_socket_timeout(connection, Timeout::Recv, Some(STEP_LIMIT))?;
    set_socket_timeout(connection, Timeout::Send, Some(STEP_LIMIT))
}

/// Judges the command and puts it on record.
fn prepare(session: &Arc<Session>, launch: &Launch) -> Result<(Candidate, Arc<Rules>), Refusal> {
    session.may_start()?;
    let Launch { request, peer, .. } = launch;
    let id = command_id(session, &request.start)?;
    let cwd = std::fs::read_link(format!("/proc/{}/cwd", peer.pid)).ok();
    let program = program(session, request, peer.pid, cwd.as_deref())?;
    let candidate = Candidate {
        id,
        resolved: std::fs::canonicalize(&program).unwrap_or_else(|_| program.clone()),
        program,
        cwd,
    };
    let rules = session.rules();
    if let Err(refusal) = judge(session, &rules, request, &candidate) {
        let policy = refusal.policy.clone().unwrap_or_default();
        record_start(
            session,
            launch,
            &candidate,
            (Identity::of(peer.pid)?, &limits::Places::default()),
            &Known::of(launch, policy.clone()),
            Some(rustix::io::Errno::ACCESS.raw_os_error()),
        )?;
        let cwd = candidate.cwd.as_deref().map(Bytes::from);
        session.insert(command::refused(
            candidate.id,
            &session.id,
            request.argv.clone(),
            cwd,
            peer.pid,
            policy,
        ));
        return Err(refusal);
    }
    Ok((candidate, rules))
}

/// The id that the caller asks for, if it is one and nobody has it; else a new one.
fn command_id(session: &Session, start: &Start) -> Result<String, Refusal> {
    match start {
        Start::Exec {
            command_id: Some(id), ..
        } if !is_id(id) => Err(Refusal::from(format!("`{id}` is no command id"))),
        Start::Exec {
            command_id: Some(id), ..
        } if session.has_command(id) => Err(Refusal::from(format!("command {id} exists already"))),
        Start::Exec {
            command_id: Some(id), ..
        } => Ok(id.clone()),
        _ => Ok(new_id()),
    }
}

/// Policy's first word, for a clear answer; the exec itself is judged again at its notification.
fn judge(session: &Session, rules: &Rules, request: &LaunchRequest, candidate: &Candidate) -> Result<(), Refusal> {
    let verdict = rules.command(&candidate.resolved, request);
    let asks = verdict.decision == Decision::Approve;
    if verdict.decision.lets_run()
        || verdict.decision == Decision::Redirect
        || asks && session.may_be_answered(&candidate.program, &request.argv)
    {
        return Ok(());
    }
    let mut outcome = rules.outcome(&verdict, &candidate.program, &arguments(request));
    if asks {
        outcome.message = Some(NOBODY.to_owned());
    }
    Err(Refusal {
        status: 126,
        message: rules.refusal_line(&candidate.program, &outcome),
        policy: Some(outcome),
    })
}

/// What the record says of a start, beside who starts what.
struct Known {
    policy: PolicyOutcome,
    /// Sockets that were opened outside.
    sockets: Vec<String>,
}

impl Known {
    fn of(launch: &Launch, policy: PolicyOutcome) -> Known {
        Known {
            policy,
            sockets: descriptors::inherited_sockets(launch.peer.pid),
        }
    }
}

/// Puts the start on record: what was not accepted there does not happen.
fn record_start(
    session: &Session,
    launch: &Launch,
    candidate: &Candidate,
    (process, places): (Identity, &limits::Places),
    known: &Known,
    refused: Option<i32>,
) -> Result<(), Refusal> {
    let sockets: Vec<&str> = known.sockets.iter().map(String::as_str).collect();
    let cwd = candidate
        .cwd
        .as_deref()
        .map(Path::as_os_str)
        .map(std::os::unix::ffi::OsStrExt::as_bytes);
    let shim = matches!(launch.request.start, Start::Shell { .. });
    let mut fields = vec![
        ("shim", Value::Bool(shim)),
        ("start_time", Value::Unsigned(process.start)),
    ];
    let groups: Vec<&str> = places.groups.iter().map(String::as_str).collect();
    if !groups.is_empty() {
        fields.push(("groups", Value::List(&groups)));
    }
    if let Some(wall) = &places.wall {
        fields.push(("wall", Value::Text(wall)));
    }
    if !sockets.is_empty() {
        fields.push(("inherited_sockets", Value::List(&sockets)));
    }
    session.recorder.emit(EventDraft {
        command: Some(&candidate.id),
        pid: process.pid,
        exe: Some(candidate.program.as_os_str().as_encoded_bytes()),
        argv: Argv::Bytes(&launch.request.argv),
        operation: Some("exec"),
        path: cwd,
        policy: Some(session.recorded(&known.policy)),
        result: refused,
        fields: &fields,
        ..EventDraft::new(EventType::CommandStarted)
    })?;
    Ok(())
}

/// Gives the plan, takes the listener, verifies, and lets the command go.
fn enter(
    session: &Arc<Session>,
    launch: &Launch,
    candidate: &Candidate,
    rules: &Arc<Rules>,
    answered: &Cell<bool>,
) -> Result<Serving, Refusal> {
    let opened = terminal::open(session, rules, &launch.request, &launch.pidfd, &candidate.id)?;
    let piped = pipes::open(session, rules, &launch.request, &launch.pidfd, &candidate.id);
    let entered = piped
        .map_err(Refusal::from)
        .and_then(|piped| enter_on(session, launch, candidate, rules, (opened.as_ref(), &piped), answered));
    if let (Err(_), Some(opened)) = (&entered, opened) {
        opened.forget(session, &candidate.id);
    }
    entered
}

fn enter_on(
    session: &Arc<Session>,
    launch: &Launch,
    candidate: &Candidate,
    rules: &Arc<Rules>,
    (opened, piped): (Option<&Opened>, &[Piped]),
    answered: &Cell<bool>,
) -> Result<Serving, Refusal> {
    let Launch {
        request,
        peer,
        connection,
        ..
    } = launch;
    let verdict = rules.command(&candidate.resolved, request);
    let mut environment = rules.environment(request, &verdict);
    if let Start::Exec { .. } = request.start {
        // What the operator set stands.
        let name = |entry: &Bytes| entry.0.split(|byte| *byte == b'=').next().map(<[u8]>::to_vec);
        let set: Vec<_> = environment.add.iter().map(name).collect();
        let own = session.proxy_variables(&candidate.id)?.into_iter();
        environment.add.extend(own.filter(|entry| !set.contains(&name(entry))));
    }
    let generation = session.generation();
    let caller = limits::Caller {
        pid: peer.pid,
        pidfd: launch.pidfd.as_fd(),
    };
    let confined = limits::confine(session, rules, caller, &candidate.id)?;
    let (hull, ruleset) = rules.walls(confined.walled)?;
    let network = session.shared.network.as_deref();
    let namespaces: Vec<BorrowedFd<'_>> = network.iter().flat_map(|network| network.namespaces()).collect();
    // In a user namespace of ours a process would have capabilities that its user has not.
    let capabilities = match network.is_some_and(Private::is_rootless) {
        true => 0,
        false => rules.capabilities,
    };
    let plan = Plan {
        session_id: session.id.clone(),
        command_id: candidate.id.clone(),
        proof: Some(session.proof.question()),
        groups: (confined.entrances.len() + usize::from(confined.enclosure.is_some())) as u32,
        namespaces: namespaces.len() as u32,
        rlimits: confined.rlimits.clone(),
        capabilities,
        landlock: true,
        filter: Some(rules.filter.to_plan()),
        program: Bytes::from(candidate.program.as_path()),
        argv: None,
        env_remove: environment.remove,
        env_add: environment.add,
        terminal: opened.is_some(),
        pipes: piped.iter().map(|pipe| pipe.number).collect(),
    };
    let mut fds: Vec<BorrowedFd<'_>> = confined.entrances.iter().map(AsFd::as_fd).collect();
    fds.extend(confined.enclosure.iter().map(|enclosure| enclosure.as_fd()));
    fds.extend(namespaces);
    fds.push(ruleset.as_fd());
    fds.extend(
        opened
            .iter()
            .flat_map(|opened| [Some(opened.slave.as_fd()), opened.relay.as_ref().map(AsFd::as_fd)])
            .flatten(),
    );
    fds.extend(piped.iter().map(|pipe| pipe.writer.as_fd()));
    if opened.is_some() {
        rustix::net::sockopt::set_socket_passcred(connection, true)?;
    }
    // Where ruleset and filter are all that is given, and the way into a group below the caller's own, it is enough to
    // look at who has entered.
    if fds.len() > 1 + usize::from(confined.enclosure.is_some()) {
        verify::is_at_home(peer.pid).map_err(|mismatch| foreign::refusal(&mismatch))?;
    }
    answered.set(true);
    frame::send(connection, &LaunchReply::Enter(Box::new(plan)), &fds)?;
    // Looked at, and made ready, while the caller enters.
    session.launchers.keep_one();
    let known = Known::of(launch, rules.outcome(&verdict, &candidate.program, &arguments(request)));
    let caller = Identity::of(peer.pid)?;
    frame::await_input(connection, Some(STEP_LIMIT))?;
    let (entered, entrant) = match opened {
        None => (
            frame::receive::<Entered>(connection)?.0,
            Entrant {
                identity: caller,
                pidfd: launch.pidfd.try_clone()?,
            },
        ),
        Some(_) => Entrant::announced(launch)?,
    };
    let elsewhere = network.map(Private::links).transpose()?.unwrap_or_default();
    if !session.proof.is_answered_by(entered.proof.as_ref()) {
        let seen = verify::same_groups(peer.pid).and_then(|()| verify::in_world(entrant.identity.pid, &elsewhere));
        seen.map_err(|mismatch| foreign::refusal(&mismatch))?;
        return Err("the caller is inside another sandbox (a Landlock domain) and is not taken out of it".into());
    }
    let number = entered.listener.ok_or("the caller has no listener")?;
    let Entrant { identity, pidfd } = entrant;
    let listener = rustix::process::pidfd_getfd(&pidfd, number, PidfdGetfdFlags::empty())?;
    let seen = verify::entered(identity.pid, capabilities, true, &elsewhere);
    let seen = seen.map_err(|mismatch| foreign::refusal(&mismatch))?;
    if !confined.holds(identity.pid, &pidfd) {
        return Err("the caller is not in its control group".into());
    }
    // As long as it lives, what was looked at under its number was its own.
    if !process::is_alive(&pidfd)? {
        return Err("the caller is gone".into());
    }
    session.insert(Command {
        info: CommandInfo {
            id: candidate.id.clone(),
            session_id: session.id.clone(),
            argv: request.argv.clone(),
            cwd: candidate.cwd.as_deref().map(Bytes::from),
            pid: identity.pid,
            state: CommandState::Running,
            started: agentsh_audit::time::now_rfc3339(),
            ended: None,
            exit_code: None,
            signal: None,
            limit: None,
            terminal: false,
            policy: known.policy.clone(),
        },
        root: Some(identity),
        guard: None,
        served: true,
    });
    session.groups.entered(&candidate.id);
    let walls = Walls {
        hull,
        ruleset,
        generation,
        walled: confined.walled,
    };
    let [_, permitted, ..] = seen.capabilities;
    let beginning = Beginning {
        pid: identity.pid,
        groups: seen.groups,
        permitted,
        no_new_privs: seen.no_new_privs,
        in_our_namespace: elsewhere.iter().all(|(name, _)| *name != "user"),
    };
    let serving = session.serve(&candidate.id, &beginning, listener, walls)?;
    record_start(session, launch, candidate, (identity, &confined.places()), &known, None)?;
    session.environment_filtered(&candidate.id, identity.pid, &environment.names)?;
    let gone = frame::send(connection, &Verdict::Go, &[]);
    session.command_runs(&candidate.id, pidfd);
    gone?;
    Ok(serving)
}

/// The process that is to become the program.
struct Entrant {
    identity: Identity,
    pidfd: OwnedFd,
}

impl Entrant {
    /// The process that announced itself, as the kernel names it: the grandchild of the caller, which relays.
    fn announced(launch: &Launch) -> Result<(Entered, Entrant), Refusal> {
        let (entered, pid) = frame::receive_from::<Entered>(&launch.connection)?;
        let raw = rustix::process::Pid::from_raw(pid).ok_or("a process of another pid namespace")?;
        let pidfd = rustix::process::pidfd_open(raw, rustix::process::PidfdFlags::empty())?;
        let identity = Identity::of(pid)?;
        let caller = process::parent(pid).and_then(process::parent);
        if caller != Some(launch.peer.pid) {
            return Err("another process than the caller's own announced itself".into());
        }
        Ok((entered, Entrant { identity, pidfd }))
    }
}
