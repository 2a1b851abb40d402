//! What a command writes into pipes and sockets of its caller, recorded on its way (`record.pipes`).
//!
//! The command gets a pipe of ours in the place of each; a thread copies what is in it (tee(2)) and moves it on
//! (splice(2)). A caller that does not read makes the command wait, and one that has closed its end gives it SIGPIPE, as
//! without us; a pipe's worth more may be on its way.

mod carry;
mod copy;
mod transport;

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use agentsh_audit::Stream;
use agentsh_intercept::Subject;
use agentsh_policy::model::{OnFull, PipeRecording};
use agentsh_protocol::launch::LaunchRequest;
use agentsh_terminal::redact::Redactor;
use rustix::fs::{FileType, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::PidfdGetfdFlags;

use super::rules::Rules;
use super::session::Session;
use carry::carry;
use copy::Copy;

/// Bytes that `head` keeps of a stream.
const HEAD: u64 = 64 << 10;

/// Bytes that `full` keeps unless the policy says otherwise.
const MAX_SIZE: u64 = 256 << 20;

/// The commands whose pipes are recorded, and whether a transport has begun in them.
#[derive(Default)]
pub(crate) struct Pipes(Mutex<HashMap<String, Arc<AtomicBool>>>);

impl Pipes {
    fn of(&self, command: &str) -> Arc<AtomicBool> {
        let mut commands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(commands.entry(command.to_owned()).or_default())
    }

    /// These files are about to run in the command: no stream of other machines' files is recorded.
    pub(super) fn runs(&self, command: &str, subjects: &[Subject]) {
        let commands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(began) = commands.get(command)
            && subjects.iter().any(transport::is_run)
        {
            began.store(true, Ordering::SeqCst);
        }
    }

    /// A stream of the command has ended; without any there is nothing to be known of it.
    fn release(&self, command: &str, stream: Arc<AtomicBool>) {
        let mut commands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(stream);
        if commands.get(command).is_some_and(|last| Arc::strong_count(last) == 1) {
            commands.remove(command);
        }
    }
}

/// A descriptor that the command gets instead of its caller's.
pub(super) struct Piped {
    pub number: i32,
    pub writer: OwnedFd,
}

/// Pipes for those of 1 and 2 that are pipes or sockets, if the policy has them recorded.
pub(super) fn open(
    session: &Arc<Session>,
    rules: &Rules,
    request: &LaunchRequest,
    pidfd: &OwnedFd,
    id: &str,
) -> Result<Vec<Piped>, Box<dyn std::error::Error + Send + Sync>> {
    let Some(settings) = rules.policy.settings() else {
        return Ok(Vec::new());
    };
    let record = &settings.file.record;
    let what = record.pipes.unwrap_or(PipeRecording::Off);
    if what == PipeRecording::Off || request.detached.is_some() || transport::is_told(&request.argv) {
        return Ok(Vec::new());
    }
    let mut piped: Vec<Piped> = Vec::new();
    let mut seen: HashMap<(u64, u64), usize> = HashMap::new();
    for (number, stream) in [(1, Stream::Stdout), (2, Stream::Stderr)] {
        // A closed descriptor stays closed.
        let Ok(target) = rustix::process::pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty()) else {
            continue;
        };
        let stat = rustix::fs::fstat(&target)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let writable = rustix::fs::fcntl_getfl(&target)? & OFlags::RWMODE != OFlags::RDONLY;
        if !writable || !matches!(kind, FileType::Fifo | FileType::Socket) {
            continue;
        }
        // One pipe for both keeps the order of what is written to both.
        if let Some(first) = seen.get(&(stat.st_dev, stat.st_ino)) {
            let writer = piped[*first].writer.try_clone()?;
            piped.push(Piped { number, writer });
            continue;
        }
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let path = session.dir.piped_path(id, stream)?;
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        let copy = Copy {
            session: Arc::clone(session),
            command: id.to_owned(),
            file: Some(file),
            redactor: Redactor::new(rules.patterns()?),
            left: match what {
                PipeRecording::Head => HEAD,
                _ => record.max_size.map_or(MAX_SIZE, |size| size.0),
            },
            whole: what == PipeRecording::Full,
            stop_command: record.on_full == Some(OnFull::StopCommand),
            transport: session.pipes.of(id),
        };
        session.terminals.opened();
        let spawned = std::thread::Builder::new().name("pipe".into()).spawn(move || {
            let session = Arc::clone(&copy.session);
            let mut copy = copy;
            // An error is a reader that is gone: the command notices it as it would without us.
            if let Err(error) = carry(&reader, &target, &mut copy) {
                tracing::debug!("a pipe: {error}");
            }
            drop((reader, target));
            copy.finish();
            session.terminals.over();
        });
        if let Err(error) = spawned {
            session.terminals.over();
            return Err(error.into());
        }
        seen.insert((stat.st_dev, stat.st_ino), piped.len());
        piped.push(Piped { number, writer });
    }
    Ok(piped)
}
