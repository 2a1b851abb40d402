//! The terminal of a command that is about to start.

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use agentsh_policy::config;
use agentsh_protocol::launch::LaunchRequest;
use agentsh_protocol::terminal::Window;
use agentsh_terminal::cast::Header;
use agentsh_terminal::hub::{self, Config, Hub, Io, Joining, Recording, Role, SizeRule};
use agentsh_terminal::marker::Marker;
use agentsh_terminal::pty::{self, Pty, Settings};
use agentsh_terminal::recorder::{self, OnFull};
use agentsh_terminal::screen::Size;
use rustix::process::PidfdGetfdFlags;

use super::super::rules::Rules;
use super::super::session::Session;
use super::report::Reporter;

/// How long a disk that takes nothing may hold a command up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes at which a recording stops unless the policy says otherwise.
const MAX_SIZE: u64 = 256 << 20;

/// What the shim gets.
pub(in super::super) struct Opened {
    /// The command's terminal.
    pub slave: OwnedFd,
    /// The relay's connection to the hub, if the caller has a terminal.
    pub relay: Option<UnixStream>,
    hub: Arc<Hub>,
}

impl Opened {
    /// The terminal is nobody's: the command did not start.
    pub(in super::super) fn forget(self, session: &Session, command: &str) {
        self.hub.finish(libc::SIGKILL);
        session.terminals.remove(command);
    }
}

/// Why there is no terminal; the command does not start then.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum OpenError {
    #[error("the caller's terminal: {0}")]
    Caller(#[source] std::io::Error),
    #[error(transparent)]
    Pty(#[from] pty::PtyError),
    #[error("the terminal's recording: {0}")]
    Hub(#[source] std::io::Error),
    #[error(transparent)]
    Place(#[from] agentsh_audit::StoreError),
    #[error(transparent)]
    Patterns(#[from] agentsh_terminal::redact::PatternError),
    #[error(transparent)]
    Record(#[from] agentsh_audit::RecordError),
}

/// A terminal for the command `id`: if its caller has one and policy has it recorded or a line editor takes turns there,
/// or if it is to run detached.
pub(in super::super) fn open(
    session: &Arc<Session>,
    rules: &Rules,
    request: &LaunchRequest,
    pidfd: &OwnedFd,
    id: &str,
) -> Result<Option<Opened>, OpenError> {
    let caller = match (request.detached, request.terminal) {
        (Some(_), _) => None,
        (None, Some(number)) if rules.records_terminals || request.turns => match Caller::of(pidfd, number)? {
            None => return Ok(None),
            caller => caller,
        },
        _ => return Ok(None),
    };
    let window = match (&caller, request.detached) {
        (Some(caller), _) => pty::window(caller.terminal.as_fd()).map_err(OpenError::Caller)?,
        (None, size) => {
            let (cols, rows) = size.unwrap_or((80, 24));
            Window {
                cols,
                rows,
                ..Window::default()
            }
        }
    };
    let pair = Pty::open(window, caller.as_ref().map(|caller| &caller.settings))?;
    let reporter = Reporter::new(session, id, caller.is_some());
    let recording = match rules.records_terminals {
        false => None,
        true => Some(Recording {
            config: recording(session, rules, request, id, window)?,
            report: reporter.of_recording(),
            patience: PATIENCE,
        }),
    };
    let config = Config {
        size_rule: match session.config.terminal.size {
            config::SizeRule::Fixed => SizeRule::Fixed,
            config::SizeRule::Latest => SizeRule::Latest,
            config::SizeRule::Smallest => SizeRule::Smallest,
            config::SizeRule::Largest => SizeRule::Largest,
        },
        scrollback: session.config.terminal.scrollback as usize,
        recording,
    };
    reporter.opened(window, rules.records_terminals)?;
    let hub = Arc::new(hub::start(pair.master, window, config, reporter.of_hub()).map_err(OpenError::Hub)?);
    let relay = caller.map(|caller| caller.join(&hub, window)).transpose()?;
    hub.mark(Marker::Command(line(request)));
    session.terminals.insert(id, Arc::clone(&hub));
    Ok(Some(Opened {
        slave: pair.slave,
        relay,
        hub,
    }))
}

/// The terminal of whoever starts the command.
struct Caller {
    terminal: OwnedFd,
    settings: Settings,
}

impl Caller {
    /// The caller's descriptor `number`, if it is a terminal.
    fn of(pidfd: &OwnedFd, number: i32) -> Result<Option<Caller>, OpenError> {
        let terminal = rustix::process::pidfd_getfd(pidfd, number, PidfdGetfdFlags::empty())
            .map_err(|error| OpenError::Caller(error.into()))?;
        // Settings can be had of terminals only.
        Ok(match Settings::of(terminal.as_fd()) {
            Ok(settings) => Some(Caller { terminal, settings }),
            Err(_) => None,
        })
    }

    /// Makes it the hub's primary client; the relay's end of the connection.
    fn join(self, hub: &Hub, window: Window) -> Result<UnixStream, OpenError> {
        let (relay, control) = UnixStream::pair().map_err(OpenError::Hub)?;
        hub.attach(Joining {
            role: Role::Primary,
            // A terminal of another user (su) cannot be opened anew; then everything goes through the relay.
            io: match pty::reopen(self.terminal.as_fd()) {
                Ok(output) => Io::Terminal {
                    control,
                    output,
                    before: self.settings,
                },
                Err(_) => Io::Framed(control),
            },
            window: Some(window),
            take: false,
            fresh: true,
        });
        Ok(relay)
    }
}

/// The command as a person would type it.
fn line(request: &LaunchRequest) -> String {
    let words: Vec<_> = request.argv.iter().map(|word| word.lossy()).collect();
    words.join(" ")
}

fn recording(
    session: &Session,
    rules: &Rules,
    request: &LaunchRequest,
    id: &str,
    window: Window,
) -> Result<recorder::Config, OpenError> {
    let settings = rules.policy.settings();
    let record = settings.map(|settings| &settings.file.record);
    let term = request.env.iter().find_map(|entry| entry.0.strip_prefix(b"TERM="));
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let size = Size::new(window.cols, window.rows);
    Ok(recorder::Config {
        path: session.dir.recording_path(id)?,
        header: Header {
            cols: size.cols,
            rows: size.rows,
            term_type: term.map(|term| String::from_utf8_lossy(term).into_owned()),
            timestamp: started.ok().map(|time| time.as_secs()),
            idle_time_limit: Some(2.0),
            command: Some(line(request)),
            ..Header::default()
        },
        patterns: rules.patterns()?,
        input: record.is_some_and(|record| record.input == Some(agentsh_policy::model::Switch::On)),
        max_size: Some(
            record
                .and_then(|record| record.max_size)
                .map_or(MAX_SIZE, |size| size.0),
        ),
        on_full: match record.and_then(|record| record.on_full) {
            Some(agentsh_policy::model::OnFull::StopCommand) => OnFull::StopCommand,
            _ => OnFull::StopRecording,
        },
        compress: true,
    })
}
