//! What a command writes into pipes and sockets of its caller, recorded on its way (`record.pipes`).
//!
//! The command gets a pipe of ours in the place of each; a thread copies what is in it (tee(2)) and moves it on
//! (splice(2)). A caller that does not read makes the command wait, and one that has closed its end gives it SIGPIPE, as
//! without us; a pipe's worth more may be on its way.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;

use agentsh_audit::{EventDraft, EventType, Stream, Value};
use agentsh_policy::model::{OnFull, PipeRecording};
use agentsh_protocol::launch::LaunchRequest;
use agentsh_terminal::redact::Redactor;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice, tee};
use rustix::process::PidfdGetfdFlags;

use super::rules::Rules;
use super::session::Session;

/// Bytes that `head` keeps of a stream.
const HEAD: u64 = 64 << 10;

/// Bytes that `full` keeps unless the policy says otherwise.
const MAX_SIZE: u64 = 256 << 20;

/// Moved at a time: what a pipe holds.
const CHUNK: usize = 64 << 10;

/// Programs whose streams are other machines' files, not words: never recorded.
const TRANSPORTS: [&str; 9] = [
    "rsync",
    "scp",
    "sftp",
    "sftp-server",
    "git-upload-pack",
    "git-receive-pack",
    "git-upload-archive",
    "git-shell",
    "borg",
];

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
    if what == PipeRecording::Off || request.detached.is_some() || is_transport(request) {
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

/// Whether some word of the command is the name of such a program.
fn is_transport(request: &LaunchRequest) -> bool {
    request.argv.iter().any(|argument| {
        let text = argument.lossy();
        let mut words = text.split(|char: char| char.is_whitespace() || "'\";&|()".contains(char));
        words.any(|word| TRANSPORTS.contains(&word.rsplit('/').next().unwrap_or(word)))
    })
}

/// Carries until the last writer is gone or nobody reads any more; then both ends are closed.
fn carry(from: &OwnedFd, to: &OwnedFd, copy: &mut Copy) -> io::Result<()> {
    let (mut beside, into) = {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        (File::from(reader), writer)
    };
    let mut buffer = vec![0; CHUNK];
    loop {
        let mut set = [PollFd::new(from, PollFlags::IN), PollFd::new(to, PollFlags::empty())];
        match poll(&mut set, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        // Nobody reads: the command is to notice when it writes, or looks.
        if set[1].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            return Ok(());
        }
        let ready = set[0].revents();
        if ready.is_empty() {
            continue;
        }
        let mut count = CHUNK;
        if copy.file.is_some() {
            count = tee(from, &into, CHUNK, SpliceFlags::NONBLOCK).or_else(idle)?;
            if count == 0 && ready.contains(PollFlags::HUP) {
                return Ok(());
            }
        }
        let moved = forward(from, to, count)?;
        if copy.file.is_some() {
            let (taken, _) = buffer.split_at_mut(count);
            beside.read_exact(taken)?;
            copy.take(taken);
        } else if moved == 0 {
            return Ok(());
        }
    }
}

fn idle(errno: Errno) -> Result<usize, Errno> {
    match errno {
        Errno::AGAIN | Errno::INTR => Ok(0),
        errno => Err(errno),
    }
}

/// Moves what was copied, all of it; where nothing is copied, what there is.
fn forward(from: &OwnedFd, to: &OwnedFd, count: usize) -> io::Result<usize> {
    let mut moved = 0;
    while moved < count {
        match splice(from, None, to, None, count - moved, SpliceFlags::MOVE) {
            Ok(0) => break,
            Ok(some) => {
                moved += some;
                if count == CHUNK && moved < count {
                    // A short chunk may be all there is, and nothing must wait for more.
                    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
                    let mut set = [PollFd::from_borrowed_fd(from.as_fd(), PollFlags::IN)];
                    if poll(&mut set, Some(&now))? == 0 {
                        break;
                    }
                }
            }
            Err(Errno::INTR) => {}
            // The caller's end does not block: its reader is waited for.
            Err(Errno::AGAIN) => drop(poll(&mut [PollFd::new(to, PollFlags::OUT)], None)?),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(moved)
}

/// The record of one stream.
struct Copy {
    session: Arc<Session>,
    command: String,
    /// `None` once nothing more is kept.
    file: Option<File>,
    redactor: Redactor,
    left: u64,
    /// The limit is an end that is told.
    whole: bool,
    stop_command: bool,
}

impl Copy {
    fn take(&mut self, bytes: &[u8]) {
        let mut out = Vec::with_capacity(bytes.len());
        self.redactor.push(bytes, &mut out);
        self.write(&out);
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        let room = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let written = file.write_all(&bytes[..room]);
        self.left -= room as u64;
        match written {
            Ok(()) if room == bytes.len() => {}
            Ok(()) if !self.whole => self.file = None,
            Ok(()) => self.stop("size limit"),
            Err(error) => self.stop(&error.to_string()),
        }
    }

    /// Nothing more is kept, and the record says so.
    fn stop(&mut self, reason: &str) {
        self.file = None;
        let draft = EventDraft {
            command: Some(&self.command),
            fields: &[
                ("reason", Value::Text(reason)),
                ("command_stopped", Value::Bool(self.stop_command)),
            ],
            ..EventDraft::new(EventType::RecordingStopped)
        };
        if let Err(error) = self.session.recorder.emit(draft) {
            tracing::error!("the end of a recording is not recorded: {error}");
        }
        if self.stop_command {
            self.session.end_command(&self.command);
        }
    }

    fn finish(mut self) {
        let mut out = Vec::new();
        self.redactor.finish(&mut out);
        self.write(&out);
    }
}
