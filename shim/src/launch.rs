//! From the request to `execve`.

use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use agentsh_protocol::frame::{self, FrameError};
use agentsh_protocol::launch::{Entered, LaunchReply, LaunchRequest, Plan, Proof, Verdict};
use agentsh_protocol::{Bytes, VERSION, places};
use agentsh_sandbox::enter::Entrances;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::start::Wanted;
use crate::{Invocation, Refusal, broker, sys, terminal};

/// Asks, enters, executes.
pub(crate) fn launch(wanted: Wanted, invocation: &Invocation<'_>) -> Result<Infallible, Refusal> {
    let argv = &invocation.argv[wanted.first_argument..];
    let terminal = match wanted.detached {
        Some(_) => None,
        None => terminal::find(wanted.turns),
    };
    let request = LaunchRequest {
        version: VERSION,
        start: wanted.start,
        argv: argv.iter().map(|argument| Bytes::from(argument.to_bytes())).collect(),
        env: invocation
            .env
            .iter()
            .map(|entry| Bytes::from(entry.to_bytes()))
            .collect(),
        terminal: terminal.as_ref().map(|terminal| terminal.number),
        turns: terminal.as_ref().is_some_and(|terminal| terminal.turns.is_some()),
        detached: wanted.detached,
    };
    sys::make_room();
    let (mut socket, reply, fds) = match ask(&request) {
        // A broker that died before it answered has started nothing: the next one is asked.
        Err(Unanswered::Lost(FrameError::Closed)) => ask(&request)?,
        other => other?,
    };
    match reply {
        LaunchReply::Refused { status, message } => Err(Refusal { status, message }),
        LaunchReply::Report { session, program } => report(&session, &program, invocation),
        LaunchReply::Exec { program } => execute(&program, owned(argv), &invocation.env),
        LaunchReply::Enter(plan) => {
            let mut fds = fds.into_iter();
            let groups = fds.by_ref().take(plan.groups as usize).collect();
            let namespaces = fds.by_ref().take(plan.namespaces as usize).collect();
            let ruleset = if plan.landlock { fds.next() } else { None };
            let slave = if plan.terminal { fds.next() } else { None };
            let hub = if plan.terminal && terminal.is_some() {
                fds.next()
            } else {
                None
            };
            for number in &plan.pipes {
                let pipe = fds
                    .next()
                    .ok_or_else(|| Refusal::new("the plan came without its pipes"))?;
                sys::put_at(&pipe, *number).map_err(Refusal::new)?;
            }
            if plan.terminal {
                let (slave, hub) = (slave.map(sys::out_of_the_way), hub.map(sys::out_of_the_way));
                socket = match (terminal, slave, hub) {
                    (Some(terminal), Some(slave), Some(hub)) => terminal::split(terminal, slave, hub, socket)?,
                    (None, Some(slave), None) => terminal::detach(slave, socket)?,
                    _ => return Err(Refusal::new("the plan came without its terminal")),
                };
            }
            let entrances = Entrances {
                groups,
                namespaces,
                ruleset: ruleset.map(sys::out_of_the_way),
            };
            let env = environment(&plan, &invocation.env)?;
            invocation.given.wipe();
            enter(&plan, entrances, &socket)?;
            let argv = match &plan.argv {
                Some(argv) => argv.iter().map(c_string).collect::<Result<_, _>>()?,
                None => owned(argv),
            };
            execute(&plan.program, argv, &env)
        }
    }
}

/// Becomes `agentsh exec --output json` for the shell.
fn report(session: &str, program: &Bytes, invocation: &Invocation<'_>) -> Result<Infallible, Refusal> {
    let agentsh = broker::beside(places::CLI_PROGRAM)?;
    let mut argv: Vec<CString> = vec![c"agentsh".into(), c"exec".into(), c"--output".into(), c"json".into()];
    argv.push(c_string(&Bytes(["--program=".as_bytes(), &program.0].concat()))?);
    argv.extend([c_string(&Bytes::from(session.as_bytes()))?, c"--".into()]);
    argv.extend(owned(&invocation.argv));
    execute(&agentsh, argv, &invocation.env)
}

/// Why there is no answer.
enum Unanswered {
    Refused(Refusal),
    Lost(FrameError),
}

impl From<Unanswered> for Refusal {
    fn from(unanswered: Unanswered) -> Refusal {
        match unanswered {
            Unanswered::Refused(refusal) => refusal,
            Unanswered::Lost(error) => lost(error),
        }
    }
}

fn ask(request: &LaunchRequest) -> Result<(OwnedFd, LaunchReply, Vec<OwnedFd>), Unanswered> {
    let socket = broker::connect_or_start().map_err(Unanswered::Refused)?;
    frame::send(&socket, request, &[]).map_err(Unanswered::Lost)?;
    frame::await_input(&socket, Some(broker::ANSWER_LIMIT)).map_err(Unanswered::Lost)?;
    let (reply, fds) = frame::receive(&socket).map_err(Unanswered::Lost)?;
    Ok((socket, reply, fds))
}

fn enter(plan: &Plan, entrances: Entrances, socket: &OwnedFd) -> Result<(), Refusal> {
    let proof = plan.proof.map(fetch).transpose()?.flatten();
    let listener = agentsh_sandbox::enter::enter(plan, entrances).map_err(Refusal::new)?;
    // From here on the filter holds: only read(2) and write(2), which are never notified.
    let entered = Entered {
        listener: listener.as_ref().map(AsRawFd::as_raw_fd),
        proof,
    };
    let message = frame::encode(&entered).map_err(lost)?;
    sys::write_without_sigpipe(socket.as_fd(), &message).map_err(Refusal::new)?;
    let verdict = frame::receive_by_read(socket).map_err(lost)?;
    // The listener stays open until execve closes it: the supervisor has a copy by now.
    std::mem::forget(listener);
    match verdict {
        Verdict::Go => Ok(()),
        Verdict::Refused { message } => Err(Refusal::new(message)),
    }
}

/// What stands in the descriptor that the proof names; `None` if it may not be fetched.
///
/// # Errors
/// There is no room for it: that proves nothing, and is the caller's to change.
fn fetch(proof: Proof) -> Result<Option<Bytes>, Refusal> {
    let fetched = || {
        let pid = Pid::from_raw(proof.pid).ok_or(Errno::SRCH)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let fd = pidfd_getfd(&pidfd, proof.fd, PidfdGetfdFlags::empty())?;
        let mut nonce = [0; 64];
        let count = rustix::io::pread(&fd, &mut nonce[..], 0)?;
        Ok(Bytes::from(&nonce[..count]))
    };
    match fetched() {
        Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => {
            Err(Refusal::new(format!("entering: {}", std::io::Error::from(errno))))
        }
        other => Ok(other.ok()),
    }
}

fn environment(plan: &Plan, env: &[CString]) -> Result<Vec<CString>, Refusal> {
    let added: Vec<CString> = plan.env_add.iter().map(c_string).collect::<Result<_, _>>()?;
    let name = |entry: &CStr| {
        entry
            .to_bytes()
            .split(|byte| *byte == b'=')
            .next()
            .unwrap_or_default()
            .to_vec()
    };
    let replaced: Vec<Vec<u8>> = added.iter().map(|entry| name(entry)).collect();
    let mut removed = plan.env_remove.iter().copied().peekable();
    let mut kept = Vec::with_capacity(env.len() + added.len());
    for (index, entry) in env.iter().enumerate() {
        if removed.next_if_eq(&(index as u32)).is_none() && (added.is_empty() || !replaced.contains(&name(entry))) {
            kept.push(entry.clone());
        }
    }
    kept.extend(added);
    Ok(kept)
}

fn execute(program: &Bytes, argv: Vec<CString>, env: &[CString]) -> Result<Infallible, Refusal> {
    let program = c_string(program)?;
    let error = sys::execve(&program, &argv, env);
    let status = if error.kind() == std::io::ErrorKind::NotFound {
        127
    } else {
        126
    };
    Err(Refusal {
        status,
        message: format!("{}: {error}", program.to_string_lossy()),
    })
}

fn owned(strings: &[&CStr]) -> Vec<CString> {
    strings.iter().map(|string| (*string).to_owned()).collect()
}

fn c_string(bytes: &Bytes) -> Result<CString, Refusal> {
    CString::new(bytes.0.clone()).map_err(|_| Refusal::new("the plan has a string with a NUL byte"))
}

fn lost(error: FrameError) -> Refusal {
    Refusal::new(match error {
        FrameError::Closed | FrameError::Truncated { .. } => "the session ended while this command was starting".into(),
        // No plan has as many as a frame may carry: what the kernel could not hand over had no number left.
        FrameError::TooManyDescriptors => "no descriptor is left for entering (`ulimit -n`)".into(),
        FrameError::Io { source, .. } if is_over_time(source.kind()) => broker::SILENT.into(),
        other => format!("talking to the broker: {other}"),
    })
}

/// Socket timeouts end in `EAGAIN`, waits in `ETIMEDOUT`.
fn is_over_time(kind: std::io::ErrorKind) -> bool {
    matches!(kind, std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
